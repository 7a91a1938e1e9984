import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.kinds import EVENTS, PODS
from cluster import events
from cluster.events import EventRecorder
from tests.cluster.serving import Served, pod

DEADLINE_S = 10.0


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@asynccontextmanager
async def recording(served: Served) -> AsyncIterator[EventRecorder]:
    recorder = EventRecorder(served.direct, "tester", clock=served.clock)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(recorder.run())
        yield recorder
        while recorder.statistics().waiting:
            await asyncio.sleep(0)
        task.cancel()


async def recorded(served: Served) -> list[dict[str, Any]]:
    return (await served.direct.list(EVENTS)).items


async def test_an_event_names_its_object(served: Served) -> None:
    obj = await served.direct.create(PODS, pod())
    async with recording(served) as recorder:
        recorder.warning(obj, "BackOff", "it ended")
    (event,) = await recorded(served)
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "p",
        "namespace": "default",
        "uid": obj["metadata"]["uid"],
        "resourceVersion": obj["metadata"]["resourceVersion"],
    }
    shown = {key: event[key] for key in ("type", "reason", "message", "source", "count")}
    assert shown == {
        "type": "Warning",
        "reason": "BackOff",
        "message": "it ended",
        "source": {"component": "tester"},
        "count": 1,
    }
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2027-01-15T08:00:00Z"


async def test_what_repeats_is_counted(served: Served) -> None:
    obj = await served.direct.create(PODS, pod())
    async with recording(served) as recorder:
        for _ in range(3):
            recorder.normal(obj, "Started", "again")
        recorder.normal(obj, "Started", "something else")
    counts = sorted((event["message"], event["count"]) for event in await recorded(served))
    assert counts == [("again", 3), ("something else", 1)]


async def test_a_repeated_event_that_expired_begins_anew(served: Served) -> None:
    obj = await served.direct.create(PODS, pod())
    async with recording(served) as recorder:
        recorder.normal(obj, "Started", "again")
        while not recorder.statistics().written:
            await asyncio.sleep(0)
        served.clock.now_s += 3601
        recorder.normal(obj, "Started", "again")
    (event,) = await recorded(served)
    assert event["count"] == 1


async def test_an_event_nobody_can_keep_is_dropped(served: Served) -> None:
    async with recording(served) as recorder:
        recorder.normal(pod(namespace="nowhere"), "Lost", "its namespace is gone")
    assert recorder.statistics().dropped == 1
    assert await recorded(served) == []


async def test_a_flood_is_dropped_not_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_QUEUE_MAX", 2)
    recorder = EventRecorder(served.direct, "tester", clock=served.clock)
    for at in range(5):
        recorder.normal(pod(), "Flood", f"{at}")
    assert (recorder.statistics().waiting, recorder.statistics().dropped) == (2, 3)


async def test_memory_of_repetition_is_bounded(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_SERIES_MAX", 2)
    async with recording(served) as recorder:
        for at in range(5):
            recorder.normal(pod(), "Many", f"{at}")
    assert len(recorder._series) == 2


async def test_many_that_are_alike_share_one_event_and_no_object_has_too_many(
    served: Served,
) -> None:
    obj = await served.direct.create(PODS, pod())
    async with recording(served) as recorder:
        for at in range(40):
            recorder.normal(obj, "Scaled", f"to {at}")
    found = {event["message"]: event["count"] for event in await recorded(served)}
    assert found == {f"to {at}": 1 for at in range(9)} | {
        "(combined from similar events): to 24": 16
    }
    assert recorder.statistics().dropped == 15


async def test_long_names_and_messages_are_cut(served: Served) -> None:
    async with recording(served) as recorder:
        recorder.normal(pod("n" * 253), "Long", "m" * 5000)
    (event,) = await recorded(served)
    assert len(event["metadata"]["name"]) == 253
    assert len(event["message"]) == 1024
