import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from api import keys, kinds
from relight.__main__ import build_parser, execute
from tests.relight.conftest import DEADLINE_S, Platform


async def watched(
    platform: Platform, words: str, capsys: pytest.CaptureFixture[str], *steps: object
) -> str:
    """Run a watch; before each step wait until the text it names was printed."""
    args = build_parser().parse_args([*words.split(), "--data-dir", str(platform.folder)])
    told = ""

    async def printed(is_there: Callable[[str], bool]) -> None:
        nonlocal told
        while not is_there(told):
            await asyncio.sleep(0.005)
            told += capsys.readouterr().out

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        watching = group.create_task(execute(args))
        for step in steps:
            if isinstance(step, str):
                await printed(lambda text, wanted=step: wanted in text)  # type: ignore[misc] # a lambda with a default
            else:
                await step()  # type: ignore[operator]  # a step is a text or a coroutine function
        watching.cancel()
    return told


async def test_a_watch_prints_what_there_is_then_what_changes(
    platform: Platform, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))

    async def replica_more() -> None:
        labels = {keys.SERVICE: "iris", keys.REVISION: "iris-00001"}
        await platform.client.delete(
            kinds.PODS, "default", "iris-00001-deployment-abc", grace_period_s=0
        )
        await platform.standin.make_pod("another", labels)
        await platform.standin.make_pod("one-more", labels)

    told = await watched(platform, "get services -w", capsys, "1/1", replica_more, "2/2")
    lines = told.splitlines()
    assert lines[0].split()[0] == "NAME"
    assert sum(line.startswith("NAME") for line in lines) == 1
    assert {line.split()[0] for line in lines[1:]} == {"iris"}


async def test_a_watch_of_one_name_as_names(
    platform: Platform, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    await platform.type("deploy", "wine", "--model", str(model))

    async def change() -> None:
        for name in ("wine", "iris"):
            patch = {"metadata": {"labels": {"a": "b"}}}
            await platform.client.patch(kinds.SERVICES, "default", name, patch)

    line = "service.serving.knative.dev/iris\n"
    words = "get services iris -w -o name"
    assert await watched(platform, words, capsys, line, change, line * 2) == line * 2


async def test_a_watch_as_yaml_is_a_stream_of_documents(
    platform: Platform, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    told = await watched(platform, "get rev -A -w -o yaml", capsys, "iris-00001")
    assert told.startswith("---\n")


async def test_a_watch_ends_when_the_platform_does(
    platform: Platform, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    words = ["get", "services", "-w", "--data-dir", str(platform.folder)]
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        watching = group.create_task(execute(build_parser().parse_args(words)))
        while "iris" not in capsys.readouterr().out:
            await asyncio.sleep(0.005)
        await platform.stop()
        assert await watching == 3
    assert "no platform is running for" in capsys.readouterr().err
