import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.kinds import PODS, Resource
from cluster.client import ObjectList, WatchEvent
from cluster.direct import DirectClient
from cluster.errors import ForbiddenError, GoneError, NotFoundError, UnavailableError
from cluster.informer import Informer
from tests.cluster.serving import Served, http_client, pod

DEADLINE_S = 10.0
Change = tuple[str | None, str | None]


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


class FaultyClient(DirectClient):
    """The client with faults between it and the server: each queued one fails one call."""

    def __init__(self, served: Served) -> None:
        super().__init__(served.server)
        self.list_faults: list[Exception] = []
        self.watch_faults: list[Exception | None] = []  # None: the stream ends in good order
        self.lists = 0

    async def list(self, resource: Resource, *args: Any, **selectors: Any) -> ObjectList:
        self.lists += 1
        if self.list_faults:
            raise self.list_faults.pop(0)
        return await super().list(resource, *args, **selectors)

    async def watch(self, *args: Any, **options: Any) -> AsyncIterator[WatchEvent]:
        if self.watch_faults:
            fault = self.watch_faults.pop(0)
            if fault is not None:
                raise fault
            return
        async for event in super().watch(*args, **options):
            yield event


@asynccontextmanager
async def running(informer: Informer) -> AsyncIterator[list[Change]]:
    changes: list[Change] = []
    changed = asyncio.Event()

    def note(old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        changes.append((_name(old), _name(new)))
        changed.set()

    informer.on_change(note)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(informer.run())
        await informer.synced()
        yield changes
        task.cancel()


def _name(obj: dict[str, Any] | None) -> str | None:
    return None if obj is None else obj["metadata"]["name"]


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


async def test_it_holds_what_is_there_and_follows(served: Served) -> None:
    client = served.direct
    await client.create(PODS, pod("a"))
    informer = Informer(client, PODS)
    async with running(informer) as changes:
        assert informer.objects["default", "a"] == await client.get(PODS, "default", "a")
        await client.create(PODS, pod("b"))
        await client.patch(PODS, "default", "b", {"metadata": {"labels": {"x": "y"}}})
        await client.delete(PODS, "default", "a")
        await until(lambda: len(changes) == 4)
    assert changes == [(None, "a"), (None, "b"), ("b", "b"), ("a", None)]
    assert list(informer.objects) == [("default", "b")]


async def test_a_late_callback_hears_of_what_is_there(served: Served) -> None:
    await served.direct.create(PODS, pod("a"))
    informer = Informer(served.direct, PODS)
    async with running(informer):
        late: list[Change] = []
        informer.on_change(lambda old, new: late.append((_name(old), _name(new))))
        assert late == [(None, "a")]


async def test_only_selected_objects_are_held(served: Served) -> None:
    client = served.direct
    await client.create(PODS, pod("in", labels={"a": "b"}))
    await client.create(PODS, pod("out"))
    informer = Informer(client, PODS, "default", "a=b")
    async with running(informer) as changes:
        await client.patch(PODS, "default", "in", {"metadata": {"labels": {"a": "c"}}})
        await until(lambda: not informer.objects)
    assert changes == [(None, "in"), ("in", None)]


async def test_one_object_by_its_name_is_held(served: Served) -> None:
    """Who may see no other lists and watches by the name."""
    await served.direct.create(PODS, pod("a"))
    informer = Informer(served.direct, PODS, "default", field_selector="metadata.name=b")
    async with running(informer) as changes:
        assert not informer.objects
        await served.direct.create(PODS, pod("c"))
        await served.direct.create(PODS, pod("b"))
        await until(lambda: informer.objects)
        assert changes == [(None, "b")]
        assert list(informer.objects) == [("default", "b")]


async def test_it_lists_again_when_the_server_forgot(served: Served) -> None:
    client = FaultyClient(served)
    await client.create(PODS, pod("kept"))
    await client.create(PODS, pod("lost"))
    client.watch_faults = [GoneError("too old")]
    informer = Informer(client, PODS)

    def lose(old: Any, new: Any) -> None:  # between the list and the watch that fails
        if client.lists == 1 and _name(new) == "lost":
            served.server.delete(PODS, "default", "lost")
            served.server.create(PODS, "default", pod("new"), served.direct._plain)

    informer.on_change(lose)
    async with running(informer) as changes:
        await until(lambda: len(changes) == 4)
    assert client.lists == 2
    assert changes == [(None, "kept"), (None, "lost"), ("lost", None), (None, "new")]


async def test_it_outlives_a_server_that_is_away(served: Served) -> None:
    client = FaultyClient(served)
    client.list_faults = [UnavailableError("down"), UnavailableError("still down")]
    client.watch_faults = [UnavailableError("broke")]
    informer = Informer(client, PODS)
    async with running(informer) as changes:
        await client.create(PODS, pod("a"))
        await until(lambda: changes == [(None, "a")])
    assert client.lists == 4


async def test_a_stream_that_ends_in_good_order_is_resumed_without_a_list(served: Served) -> None:
    client = FaultyClient(served)
    client.watch_faults = [None, None]
    informer = Informer(client, PODS)
    async with running(informer) as changes:
        await client.create(PODS, pod("a"))
        await until(lambda: changes == [(None, "a")])
    assert client.lists == 1


async def test_a_connection_that_breaks_once_is_gone_on_with_without_a_list(
    served: Served,
) -> None:
    client = FaultyClient(served)
    client.watch_faults = [UnavailableError("broke")]
    informer = Informer(client, PODS)
    async with running(informer) as changes:
        await client.create(PODS, pod("a"))
        await until(lambda: changes == [(None, "a")])
    assert client.lists == 1


async def test_a_server_that_stays_away_is_listed_again(served: Served) -> None:
    client = FaultyClient(served)
    client.watch_faults = [UnavailableError("broke"), UnavailableError("refused")]
    informer = Informer(client, PODS)
    async with running(informer) as changes:
        await client.create(PODS, pod("a"))
        await until(lambda: changes == [(None, "a")])
    assert client.lists == 2


async def test_the_same_name_made_anew_is_a_change(served: Served) -> None:
    client = served.direct
    first = await client.create(PODS, pod("a"))
    informer = Informer(client, PODS)
    async with running(informer) as changes:
        await client.delete(PODS, "default", "a")
        await client.create(PODS, pod("a"))
        await until(lambda: len(changes) == 3)
        assert informer.objects["default", "a"]["metadata"]["uid"] != first["metadata"]["uid"]


async def test_a_callback_that_fails_ends_it(served: Served) -> None:
    informer = Informer(served.direct, PODS)
    informer.on_change(lambda _old, _new: 1 / 0)  # type: ignore[func-returns-value,arg-type] # it never returns
    await served.direct.create(PODS, pod())
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(DEADLINE_S):
            await informer.run()


@pytest.mark.parametrize(("failures", "wait_s"), [(0, 0.0), (1, 0.05), (2, 0.1), (50, 5.0)])
def test_waiting_doubles_up_to_a_bound(served: Served, failures: int, wait_s: float) -> None:
    informer = Informer(served.direct, PODS)
    informer._failures = failures
    assert informer._back_off_s() == pytest.approx(wait_s)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that is not served is asked for again at once."""
    monkeypatch.setattr("cluster.informer._ABSENT_S", 0.001)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("error", [NotFoundError("no such kind"), ForbiddenError("not yours")])
async def test_an_optional_kind_that_is_not_served_counts_as_empty_until_it_is(
    served: Served, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    client = FaultyClient(served)
    client.list_faults = [error, error]
    await client.create(PODS, pod("a"))
    caplog.set_level("INFO")
    informer = Informer(client, PODS, is_optional=True)
    async with running(informer) as changes:
        await until(lambda: changes == [(None, "a")])
    assert client.lists == 3
    assert [each.message for each in caplog.records] == [f"pods are not served here: {error}"]


@pytest.mark.usefixtures("soon")
async def test_an_optional_kind_that_goes_takes_its_objects_with_it(served: Served) -> None:
    client = FaultyClient(served)
    await client.create(PODS, pod("a"))
    client.watch_faults = [UnavailableError("broke"), UnavailableError("refused")]
    informer = Informer(client, PODS, is_optional=True)
    informer.on_change(lambda *_: client.list_faults.append(NotFoundError("gone")))
    async with running(informer) as changes:
        await until(lambda: len(changes) >= 2)
        assert changes[:2] == [(None, "a"), ("a", None)]


@pytest.mark.usefixtures("soon")
async def test_being_refused_once_does_not_take_away_what_was_seen(served: Served) -> None:
    client = FaultyClient(served)
    await client.create(PODS, pod("a"))
    client.watch_faults = [UnavailableError("broke"), UnavailableError("refused")]
    informer = Informer(client, PODS, is_optional=True)

    def refuse_next(old: Any, new: Any) -> None:
        client.list_faults.append(ForbiddenError("not now"))

    informer.on_change(refuse_next)
    async with running(informer) as changes:
        await until(lambda: client.lists >= 3)
        assert changes == [(None, "a")]


async def test_a_long_list_is_read_in_pages(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.informer._PAGE", 3)
    for number in range(8):
        await served.direct.create(PODS, pod(f"p{number}"))
    async with http_client(served) as client:
        informer = Informer(client, PODS)
        async with running(informer) as changes:
            assert [name for _, name in changes] == [f"p{number}" for number in range(8)]
            await client.create(PODS, pod("later"))
            await until(lambda: len(changes) == 9)
        assert len(informer.objects) == 9


async def test_only_what_is_to_be_kept_is_held_and_told(served: Served) -> None:
    def keep(obj: dict[str, Any]) -> dict[str, Any]:
        names = ("name", "namespace", "uid", "resourceVersion")
        return {"metadata": {name: obj["metadata"][name] for name in names}}

    client = served.direct
    await client.create(PODS, pod("a"))
    told: list[Any] = []
    informer = Informer(client, PODS, keep=keep)
    informer.on_change(lambda old, new: told.append((old, new)))
    async with running(informer) as changes:
        await client.patch(PODS, "default", "a", {"metadata": {"labels": {"x": "y"}}})
        await client.delete(PODS, "default", "a")
        await until(lambda: len(changes) == 3)
    assert changes == [(None, "a"), ("a", "a"), ("a", None)]
    assert all(set(obj or {"metadata"}) == {"metadata"} for pair in told for obj in pair)
    assert not informer.objects
