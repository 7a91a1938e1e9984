import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api import keys
from relight.__main__ import build_parser, execute
from tests.relight.conftest import DEADLINE_S, Platform

POD = "iris-00001-deployment-abc"


class Logs:
    """The kubelet's side: some lines of each Pod, and more when it is told."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.more = asyncio.Event()

    def open(self, namespace: str, pod: str, **asked: Any) -> AsyncIterator[bytes]:
        self.asked.append({"pod": pod, **asked})
        return self._lines(pod, is_followed=bool(asked.get("follow")))

    async def _lines(self, pod: str, *, is_followed: bool) -> AsyncIterator[bytes]:
        yield f"{pod} starts\nand ".encode()
        yield b"runs\n"
        if is_followed:
            await self.more.wait()
            yield b"more\n"


@pytest.fixture
async def logs(platform: Platform, model: Path) -> Logs:
    """One Service with one replica, whose log can be read."""
    await platform.type("deploy", "iris", "--model", str(model))
    logs = Logs()
    platform.server.logs_port = logs.open
    return logs


async def another(platform: Platform, name: str = "another") -> None:
    labels = {keys.SERVICE: "iris", keys.REVISION: "iris-00002"}
    await platform.standin.make_pod(name, labels)


async def test_one_replica_has_no_prefix(platform: Platform, logs: Logs) -> None:
    code, out, _ = await platform.type("logs", "iris")
    assert (code, out) == (0, f"{POD} starts\nand runs\n")


async def test_several_replicas_have_their_names_in_front(platform: Platform, logs: Logs) -> None:
    await another(platform)
    for words in (["iris"], ["--all"]):
        _, out, _ = await platform.type("logs", *words)
        assert out == (
            "another | another starts\nanother | and runs\n"
            f"{POD} | {POD} starts\n{POD} | and runs\n"
        )


async def test_one_revision_or_one_pod(platform: Platform, logs: Logs) -> None:
    await another(platform)
    for words in (["iris", "--revision", "iris-00002"], ["another"]):
        _, out, _ = await platform.type("logs", *words)
        assert out == "another starts\nand runs\n"


async def test_tail_is_asked_of_the_server(platform: Platform, logs: Logs) -> None:
    await platform.type("logs", "iris", "--tail", "5")
    [asked] = logs.asked
    assert asked["wanted"].tail_lines == 5
    assert not asked["follow"]


async def test_following_goes_on_with_replicas_that_start_later(
    platform: Platform, logs: Logs, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["logs", "iris", "-f", "--tail", "1", "--data-dir", str(platform.folder)]
    told = ""

    async def printed(text: str) -> None:
        nonlocal told
        while text not in told:
            await asyncio.sleep(0.005)
            told += capsys.readouterr().out

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        following = group.create_task(execute(build_parser().parse_args(words)))
        await printed(f"{POD} | and runs\n")
        await another(platform)
        await printed("another | and runs\n")
        logs.more.set()
        await printed("another | more\n")
        await printed(f"{POD} | more\n")
        following.cancel()
    tails = {asked["pod"]: asked["wanted"].tail_lines for asked in logs.asked}
    assert tails == {POD: 1, "another": None}


async def test_at_zero_there_is_nothing_to_print(platform: Platform, logs: Logs) -> None:
    code, out, err = await platform.type("logs", "iris", "--revision", "iris-00009")
    assert (code, out) == (0, "")
    assert err == "no replica runs now, so there is nothing to print\n"


@pytest.mark.parametrize("words", [[], ["iris", "--all"]])
async def test_either_a_name_or_all(words: list[str], platform: Platform) -> None:
    code, _, err = await platform.type("logs", *words)
    assert code == 2
    assert "give the name of a service or a pod, or --all" in err


async def test_a_negative_tail_is_2(platform: Platform) -> None:
    code, _, err = await platform.type("logs", "iris", "--tail=-1")
    assert (code, err) == (2, "relight: --tail: expected 0 or more lines\n")


async def test_a_name_that_nobody_has_is_1(platform: Platform) -> None:
    code, _, err = await platform.type("logs", "nobody")
    assert code == 1
    assert '"nobody" not found' in err
