"""Batches through the whole server: each gets its own answer, whatever the others do."""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from predictor import batches, config, loading, serving
from predictor.batches import refusal
from predictor.errors import LoadError
from predictor.joining import FIRST
from predictor.loaded import Loaded
from predictor.model import InvalidInputError, Signature, Tensor, TensorSpec
from predictor.protocol import InferRequest
from predictor.server import Server
from predictor.worker import Worker
from tests.predictor.talking import Reply, infer_body, read_reply, request

INFER = "/v2/models/m/infer"
PREDICT = "/v1/models/m:predict"
PATIENCE_S = 20


class Adder:
    """y = x + 1 once `go` is set; a row with 13 fails its run."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.sizes: list[int] = []
        self.bend: Callable[[Tensor], Tensor] = lambda y: y
        self.refuses = True

    def __call__(
        self, feeds: dict[str, Tensor], wanted: tuple[str, ...] | None
    ) -> Mapping[str, Tensor]:
        assert self.go.wait(PATIENCE_S)
        [x] = feeds.values()
        self.sizes.append(len(x))
        if self.refuses and (x == 13).any():
            raise InvalidInputError("thirteen")
        return {"y": self.bend(x + 1)}


class Bench:
    def __init__(self, server: Server, model: Adder, path: Path) -> None:
        self.server = server
        self.model = model
        self._path = path
        self.writers: list[asyncio.StreamWriter] = []

    async def send(self, data: bytes) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        self.writers.append(writer)
        writer.write(data)
        return reader

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.001)

    def waiting(self) -> int:
        found = self.server.lane._batches
        assert found is not None
        return found.statistics().queued

    async def hold(self) -> asyncio.StreamReader:
        """A run that stands still, so that what comes gathers."""
        self.model.go.clear()
        self.server.lane._worker.forget()  # whatever ran before: on the thread, not on the loop
        reader = await self.send(v2([[0.0, 0.0]]))
        await self.until(lambda: self.server.lane._batches.statistics().running == 1)  # type: ignore[union-attr] # it batches
        return reader

    async def gather(self, *requests: bytes) -> list[Reply]:
        """Their answers, having waited together."""
        held = await self.hold()
        readers = []
        for number, one in enumerate(requests):
            readers.append(await self.send(one))
            await self.until(lambda number=number: self.waiting() == number + 1)  # type: ignore[misc] # a lambda with a default
        self.model.go.set()
        assert (await read_reply(held)).status == 200
        return [await read_reply(reader) for reader in readers]


def v2(rows: list[list[float]], **headers: str) -> bytes:
    return request("POST", INFER, infer_body(rows), **headers)


def v1(rows: list[list[float]]) -> bytes:
    return request("POST", PREDICT, orjson.dumps({"instances": rows}))


Start = Callable[..., contextlib.AbstractAsyncContextManager[Bench]]


@pytest.fixture
def start(short_path: Path) -> Start:
    @contextlib.asynccontextmanager
    async def run(*arguments: str, signature: bool = True, **env: str) -> AsyncIterator[Bench]:
        flags = ["--model", "m.onnx", "--max-batch-size", "8", *arguments]
        settings = config.parse(flags, env)
        model = Adder()
        x = TensorSpec(name="x", datatype="FP32", shape=(-1, 2))
        y = TensorSpec(name="y", datatype="FP32", shape=(-1, 2))
        said = Signature(inputs=[x], outputs=[y]) if signature else None
        loaded = Loaded(
            run=model, signature=said, digest="d", provider="", platform="p", described=said
        )
        server = Server(settings, loaded, Worker(asyncio.get_running_loop()))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(short_path / "s"))
        connections = serving.Connections()
        accepting = await serving.listen(server, settings, listener, connections)
        bench = Bench(server, model, short_path / "s")
        yield bench
        model.go.set()
        for writer in bench.writers:
            writer.close()
        await bench.until(lambda: not connections.transports and not server.is_busy)
        accepting.close()
        await accepting.wait_closed()

    return run


async def test_each_gets_its_own_rows_from_one_run_in_both_protocols(start: Start) -> None:
    async with start() as bench:
        first, second, third = await bench.gather(
            v2([[1.0, 1.0]]), v1([[2.0, 2.0], [3.0, 3.0]]), v2([[4.0, 4.0]])
        )
        assert bench.model.sizes == [1, 4]
        assert first.json["outputs"][0]["data"] == [2, 2]
        assert second.json == {"predictions": [[3, 3], [4, 4]]}
        assert third.json["outputs"][0] == {
            "name": "y",
            "shape": [1, 2],
            "datatype": "FP32",
            "data": [5, 5],
        }
        timing = first.headers["server-timing"]
        pattern = r'wait;dur=\d+\.\d{3}, batch;desc="3 requests / 4 rows", run;dur=\d+\.\d{3}'
        assert re.fullmatch(pattern, timing)
        stats = await read_reply(await bench.send(request("GET", "/relight/stats")))
        assert stats.json["batching"] == {
            "queued": 0,
            "running": 0,
            "batches": 2,
            "requests": 4,
            "retried": 0,
        }


async def test_one_alone_is_answered_at_once_and_told_so(start: Start) -> None:
    async with start("--max-batch-delay-ms", "60000") as bench:
        bench.model.go.set()
        count = 3 * FIRST  # on the worker's thread, then on the loop, then past the batches
        for _ in range(count):
            reply = await read_reply(await bench.send(v2([[1.0, 1.0], [2.0, 2.0]])))
            assert reply.status == 200
            timing = reply.headers["server-timing"]
            pattern = r'wait;dur=\d+\.\d{3}, batch;desc="1 requests / 2 rows", run;dur=\d+\.\d{3}'
            assert re.fullmatch(pattern, timing)
        assert "wait;dur=0.000" in timing
        stats = await read_reply(await bench.send(request("GET", "/relight/stats")))
        assert stats.json["batching"]["batches"] == stats.json["batching"]["requests"] == count


async def test_a_batch_never_exceeds_its_size_unless_one_request_does(start: Start) -> None:
    async with start() as bench:
        large = [[row / 100, 0.0] for row in range(20)]
        replies = await bench.gather(*[v2(large[:3])] * 5, v2(large), v2(large[:1]))
        assert [reply.status for reply in replies] == [200] * 7
        assert bench.model.sizes == [1, 6, 6, 3, 20, 1]
        assert replies[5].json["outputs"][0]["shape"] == [20, 2]


async def test_a_bad_request_fails_alone(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    async with start() as bench:
        replies = await bench.gather(v2([[1.0, 1.0]]), v2([[13.0, 0.0]]), v1([[2.0, 2.0]]))
        assert [reply.status for reply in replies] == [200, 500, 200]
        assert replies[2].json == {"predictions": [[3, 3]]}
        assert bench.model.sizes == [1, 3, 1, 1, 1]
        assert "a batch of 3 requests failed: each runs again alone" in caplog.text


async def test_what_can_not_be_joined_runs_apart(start: Start) -> None:
    async with start(signature=False) as bench:
        whole = {"name": "x", "shape": [1, 2], "datatype": "INT64", "data": [1, 2]}
        scalar = {"name": "x", "shape": [], "datatype": "FP32", "data": 5}
        empty = {"name": "x", "shape": [0, 2], "datatype": "FP32", "data": []}
        bodies = [orjson.dumps({"inputs": [one]}) for one in (whole, scalar, empty)]
        held = await bench.hold()
        readers = [await bench.send(request("POST", INFER, body)) for body in bodies]
        readers.append(await bench.send(v2([[1.0, 1.0]])))
        await bench.until(lambda: bench.waiting() == 4)
        bench.model.bend = lambda y: np.atleast_1d(y)
        bench.model.__class__ = Forgiving
        bench.model.go.set()
        replies = [await read_reply(reader) for reader in [held, *readers]]
        assert [reply.status for reply in replies] == [200] * 5
        assert replies[1].json["outputs"][0]["datatype"] == "INT64"
        assert replies[3].json["outputs"][0]["shape"] == [0, 2]


class Forgiving(Adder):
    def __call__(
        self, feeds: dict[str, Tensor], wanted: tuple[str, ...] | None
    ) -> Mapping[str, Tensor]:
        assert self.go.wait(PATIENCE_S)
        return {"y": feeds["x"] + 1}


def test_text_and_bytes_are_not_joined() -> None:
    def key(value: str | bytes) -> object:
        feeds = {"x": np.array([value], object)}
        return batches._shape(InferRequest(None, feeds, None))[0]

    assert key("a") == key("b") != key(b"\xff")


async def test_outputs_without_the_rows_end_batching_and_lose_no_answer(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as bench:
        bench.model.bend = lambda y: y.sum(axis=0, keepdims=True)
        replies = await bench.gather(v2([[1.0, 1.0]]), v2([[2.0, 2.0]]))
        assert [reply.json["outputs"][0]["data"] for reply in replies] == [[2, 2], [3, 3]]
        assert "output 'y' has shape [1, 2] for 2 rows" in caplog.text
        await bench.gather(v2([[1.0, 1.0]]), v2([[2.0, 2.0]]))
        assert bench.model.sizes == [1, 2, 1, 1, 1, 1, 1]


async def test_a_request_that_makes_other_rows_ends_no_batching_of_others(start: Start) -> None:
    async with start() as bench:
        bench.model.bend = lambda y: y[(y != 14).all(axis=1)]  # without the rows that have 13
        bench.model.refuses = False
        replies = await bench.gather(v2([[1.0, 1.0]]), v2([[13.0, 2.0]]), v2([[3.0, 3.0]]))
        data = [reply.json["outputs"][0]["data"] for reply in replies]
        assert data == [[2, 2], [], [4, 4]]
        await bench.gather(v2([[1.0, 1.0]]), v2([[2.0, 2.0]]))
        assert bench.model.sizes == [1, 3, 1, 1, 1, 1, 2]


async def test_who_leaves_is_not_run(start: Start) -> None:
    async with start() as bench:
        held = await bench.hold()
        await bench.send(v2([[13.0, 0.0]]))
        await bench.until(lambda: bench.waiting() == 1)
        bench.writers[-1].close()
        await bench.until(lambda: bench.waiting() == 0)
        bench.model.go.set()
        assert (await read_reply(held)).status == 200
        await bench.until(lambda: not bench.server.is_busy)
        assert bench.model.sizes == [1]


async def test_a_deadline_ends_a_wait_and_frees_its_place(start: Start) -> None:
    async with start(RELIGHT_TIMEOUT_S="1") as bench:
        held = await bench.hold()
        waiting = await bench.send(v2([[1.0, 1.0]]))
        for reader in (held, waiting):
            assert (await read_reply(reader)).status == 504
        assert bench.waiting() == 0
        assert bench.server.lane._gate.running == 1, "the abandoned run keeps its slot"
        bench.model.go.set()
        await bench.until(lambda: not bench.server.is_busy)
        assert bench.model.sizes == [1]


async def test_a_limit_of_one_is_warned_of(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    async with start(RELIGHT_CONTAINER_CONCURRENCY="1"):
        assert "with containerConcurrency 1 there is never a second to batch" in caplog.text


def spec(shape: tuple[int, ...], name: str = "x") -> TensorSpec:
    return TensorSpec(name=name, datatype="FP32", shape=shape)


@pytest.mark.parametrize(
    ("given", "taken", "words"),
    [
        ((-1, 3), (-1,), ""),
        ((1, 3), (-1,), "input 'x' has shape [1, 3]: its axis 0 is not a batch"),
        ((-1, 3), (1, 3), "output 'y' has shape [1, 3]: its axis 0 is not a batch"),
        ((-1, 3), (), "output 'y' has shape []: its axis 0 is not a batch"),
    ],
)
def test_models_without_a_batch_axis_are_refused_by_name(
    given: tuple[int, ...], taken: tuple[int, ...], words: str
) -> None:
    signature = Signature(inputs=[spec(given)], outputs=[spec(taken, "y")])
    facts: dict[str, Any] = {"run": Adder(), "digest": "d", "provider": "", "platform": "p"}
    loaded = Loaded(signature=signature, described=signature, **facts)
    assert refusal(loaded) == words
    assert "declares no signature" in refusal(Loaded(signature=None, described=None, **facts))
    assert refusal(Loaded(signature=None, described=None, is_rowwise=True, **facts)) == ""


def test_the_refusal_is_of_the_flag_and_comes_at_load(identity_model: Callable[..., Path]) -> None:
    path = identity_model("FP32", [1, 2])
    settings = config.parse(["--model", str(path), "--max-batch-size", "4"], {})
    with pytest.raises(LoadError, match=r"^--max-batch-size: .* can not be batched: input 'x'"):
        loading.load(settings)
    settings = config.parse(["--model", str(identity_model()), "--max-batch-size", "4"], {})
    assert loading.load(settings).signature is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-batch-delay-ms", "5"], "give --max-batch-size as well"),
        (["--max-batch-size", "0"], "--max-batch-size: expected 1 to 65536, got 0"),
        (["--max-batch-size", "4", "--max-batch-delay-ms", "nan"], "got nan"),
        (["--max-batch-size", "4", "--max-batch-delay-ms", "60001"], "expected 0 to 60000"),
    ],
)
def test_bad_flags_are_named(arguments: list[str], words: str) -> None:
    with pytest.raises(config.SettingsError, match=words):
        config.parse(["--model", "m.onnx", *arguments], {})


def test_the_delay_has_a_default_and_a_unit() -> None:
    both = ["--max-batch-size", "4", "--max-batch-delay-ms", "20"]
    settings = config.parse(["--model", "m.onnx", *both], {})
    assert (settings.batch_size_max, settings.batch_delay_s) == (4, 0.02)
    settings = config.parse(["--model", "m.onnx", "--max-batch-size", "4"], {})
    assert settings.batch_delay_s == 0.005
    assert config.parse(["--model", "m.onnx"], {}).batch_size_max == 0
