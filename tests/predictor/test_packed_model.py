"""One of many models: who waits for it, and what it is expected to take."""

import asyncio
import threading
from typing import Any, cast

import pytest

from predictor import heap, packed_model
from predictor.packed_model import PackedModel, Waiter
from predictor.repository_requests import State
from predictor.worker import Worker
from wire.exchange import Exchange


def waiter(told: list[str], name: str) -> Waiter:
    return Waiter(exchange=cast("Exchange", name), go_on=lambda: told.append(f"{name} goes on"))


async def test_who_waits_is_told_once() -> None:
    told: list[str] = []
    model = PackedModel()
    first, second, third = (waiter(told, name) for name in ("first", "second", "third"))
    first.timer = asyncio.get_running_loop().call_later(20, told.append, "too late")
    model.waiting = dict.fromkeys((first, second, third))
    model.let(first, first.go_on)
    model.let(first, first.go_on)
    assert first.timer.cancelled()
    model.let(second, lambda: told.append("second is refused"))
    model.let_all(lambda one: one.go_on())
    model.let_all(lambda one: one.go_on())
    assert told == ["first goes on", "second is refused", "third goes on"]
    assert not model.waiting
    assert not model.is_busy


@pytest.mark.parametrize(
    ("opens", "took", "limit", "expected"),
    [(0, 0, 50, 10), (1, 90, 50, 50), (1, 90, 0, 90), (2, 90, 50, 90), (1, 5, 50, 10)],
)
def test_the_first_opening_may_have_brought_its_library(
    opens: int, took: int, limit: int, expected: int
) -> None:
    model = PackedModel(opens=opens, size_bytes=took)
    assert model.expected_bytes(10, limit) == expected


class Served:
    """A server, as far as its closing goes."""

    def __init__(self, *, is_busy: bool) -> None:
        self.is_busy = is_busy
        self.closes = 0
        self.lane = self

    def close(self) -> None:
        self.closes += 1


@pytest.mark.parametrize("is_busy", [False, True])
async def test_what_its_thread_holds_is_let_go_of_before_memory_is_freed(
    is_busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server: Any = Served(is_busy=is_busy)
    worker, go = Worker(asyncio.get_running_loop()), threading.Event()
    worker.call(lambda: go.wait(20) and None)
    monkeypatch.setattr(packed_model, "_GONE_S", 20.0)
    model = PackedModel(state=State.READY, server=server, worker=worker)
    free = model.close(State.STANDBY)
    assert (model.state, model.server, model.worker) == (State.STANDBY, None, None)
    assert server.closes == (not is_busy), "one that does not return is not waited for"
    found: list[bool] = []
    monkeypatch.setattr(heap, "collect", lambda: found.append(worker._thread.is_alive()))
    freeing = asyncio.create_task(asyncio.to_thread(free))
    if is_busy:
        await freeing
    go.set()
    await freeing
    assert found == [is_busy]
