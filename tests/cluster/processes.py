"""A component as a process runs it, against an API server of its own over HTTP."""

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from embedded.http import make_app
from tests.cluster.serving import Served

DEADLINE_S = 60.0
Parse = Callable[[Sequence[str]], argparse.Namespace]
Serve = Callable[[argparse.Namespace, asyncio.Event], Coroutine[Any, Any, None]]


class Traffic:
    """What an API server is asked, and the connections on which that comes."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()  # list, watch, get, write
        self._transports: set[asyncio.BaseTransport] = set()

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        if "/leases" not in request.path:
            self.asked[_sort(request)] += 1
        if request.transport is not None:
            self._transports.add(request.transport)
        answer: web.StreamResponse = await handler(request)
        return answer

    def cut(self) -> None:
        """Break every connection."""
        for transport in self._transports:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
        self._transports.clear()


def _sort(request: web.Request) -> str:
    if request.method != "GET":
        return "write"
    if request.query.get("watch"):
        return "watch"
    return "list" if request.path.rpartition("/")[2].endswith("s") else "get"


@asynccontextmanager
async def running(
    served: Served,
    folder: Path,
    parse: Parse,
    serve: Serve,
    *flags: str,
    traffic: Traffic | None = None,
) -> AsyncIterator[asyncio.Event]:
    """From its flags to its end in good order; what is yielded ends it sooner."""
    stop = asyncio.Event()
    app = make_app(served.server)
    if traffic is not None:
        app.middlewares.append(traffic.middleware)
    async with TestServer(app) as listening:
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


async def until_quiet(traffic: Traffic) -> None:
    """Until nothing was written for a while: in many turns of the loop, should it stand still."""
    async with asyncio.timeout(DEADLINE_S):
        before, quiet = -1, 0
        while quiet < 30:
            quiet = quiet + 1 if before == traffic.asked["write"] else 0
            before = traffic.asked["write"]
            await asyncio.sleep(0.01)


async def answer(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def admin_port(caplog: pytest.LogCaptureFixture) -> int:
    found = await until(lambda: re.search(r"asked at 127\.0\.0\.1:(\d+)", caplog.text))
    return int(found[1])
