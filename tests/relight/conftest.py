"""A platform in this process: a real API server over HTTP, stand-ins for all behind it."""

import argparse
import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web

from api import kinds
from cluster.direct import DirectClient
from embedded.apiserver import ApiServer
from embedded.http import make_app
from embedded.store import Store
from relight import config
from relight.__main__ import build_parser, execute
from relight.connection import Connection, connect
from tests.relight.kubernetes import Kubernetes
from tests.relight.standin import Activator, Controller

DEADLINE_S = 30.0


class Platform:
    """What a verb finds, and how a test types one."""

    def __init__(self, folder: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.server = server
        self.client = DirectClient(server)
        self.activator = Activator()
        self.standin: Controller
        self.controller: asyncio.Task[None]
        self.runners: list[web.AppRunner] = []
        self.told: dict[str, Any] = {}  # what components answer, by "component/path"
        self.asked: list[str] = []
        self._capsys = capsys

    async def type(self, *words: str) -> tuple[int, str, str]:
        """Run one command; its exit code and what it wrote to stdout and stderr."""
        verb, *rest = words
        args = build_parser().parse_args([verb, "--data-dir", str(self.folder), *rest])
        async with asyncio.timeout(DEADLINE_S):
            code = await execute(args)
        out, err = self._capsys.readouterr()
        return code, out, err

    def component(self, name: str) -> web.Application:
        """What stands behind the service proxy for a component."""

        async def answer(request: web.Request) -> web.Response:
            path = f"{name}/{request.match_info['path']}"
            self.asked.append(f"{path}?{request.query_string}")
            if path in self.told:
                return web.json_response(self.told[path])
            status = {"kind": "Status", "code": 404, "reason": "NotFound", "message": "unknown"}
            return web.json_response(status, status=404)

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        return app

    async def stop(self) -> None:
        """Stop serving, as a platform that ends does."""
        for runner in self.runners:
            await runner.cleanup()

    async def service(self, name: str = "iris") -> dict[str, Any]:
        """What the API server holds of a Service."""
        return await self.client.get(kinds.SERVICES, "default", name)

    async def shares(self, name: str = "iris") -> dict[str, int]:
        """Percent by revision, from the Service's spec."""
        traffic = (await self.service(name))["spec"]["traffic"]
        return {t.get("revisionName", "@latest"): t["percent"] for t in traffic if t["percent"]}


async def serve(app: web.Application, runners: list[web.AppRunner]) -> str:
    """Serve on a free port; the address."""
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    runners.append(runner)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


@pytest.fixture
async def platform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Platform]:
    """A running platform whose controller is a stand-in."""
    folder = tmp_path / "data"
    folder.mkdir()
    store = Store(folder / "relight.db")
    clock = asyncio.get_running_loop().time
    platform = Platform(folder, ApiServer(store, clock=clock, rng=random.Random(1)), capsys)
    services = {name: partial(platform.component, name) for name in ("activator", "autoscaler")}
    api = await serve(make_app(platform.server, services=services), platform.runners)
    activator = await serve(platform.activator.app(), platform.runners)
    addresses = {"api": api, "activator": activator, "domain": "localhost", "pid": os.getpid()}
    (folder / "relight.json").write_bytes(orjson.dumps(addresses))
    (folder / "kubeconfig").write_text(kubeconfig(api))
    platform.standin = Controller(platform.client, activator)
    # Not in a TaskGroup: pytest-asyncio runs the two halves of a fixture in different tasks.
    platform.controller = asyncio.get_running_loop().create_task(platform.standin.run())
    yield platform
    platform.controller.cancel()
    with suppress(asyncio.CancelledError):
        await platform.controller
    await platform.stop()
    store.close()


def kubeconfig(api: str) -> str:
    """The file `relight up` writes."""
    context = {"cluster": "relight", "user": "relight", "namespace": "default"}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "relight", "cluster": {"server": api}}],
            "users": [{"name": "relight", "user": {}}],
            "contexts": [{"name": "relight", "context": context}],
            "current-context": "relight",
        }
    )


class Cluster(Kubernetes):
    """A cluster's API server that verbs can be typed at."""

    def __init__(self, kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self.kubeconfig = kubeconfig
        self._capsys = capsys

    async def type(self, *words: str) -> tuple[int, str, str]:
        """Run one command; its exit code and what it wrote to stdout and stderr."""
        verb, *rest = words
        args = build_parser().parse_args([verb, "--kubeconfig", str(self.kubeconfig), *rest])
        async with asyncio.timeout(6 * DEADLINE_S):
            code = await execute(args)
        out, err = self._capsys.readouterr()
        return code, out, err


@pytest.fixture
async def cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Cluster]:
    """An empty cluster."""
    runners: list[web.AppRunner] = []
    cluster = Cluster(tmp_path / "kubeconfig", capsys)
    cluster.kubeconfig.write_text(kubeconfig(await serve(cluster.app(), runners)))
    yield cluster
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def connection(cluster: Cluster) -> AsyncIterator[Connection]:
    """An open way to it."""
    args = argparse.Namespace(kubeconfig=cluster.kubeconfig, context="")
    async with connect(config.locate_cluster(args)) as connection:
        yield connection


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that the stand-ins take for a model."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path
