from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.kinds import CONFIGURATIONS, EVENTS, SERVICES
from cluster.errors import ForbiddenError, UnavailableError
from cluster.events import EventRecorder
from controller.children import with_metadata
from controller.plan import Delete, Note, Plan, Write
from controller.reconciler import RefusedError, StaleError, Writer
from controller.service import make_configuration
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
