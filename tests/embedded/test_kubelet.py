from typing import Any

import pytest

from api.conditions import find
from api.kinds import EVENTS, PODS
from cluster.errors import BadRequestError, InternalError, NotFoundError
from embedded.podlog import Wanted
from tests.embedded.machine import ROOT, container_status, running

ECHO = {"image": "x", "command": ["python3", str(ROOT / "examples/echo.py")], "args": []}


async def test_a_pod_becomes_a_process_that_answers_and_goes_with_it() -> None:
    async with running() as machine:
        await machine.create_pod("p")
        ready = await machine.until_ready("p")
        assert ready["status"]["phase"] == "Running"
        assert (await machine.ask("p")).startswith(b"HTTP/1.1 200")

        async def is_timed() -> bool:  # a word after it is ready
            annotations = (await machine.pod("p"))["metadata"]["annotations"]
            return "load_ms" in annotations.get("relight.dev/start-timing", "")

        await machine.until(is_timed)
        await machine.client.delete(PODS, "default", "p")

        async def is_gone() -> bool:
            return not await machine.pods()

        await machine.until(is_gone)
        assert machine.released == ["p"], "the activator let go before SIGTERM"
        assert not list((machine.folder / "run").iterdir())
        assert not list((machine.folder / "pods").iterdir())


async def test_a_pod_is_removed_although_the_first_attempt_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as machine:
        await machine.create_pod("p")
        await machine.until_ready("p")
        delete, failed = machine.client.delete, []

        async def fail_once(*names: Any, **options: Any) -> None:
            if options.get("grace_period_s") == 0 and not failed:
                failed.append(names)
                raise InternalError("the disk is full")
            await delete(*names, **options)

        monkeypatch.setattr(machine.client, "delete", fail_once)
        await machine.client.delete(PODS, "default", "p")

        async def is_gone() -> bool:
            return not await machine.pods()

        await machine.until(is_gone)
        assert failed


async def test_a_pod_that_vanished_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as machine:
        patch = machine.client.patch

        async def vanished(*names: Any, **options: Any) -> Any:
            if names[0] is PODS:
                raise NotFoundError("the watch will say so later")
            return await patch(*names, **options)

        monkeypatch.setattr(machine.client, "patch", vanished)
        await machine.create_pod("p")

        async def is_gone() -> bool:
            return not await machine.pods()

        await machine.until(is_gone)


async def test_a_pod_of_the_users_own_is_ready_when_it_runs() -> None:
    async with running() as machine:
        await machine.create_pod("idle", command=["sleep", "600"], args=[])
        pod = await machine.until_ready("idle")
        ready = find(pod, "Ready")
        assert ready is not None
        assert ready.status == "True"


async def test_a_command_gets_a_port_of_its_own() -> None:
    async with running() as machine:
        for name in ("a", "b"):
            await machine.create_pod(name, **ECHO, env=[{"name": "PORT", "value": "8080"}])
        for name in ("a", "b"):
            await machine.until_ready(name)
            assert b'"/hello"' in await machine.ask(name, "/hello")


async def test_pods_beyond_the_machines_room_wait_for_it() -> None:
    async with running(max_pods=1) as machine:
        await machine.create_pod("first")
        await machine.until_ready("first")
        await machine.create_pod("second")

        async def is_waiting() -> bool:
            fact = find(await machine.pod("second"), "PodScheduled")
            return fact is not None and fact.reason == "Unschedulable"

        await machine.until(is_waiting)
        await machine.client.delete(PODS, "default", "first")
        await machine.until_ready("second")
        fact = find(await machine.pod("second"), "PodScheduled")
        assert fact is not None
        assert fact.status == "True"


async def test_that_there_is_no_room_is_told_although_the_first_attempt_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(max_pods=1) as machine:
        await machine.create_pod("first")
        await machine.until_ready("first")
        patch, failed = machine.client.patch, []

        async def fail_once(*names: Any, **options: Any) -> Any:
            if names[0] is PODS and not failed:
                failed.append(names)
                raise InternalError("the disk is full")
            return await patch(*names, **options)

        monkeypatch.setattr(machine.client, "patch", fail_once)
        await machine.create_pod("second")

        async def is_told() -> bool:
            return find(await machine.pod("second"), "PodScheduled") is not None

        await machine.until(is_told)
        assert failed


async def test_an_image_that_can_not_run_here_is_refused_by_name() -> None:
    async with running() as machine:
        await machine.create_pod("p", image="nginx:1", args=[])

        async def is_refused() -> bool:
            waiting = container_status(await machine.pod("p")).get("state", {}).get("waiting", {})
            return "nginx:1" in waiting.get("message", "")

        await machine.until(is_refused)


async def test_logs_are_read_while_the_pod_lives() -> None:
    async with running() as machine:
        await machine.create_pod("p", **ECHO, env=[])
        await machine.until_ready("p")
        await machine.ask("p", "/said-this")

        async def is_logged() -> bool:
            chunks = [chunk async for chunk in machine.kubelet.logs("default", "p")]
            return b"/said-this" in b"".join(chunks)

        await machine.until(is_logged)


async def test_a_container_that_ran_once_has_no_log_of_before() -> None:
    async with running() as machine:
        await machine.create_pod("p", **ECHO, env=[])
        await machine.until_ready("p")
        words = 'previous terminated container "user-container" in pod "p" not found'
        with pytest.raises(BadRequestError, match=words):
            machine.kubelet.logs("default", "p", wanted=Wanted(previous=True))


async def test_logs_of_pods_that_are_gone_are_removed() -> None:
    async with running(strays=("gone-uid",)) as machine:
        await machine.create_pod("p")
        ready = await machine.until_ready("p")
        kept = {path.name for path in (machine.folder / "pods").iterdir()}
        assert kept == {f"{ready['metadata']['uid']}.user-container.log"}


async def test_people_are_told() -> None:
    async with running() as machine:
        await machine.create_pod("p")
        await machine.until_ready("p")

        async def is_told() -> bool:
            events = (await machine.client.list(EVENTS, "default")).items
            return any(event["reason"] == "Started" for event in events)

        await machine.until(is_told)
