"""Which Revisions have a zygote of their own: from their first Pod until they are gone."""

import asyncio
import hashlib
import signal
from typing import Any

from api.kinds import EVENTS, PODS
from embedded.template import TemplateZygote
from embedded.templates import Templates
from tests.embedded.machine import FAHRENHEIT, Machine, running

DIGEST = "sha256:" + hashlib.sha256(FAHRENHEIT.read_bytes()).hexdigest()
ARGS = ["--model", str(FAHRENHEIT), "--model-name", "m"]


def template_pod(name: str = "p", *, wanted: str = "true", **more: Any) -> dict[str, Any]:
    annotations = {"relight.dev/template": wanted, "relight.dev/model-digest": DIGEST}
    labels = {"serving.knative.dev/revisionUID": "u1"}
    return {"name": name, "annotations": annotations, "labels": labels, **more}


async def open_template(machine: Machine) -> TemplateZygote:
    """Wait for the template of u1."""
    assert machine.templates is not None
    kept = machine.templates._kept

    async def is_ready() -> bool:
        return "u1" in kept and kept["u1"].is_ready

    await machine.until(is_ready, "the template")
    return kept["u1"]


async def end(machine: Machine, name: str) -> None:
    await machine.client.delete(PODS, "default", name)

    async def is_gone() -> bool:
        return not await machine.pods()

    await machine.until(is_gone)


async def test_the_second_pod_of_a_revision_is_forked_from_its_template() -> None:
    async with running() as machine:
        await machine.create_pod(**template_pod("a"))
        await machine.until_ready("a")
        template = await open_template(machine)
        assert not template._exits
        await end(machine, "a")
        await machine.create_pod(**template_pod("b"))
        await machine.until_ready("b")
        assert list(template._exits)
        assert b'"template":true' in await machine.ask("b", "/v2/models/m")
        assert machine.templates is not None
        assert machine.templates.keep(["u1"]) == []
        (gone,) = machine.templates.keep(["u2"])
        assert gone is template
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(20):
            retiring = tasks.create_task(gone.retire())
            assert (await machine.ask("b")).startswith(b"HTTP/1.1 200")
            assert not retiring.done()
            await end(machine, "b")
            await gone.wait()


async def test_one_that_died_is_replaced_at_the_next_pod() -> None:
    async with running() as machine:
        await machine.create_pod(**template_pod("a"))
        await machine.until_ready("a")
        first = await open_template(machine)
        machine.zygote.signal(first.name, signal.SIGKILL)
        await first.wait()
        assert machine.templates is not None
        kept = machine.templates._kept

        async def is_forgotten() -> bool:
            return "u1" not in kept

        await machine.until(is_forgotten)
        await end(machine, "a")
        await machine.create_pod(**template_pod("b"))
        await machine.until_ready("b")
        assert await open_template(machine) is not first


async def test_one_that_can_not_be_is_told_and_the_pod_is_served() -> None:
    async with running() as machine:
        await machine.create_pod(**template_pod("a", args=[*ARGS, "--threads", "2"]))
        await machine.until_ready("a")

        async def is_told() -> bool:
            events = (await machine.client.list(EVENTS, "default")).items
            return any(
                event["reason"] == "TemplateFailed" and "2 threads" in event["message"]
                for event in events
            )

        await machine.until(is_told)
        assert (await machine.ask("a")).startswith(b"HTTP/1.1 200")


async def test_others_have_none() -> None:
    async with running() as machine:
        assert isinstance(machine.templates, Templates)
        request = {"args": ARGS, "env": {}, "cwd": "/"}
        for changes in (
            {"labels": {}},
            {"annotations": {"relight.dev/template": "true"}},
            template_pod(wanted="false"),
        ):
            wanted = {**template_pod(), **changes}
            metadata = {name: wanted[name] for name in ("annotations", "labels")}
            assert machine.templates.zygote_for({"metadata": metadata}, request) is machine.zygote
        metadata = {name: template_pod()[name] for name in ("annotations", "labels")}
        confined = {**request, "confinement": "/f"}
        assert machine.templates.zygote_for({"metadata": metadata}, confined) is machine.zygote
        assert machine.templates._kept == {}
