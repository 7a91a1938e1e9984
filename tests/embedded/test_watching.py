import asyncio
from typing import Any

import pytest

from api.kinds import EVENTS, PODS
from cluster.errors import GoneError
from cluster.options import Selection
from embedded.history import Change
from embedded.selection import parse
from embedded.watching import Hub, Watcher, bookmark, type_for

ALL = parse(PODS, Selection())
ONLY_A = parse(PODS, Selection(labels="a"))
DEADLINE_S = 5.0


def labelled(*labels: str, version: int = 1) -> dict[str, Any]:
    metadata = {"name": "p", "resourceVersion": str(version)}
    return {"metadata": metadata | {"labels": dict.fromkeys(labels, "x")}}


def change(old: dict[str, Any] | None, new: dict[str, Any], *, is_last: bool = False) -> Change:
    type_ = "DELETED" if is_last else "ADDED" if old is None else "MODIFIED"
    return Change(version=1, type=type_, resource=PODS, object=new, old=old)  # type: ignore[arg-type] # a literal


def waiting(watcher: Watcher) -> list[str]:
    return [event.type for event in watcher._queue]


@pytest.mark.parametrize(
    ("old", "new", "is_last", "wanted"),
    [
        (None, "a", False, "ADDED"),
        (None, "b", False, None),
        ("a", "a", False, "MODIFIED"),
        ("b", "a", False, "ADDED"),
        ("a", "b", False, "DELETED"),
        ("b", "b", False, None),
        ("a", "a", True, "DELETED"),
        ("b", "b", True, None),
    ],
)
def test_a_change_is_what_it_is_to_the_selection(
    old: str | None, new: str, is_last: bool, wanted: str | None
) -> None:
    made = change(None if old is None else labelled(old), labelled(new), is_last=is_last)
    assert type_for(ONLY_A, made) == wanted


async def test_each_watcher_hears_what_concerns_it_in_order() -> None:
    hub = Hub()
    everything, some, other = hub.open(PODS, ALL), hub.open(PODS, ONLY_A), hub.open(EVENTS, ALL)
    hub.publish(change(None, labelled("b")))
    hub.publish(change(labelled("b"), labelled("a")))
    hub.publish(change(labelled("a"), labelled("a"), is_last=True))
    assert waiting(everything) == ["ADDED", "MODIFIED", "DELETED"]
    assert waiting(some) == ["ADDED", "DELETED"]
    assert waiting(other) == []


async def test_a_waiting_reader_wakes_in_the_same_turn() -> None:
    hub = Hub()
    watcher = hub.open(PODS, ALL)
    order: list[str] = []

    async def read() -> None:
        assert await watcher.next() is not None
        order.append("read")

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        await asyncio.sleep(0)
        hub.publish(change(None, labelled()))
        asyncio.get_running_loop().call_soon(
            lambda: asyncio.get_running_loop().call_soon(lambda: order.append("a turn later"))
        )
    assert order[0] == "read"


async def test_a_slow_watcher_is_told_to_start_again() -> None:
    hub = Hub(queue_max=2)
    slow, quick = hub.open(PODS, ALL), hub.open(PODS, ALL)
    for _ in range(3):
        hub.publish(change(None, labelled()))
        await quick.next()
    assert hub.statistics().watchers == 1
    with pytest.raises(GoneError, match="fell 2 changes behind"):
        await slow.next()
    assert await slow.next() is None
    assert slow.waiting == 0


async def test_closing_ends_the_reader_and_may_be_repeated() -> None:
    hub = Hub()
    watcher = hub.open(PODS, ALL)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(watcher.next())
        await asyncio.sleep(0)
        watcher.close()
        watcher.close()
        assert await reading is None
    hub.publish(change(None, labelled()))
    assert await watcher.next() is None


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_cancelling_and_an_event_in_one_turn_lose_nothing(cancelled_first: bool) -> None:
    hub = Hub()
    watcher = hub.open(PODS, ALL)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(watcher.next())
        await asyncio.sleep(0)
        steps = [reading.cancel, lambda: hub.publish(change(None, labelled()))]
        for step in steps if cancelled_first else reversed(steps):
            step()
        await asyncio.wait({reading})
        assert reading.cancelled()
        assert (await watcher.next()) is not None


async def test_closing_the_hub_closes_all() -> None:
    hub = Hub()
    watchers = [hub.open(PODS, ALL), hub.open(EVENTS, ALL)]
    hub.publish(change(None, labelled()))
    assert (hub.statistics().watchers, hub.statistics().waiting) == (2, 1)
    hub.close()
    assert [await watcher.next() for watcher in watchers] == [None, None]
    assert hub.statistics().watchers == 0


def test_a_bookmark_carries_a_version_only() -> None:
    plain = bookmark(PODS, 7).object["metadata"]
    assert plain["resourceVersion"] == "7"
    assert "annotations" not in plain
    final = bookmark(PODS, 7, ends_initial=True).object["metadata"]
    assert final["annotations"] == {"k8s.io/initial-events-end": "true"}
