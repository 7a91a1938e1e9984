"""A server over a real socket, with a model that writes and embeds as the test says."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from predictor import config, serving
from predictor.loaded import Loaded
from predictor.model import Generation, Piece, Tensor
from predictor.server import Server
from predictor.worker import Worker

HOST = "http://bench"


class Writer:
    """Repeats the words of a prompt, one a piece; from `held_from` on, once `go` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.written = 0
        self.closed = 0
        self.failing: Exception | None = None
        self.fails_after = 0
        self.repeat = 1
        self.held_from = 0

    def generate(self, prompt: str, how: Generation) -> Iterator[Piece]:
        words = (prompt.split() * self.repeat)[: how.max_tokens]
        try:
            for at, word in enumerate(words):
                assert at < self.held_from or self.go.wait(20)
                if self.failing is not None and at >= self.fails_after:
                    raise self.failing
                self.written += 1
                reason = "length" if at + 1 == len(words) else ""
                yield Piece(text=f" {word}", token=at, logprob=-1.0, finish_reason=reason)
        finally:
            self.closed += 1

    def chat_prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        return " ".join(f"{one['role']}: {one['content']}" for one in messages)

    def embed(self, texts: Sequence[str]) -> Tensor:
        if self.failing is not None:
            raise self.failing
        return np.array([[len(text), 1.0] for text in texts], np.float32)


class Bench:
    """One served model and a client of it."""

    def __init__(self, server: Server, model: Writer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.model = model
        self.session = session

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        async with self.session.post(HOST + path, json=body, headers=headers) as reply:
            return reply.status, await reply.json(content_type=None)

    async def events(self, path: str, body: Any) -> list[str]:
        async with self.session.post(HOST + path, json=body) as reply:
            assert reply.status == 200
            assert reply.content_type == "text/event-stream"
            text = (await reply.read()).decode()
        return [one.removeprefix("data: ") for one in text.split("\n\n") if one]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def start(
    folder: Path, *, timeout_s: float = 20, concurrency: int = 0, **can: Any
) -> AsyncIterator[Bench]:
    """`can`: fields of Loaded in place of those of a model that can everything."""
    settings = config.parse(["--model", "m.onnx"], {"K_REVISION": "m-1"})
    settings = replace(settings, timeout_s=timeout_s, container_concurrency=concurrency)
    model = Writer()
    abilities = {
        "generate": model.generate,
        "chat_prompt": model.chat_prompt,
        "embed": model.embed,
        "count_tokens": lambda text: len(text.split()),
    }
    loaded = Loaded(
        run=lambda feeds, wanted: feeds,
        signature=None,
        described=None,
        platform="python",
        digest="d",
        **{**abilities, **can},  # type: ignore[arg-type] # of several types
    )
    server = Server(settings, loaded, Worker(asyncio.get_running_loop()))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s"))
    connections = serving.Connections()
    accepting = await serving.listen(server, settings, listener, connections)
    connector = aiohttp.UnixConnector(str(folder / "s"))
    async with aiohttp.ClientSession(connector=connector) as session:
        bench = Bench(server, model, session)
        yield bench
        model.go.set()
    await bench.until(lambda: not connections.transports and not server.is_busy)
    accepting.close()
    await accepting.wait_closed()
