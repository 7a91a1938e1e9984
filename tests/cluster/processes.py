"""A component as a process runs it, against an API server of its own over HTTP."""

import argparse
import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp.test_utils import TestServer

from embedded.http import make_app
from tests.cluster.serving import Served

DEADLINE_S = 20.0
Parse = Callable[[Sequence[str]], argparse.Namespace]
Serve = Callable[[argparse.Namespace, asyncio.Event], Coroutine[Any, Any, None]]


@asynccontextmanager
async def running(
    served: Served, folder: Path, parse: Parse, serve: Serve, *flags: str
) -> AsyncIterator[asyncio.Event]:
    """From its flags to its end in good order; what is yielded ends it sooner."""
    stop = asyncio.Event()
    async with TestServer(make_app(served.server)) as listening:
        path = folder / "kubeconfig"
        path.write_text(kubeconfig(str(listening.make_url(""))))
        common = ("--kubeconfig", str(path), "--admin-host=127.0.0.1", "--admin-port=0")
        args = parse((*common, *flags))
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            group.create_task(serve(args, stop))
            try:
                yield stop
            finally:
                stop.set()


def kubeconfig(url: str) -> str:
    return yaml.safe_dump(
        {
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": url}}],
            "users": [{"name": "x", "user": {}}],
        }
    )


async def until(holds: Callable[[], Any]) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        while not (found := holds()):
            await asyncio.sleep(0.01)
    return found


async def answer(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def admin_port(caplog: pytest.LogCaptureFixture) -> int:
    found = await until(lambda: re.search(r"asked at 127\.0\.0\.1:(\d+)", caplog.text))
    return int(found[1])
