from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.kinds import CONFIGURATIONS, EVENTS, SERVICES
from cluster.errors import (
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    UnavailableError,
)
from cluster.events import EventRecorder
from controller.children import with_metadata
from controller.plan import Delete, Note, Plan, Write
from controller.reconciler import RefusedError, StaleError, Writer
from controller.service import make_configuration
from tests.controller.objects import a_service
from tests.controller.world import NOW_S, FaultyClient, World, a_world, ksvc


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path / "store.db") as world:
        yield world


class Desk:
    """A writer, its client and its recorder of events."""

    def __init__(self, world: World) -> None:
        self.client = FaultyClient(world.server)
        self.events = EventRecorder(self.client, "controller", clock=lambda: NOW_S)
        self.writer = Writer(self.client, self.events)

    def waiting_events(self) -> int:
        return self.events.statistics().waiting


async def test_creates_updates_status_and_events_in_this_order(world: World) -> None:
    desk = Desk(world)
    service = await world.client.create(SERVICES, ksvc("mnist"))
    other = await world.client.create(SERVICES, ksvc("other"))
    order: list[str] = []
    desk.client.before = lambda number, verb, resource, obj: order.append(
        f"{verb} {obj['kind']} {obj['metadata']['name']}"
    )
    plan = Plan(
        creates=(Write(resource=CONFIGURATIONS, object=make_configuration(service)),),
        updates=(
            Write(resource=SERVICES, object=with_metadata(other, annotations={"a.com/b": "c"})),
        ),
        status={"url": "http://mnist"},
        notes=(Note(type="Normal", reason="Done", message="it is done"),),
    )
    await desk.writer.carry_out(SERVICES, service, plan)
    assert order == ["create Configuration mnist", "replace Service other", "replace Service mnist"]
    stored = await world.client.get(SERVICES, "default", "mnist")
    assert stored["status"] == {"url": "http://mnist"}
    assert desk.waiting_events() == 2  # Created, Done


async def test_a_plan_from_an_old_view_changes_nothing(world: World) -> None:
    desk = Desk(world)
    service = await world.client.create(SERVICES, ksvc("mnist"))
    patch = {"metadata": {"labels": {"a": "b"}}}
    newer = await world.client.patch(SERVICES, "default", "mnist", patch)
    note = Note(type="Normal", reason="Done", message="it is done")
    with pytest.raises(StaleError):
        await desk.writer.carry_out(SERVICES, service, Plan(status={"url": "x"}, notes=(note,)))
    assert await world.client.get(SERVICES, "default", "mnist") == newer
    assert desk.waiting_events() == 0


async def test_a_child_that_exists_or_an_object_that_is_gone_is_a_stale_view(world: World) -> None:
    desk = Desk(world)
    service = await world.client.create(SERVICES, ksvc("mnist"))
    create = Write(resource=CONFIGURATIONS, object=make_configuration(service))
    await desk.writer.carry_out(SERVICES, service, Plan(creates=(create,)))
    with pytest.raises(StaleError):
        await desk.writer.carry_out(SERVICES, service, Plan(creates=(create,)))
    await world.client.delete(SERVICES, "default", "mnist")
    with pytest.raises(StaleError):
        await desk.writer.carry_out(SERVICES, service, Plan(status={"url": "x"}))


@pytest.mark.parametrize(
    ("error", "expected", "events"),
    [
        (ForbiddenError("quota"), RefusedError, 1),
        (UnavailableError("down"), UnavailableError, 1),
        (
            ForbiddenError("ends", {"causes": [{"reason": "NamespaceTerminating"}]}),
            ForbiddenError,
            0,
        ),
    ],
)
async def test_a_create_that_fails(
    world: World, error: Exception, expected: type[Exception], events: int
) -> None:
    desk = Desk(world)
    service = await world.client.create(SERVICES, ksvc("mnist"))

    def fail(*_: Any) -> None:
        raise error

    desk.client.before = fail
    create = Write(resource=CONFIGURATIONS, object=make_configuration(service))
    with pytest.raises(expected):
        await desk.writer.carry_out(SERVICES, service, Plan(creates=(create,)))
    assert desk.waiting_events() == events
    assert (await world.client.list(EVENTS)).items == []


async def test_a_deletion_is_of_that_very_object(world: World) -> None:
    desk = Desk(world)
    service = await world.client.create(SERVICES, ksvc("mnist"))
    delete = Delete(resource=SERVICES, namespace="default", name="mnist", uid="another")
    with pytest.raises(StaleError):
        await desk.writer.carry_out(SERVICES, service, Plan(deletes=(delete,)))
    right = replace(delete, uid=service["metadata"]["uid"])
    for _ in range(2):  # gone is as good as deleted
        await desk.writer.carry_out(SERVICES, service, Plan(deletes=(right,)))
    assert (await world.client.list(SERVICES)).items == []


class Fate:
    """A client whose writes end as is said, by the name of the object."""

    def __init__(self, fate: Callable[[str], ApiError | None]) -> None:
        self.fate = fate
        self.written: list[str] = []

    async def create(self, resource: Any, obj: Any) -> Any:
        return self._write(obj)

    async def replace(self, resource: Any, obj: Any, *, subresource: str = "") -> Any:
        return self._write(obj)

    def _write(self, obj: Any) -> Any:
        error = self.fate(obj["metadata"]["name"])
        if error is not None:
            raise error
        self.written.append(obj["metadata"]["name"])
        return obj


class Events:
    def normal(self, *_: Any) -> None: ...

    def warning(self, *_: Any) -> None: ...


def write(name: str) -> Write:
    return Write(resource=SERVICES, object=a_service(name))


PLAN = Plan(creates=(write("a"), write("b")), updates=(write("c"),), status={"x": 1})


async def carried_out(fate: Callable[[str], ApiError | None]) -> tuple[list[str], dict[str, str]]:
    client = Fate(fate)
    writer = Writer(client, Events())  # type: ignore[arg-type] # it only writes
    refused = await writer.carry_out_each(SERVICES, a_service("iris"), PLAN)
    return client.written, refused


async def test_one_by_one_all_are_written() -> None:
    assert await carried_out(lambda name: None) == (["a", "b", "c"], {})


@pytest.mark.parametrize("error", [BadRequestError, ForbiddenError, InvalidError])
@pytest.mark.parametrize("name", ["a", "c"])
async def test_a_refusal_of_one_stops_no_other(error: type[ApiError], name: str) -> None:
    written, refused = await carried_out(lambda each: error("no") if each == name else None)
    assert written == [each for each in ("a", "b", "c") if each != name]
    assert refused == {name: "no"}


@pytest.mark.parametrize("error", [ConflictError, UnavailableError])
async def test_what_may_pass_is_raised(error: type[ApiError]) -> None:
    with pytest.raises((StaleError, RefusedError, ApiError)):
        await carried_out(lambda each: error("later") if each == "c" else None)
