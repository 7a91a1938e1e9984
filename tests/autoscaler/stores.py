"""A store in memory with faults to order, and what every store has to do."""

import asyncio
from collections.abc import Collection, Mapping

from autoscaler.keeping import StoreError, WindowStore
from autoscaler.scaler import Key


class MemoryStore:
    """Blobs in a dict that outlives autoscalers. Faults: set by the test, by kind of call."""

    def __init__(self, blobs: dict[Key, bytes] | None = None) -> None:
        self.blobs: dict[Key, bytes] = {} if blobs is None else blobs
        self.loads = self.saves = self.closes = 0
        self.is_failing = False
        self.is_hanging = False
        self.is_cut_off = False  # as after kill -9: what is saved now never happened

    async def _fault(self) -> None:
        if self.is_hanging:
            await asyncio.Event().wait()
        if self.is_failing:
            raise StoreError("out of order")

    async def load(self) -> Mapping[Key, bytes]:
        self.loads += 1
        await self._fault()
        return dict(self.blobs)

    async def save(self, changed: Mapping[Key, bytes], gone: Collection[Key]) -> None:
        self.saves += 1
        await self._fault()
        if self.is_cut_off:
            return
        self.blobs.update(changed)
        for key in gone:
            self.blobs.pop(key, None)

    async def close(self) -> None:
        self.closes += 1
        await self._fault()


ANY_BYTES = bytes(range(256))


async def keeps_what_it_is_given(store: WindowStore) -> None:
    """What every store does, beginning empty."""
    assert dict(await store.load()) == {}
    one, two, odd = ("default", "one"), ("other", "one"), ("n", "o/d: d\u00e9\n")
    await store.save({one: b"1", two: ANY_BYTES, odd: b""}, ())
    assert dict(await store.load()) == {one: b"1", two: ANY_BYTES, odd: b""}
    await store.save({one: b"22"}, [two, ("never", "there")])
    assert dict(await store.load()) == {one: b"22", odd: b""}
    await store.save({}, [one, odd])
    assert dict(await store.load()) == {}
    many = {("n", f"r{number}"): b"%d" % number for number in range(3000)}
    await store.save(many, ())
    assert dict(await store.load()) == many
    await store.save({}, list(many))
    await store.save({}, ())
    assert dict(await store.load()) == {}
