"""A zygote forked by another: what it forks, how it ends, what it says when it can not be."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from embedded.config import inherited_environment
from embedded.forkedzygote import ForkedZygote
from embedded.zygote import Zygote, ZygoteError


@pytest.fixture
async def parent() -> AsyncIterator[Zygote]:
    made = Zygote(env=inherited_environment(), spares=0)
    await made.start()
    yield made
    await made.stop()


def forked(parent: Zygote, *packages: str) -> ForkedZygote:
    asked = {"kind": "libraries", "packages": packages, "env": {}, "cwd": "/"}
    return ForkedZygote("libraries/x", parent, asked, spares=0)


async def started(zygote: Zygote, *argv: str) -> tuple[int, "asyncio.Future[Any]"]:
    """The pid of a program that it forked, and how that ends."""
    loop = asyncio.get_running_loop()
    pid: asyncio.Future[int] = loop.create_future()
    ended: asyncio.Future[Any] = loop.create_future()
    words = {"kind": "exec", "argv": argv, "env": {}, "cwd": "/"}
    with Path(os.devnull).open("wb") as null:
        zygote.launch(
            "child",
            words,
            (null.fileno(), null.fileno()),
            on_start=pid.set_result,
            on_exit=lambda code, number: ended.set_result((code, number)),
        )
    return await pid, ended


async def test_it_retires_after_what_it_forked(parent: Zygote) -> None:
    async with asyncio.timeout(20):
        zygote = forked(parent)
        assert (await zygote.start())["event"] == "zygote-ready"
        pid, ended = await started(zygote, "sleep", "600")
        assert zygote.is_ready
        assert zygote.is_parent
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(zygote.retire())
            os.kill(pid, signal.SIGKILL)
            assert await ended == (None, signal.SIGKILL)
        await zygote.wait()
        assert not zygote.is_parent
        assert not zygote.is_ready


async def test_it_is_killed_and_so_is_what_it_forked(parent: Zygote) -> None:
    async with asyncio.timeout(20):
        zygote = forked(parent)
        await zygote.start()
        pid, ended = await started(zygote, "sleep", "600")
        parent.signal(zygote.name, signal.SIGKILL)
        assert await ended == (None, signal.SIGKILL)
        await zygote.wait()
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.005)


async def test_why_it_can_not_be_is_told(parent: Zygote) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(ZygoteError, match=r"no\.such is a library of no format"):
            await forked(parent, "no.such").start()
