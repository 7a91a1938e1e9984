"""A zygote forked by another: started, refused, and ended with it."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from embedded.config import inherited_environment
from embedded.template import TemplateZygote
from embedded.zygote import Zygote, ZygoteError
from tests.embedded.machine import FAHRENHEIT, ROOT


@pytest.fixture
async def zygote() -> AsyncIterator[Zygote]:
    made = Zygote(env=inherited_environment(), spares=0)
    await made.start()
    yield made
    await made.stop()


def request(*more: str) -> dict[str, Any]:
    return {
        "args": ["--model", str(FAHRENHEIT), *more],
        "env": {"K_REVISION": "r"},
        "cwd": str(ROOT),
    }


async def test_it_is_started_and_ended(zygote: Zygote) -> None:
    template = TemplateZygote("t", zygote, request())
    async with asyncio.timeout(20):
        assert "CPUExecutionProvider" in (await template.start())["providers"]
        assert template.is_ready
        await template.stop()
        await template.wait()
    assert not template.is_ready


async def test_why_it_can_not_be_is_told(zygote: Zygote) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(ZygoteError, match="its session would have 2 threads"):
            await TemplateZygote("t", zygote, request("--threads", "2")).start()


async def test_it_ends_with_its_parent_and_tells_of_what_it_forked(zygote: Zygote) -> None:
    template = TemplateZygote("t", zygote, request())
    ended: asyncio.Future[tuple[int | None, int | None]]
    ended = asyncio.get_running_loop().create_future()
    reading, writing = os.pipe()
    async with asyncio.timeout(20):
        await template.start()
        words = {"kind": "exec", "argv": ["sleep", "600"], "env": {}, "cwd": "/"}
        template.launch(
            "child",
            words,
            (writing, writing),
            on_start=lambda _: None,
            on_exit=lambda code, number: ended.set_result((code, number)),
        )
        await zygote.stop()
        await zygote.wait()
        await ended
        await template.wait()
    os.close(reading)
    os.close(writing)
