"""Models to explain: asked directly, or served over a real socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from predictor import config, explained, explaining, serving
from predictor.errors import RequestError
from predictor.explain_requests import Asked
from predictor.explanation import Explanation
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec
from predictor.server import Server
from predictor.worker import Worker

HOST = "http://bench"
MATRIX = Signature(
    inputs=[TensorSpec(name="x", datatype="FP64", shape=(-1, 3))],
    outputs=[TensorSpec(name="y", datatype="FP64", shape=(-1,))],
)


def model(function: Callable[..., Any], **fields: Any) -> Loaded:
    """A model of one function, of tensors by their names; a plain array is output `y`."""

    def run(feeds: dict[str, Tensor], wanted: Any) -> Mapping[str, Tensor]:
        del wanted
        found = function(**feeds)
        return found if isinstance(found, dict) else {"y": found}

    defaults: dict[str, Any] = {"signature": None, "described": None, "is_rowwise": True}
    return Loaded(run=run, platform="python", digest="d", **{**defaults, **fields})


def linear(x: Tensor) -> Tensor:
    return x @ np.array([1.0, -2.0, 0.5]) + 3


def explain(loaded: Loaded, asked: Asked | None = None, **feeds: Any) -> list[Explanation]:
    """All steps, one after another, as a lane would take them."""
    known = explained.of_model(loaded)
    arrays = {name: np.asarray(array) for name, array in feeds.items()}
    steps = explaining.steps(known, arrays, None, asked or Asked())
    try:
        part = next(steps)
        while True:
            try:
                outputs = (part.run or loaded.run)(part.feeds, part.outputs)
            except RequestError as error:
                part = steps.throw(error)
            else:
                part = steps.send(outputs)
    except StopIteration as over:
        found: list[Explanation] = over.value
        return found


class Bench:
    """One served model and a client of it."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        data = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.session.post(HOST + path, headers=headers, **data) as reply:
            return reply.status, await reply.json(content_type=None)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def start(
    folder: Path,
    loaded: Loaded,
    *,
    timeout_s: float = 20,
    concurrency: int = 0,
    batch_size_max: int = 0,
) -> AsyncIterator[Bench]:
    settings = config.parse(["--model", "m.onnx"], {"K_REVISION": "m-1"})
    settings = replace(
        settings,
        timeout_s=timeout_s,  # type: ignore[arg-type] # less than a second, to be quick
        container_concurrency=concurrency,
        batch_size_max=batch_size_max,
    )
    server = Server(settings, loaded, Worker(asyncio.get_running_loop()))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s"))
    connections = serving.Connections()
    accepting = await serving.listen(server, settings, listener, connections)
    connector = aiohttp.UnixConnector(str(folder / "s"))
    async with aiohttp.ClientSession(connector=connector) as session:
        bench = Bench(server, session)
        yield bench
    await bench.until(lambda: not connections.transports and not server.is_busy)
    accepting.close()
    await accepting.wait_closed()
