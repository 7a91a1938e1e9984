"""Many models behind one port, by gRPC."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest

from predictor.grpc_messages import ModelInferRequest
from tests.predictor.calling import HEALTH, INFERENCE, Caller
from tests.predictor.test_grpc_server import code_of
from tests.predictor.test_packed import Bench, Start, start

__all__ = ["start"]

CODE = grpc.StatusCode


@contextlib.asynccontextmanager
async def caller(bench: Bench) -> AsyncIterator[Caller]:
    client = Caller(f"unix:{bench.path}")
    yield client
    await client.close()
    bench.connections.close()


def infer(name: str, rows: int = 1, **more: Any) -> Any:
    tensor = {"name": "x", "datatype": "FP32", "shape": [rows, 2]}
    raw = np.arange(2 * rows, dtype=np.float32).tobytes()
    return ModelInferRequest(model_name=name, inputs=[tensor], raw_input_contents=[raw], **more)


async def test_a_model_is_opened_when_it_is_called(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        asked = infer("a", id="7")
        answer = await client.unary("ModelInfer", asked)
        assert (answer.model_name, answer.id) == ("a", "7")
        assert answer.raw_output_contents == asked.raw_input_contents
        large = infer("b", rows=50_000)  # its name comes long before the rest of it
        assert (await client.unary("ModelInfer", large)).raw_output_contents == (
            large.raw_input_contents
        )
        described = await client.unary("ModelMetadata", {"name": "c"})
        assert described.inputs[0].name == "x"
        assert set((await bench.states()).values()) == {"READY"}


async def test_a_stream_is_for_the_model_of_its_first_message(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        stream = client.stream()
        for number in range(3):
            await stream.write(infer("a", id=str(number)))
            assert (await stream.read()).infer_response.id == str(number)
        await stream.write(infer("b"))
        assert (await stream.read()).error_message == "Model with name b does not exist."
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF


async def test_a_stream_keeps_its_model_until_that_is_unloaded(start: Start) -> None:
    async with start("--models-max", "1") as bench, caller(bench) as client:
        stream = client.stream()
        await stream.write(infer("a"))
        assert (await stream.read()).infer_response.model_name == "a"
        waiting = asyncio.ensure_future(bench.infer("b"))
        await bench.until(lambda: bench.server._looking is not None)
        await stream.write(infer("a", id="2"))
        assert (await stream.read()).infer_response.id == "2"
        assert not waiting.done(), "there is room for one"
        unload = "/v2/repository/models/a/unload"
        assert (await bench.ask("POST", unload))[0] == 200
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is CODE.UNAVAILABLE
        assert caught.value.details() == "Model with name a is not ready."
        assert (await waiting)[0] == 200


async def test_a_stream_by_which_nothing_comes_keeps_nothing(start: Start) -> None:
    async with start("--models-max", "1", timeout_s=0.5) as bench, caller(bench) as client:
        stream = client.stream()
        async with asyncio.timeout(20):
            await stream.write(infer("a"))
            while not (await stream.read()).infer_response.model_name:
                await stream.write(infer("a"))
        await bench.answered("b")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.read()
        assert caught.value.code() is CODE.UNAVAILABLE


async def test_the_repository_over_grpc(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        assert (await client.unary("RepositoryModelLoad", {"model_name": "a"})).isLoaded
        index = (await client.unary("RepositoryIndex")).models
        assert (index[0].name, index[0].state) == ("a", "READY")
        ready = (await client.unary("RepositoryIndex", {"ready": True})).models
        assert [each.name for each in ready] == ["a"]
        assert (await client.unary("RepositoryModelUnload", {"repository_name": "a"})).isUnloaded
        code, _ = await code_of(client.unary("ModelInfer", infer("a")))
        assert code is CODE.UNAVAILABLE
        assert not (await client.unary("ModelReady", {"name": "a"})).ready
        assert (await client.unary("ModelReady", {"name": "b"})).ready
        parameters = {"config": {"string_param": "{}"}}
        asked = {"model_name": "a", "parameters": parameters}
        code, text = await code_of(client.unary("RepositoryModelLoad", asked))
        assert (code, "parameter 'config'" in text) == (CODE.UNIMPLEMENTED, True)


async def test_the_platforms_questions(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        assert (await client.unary("ServerLive")).live
        assert (await client.unary("ServerReady")).ready
        assert (await client.unary("Check", service=HEALTH)).status == 1
        metadata = await client.unary("ServerMetadata")
        extensions = ["binary_tensor_data", "model_repository"]
        assert (metadata.name, list(metadata.extensions)) == ("relight", extensions)
        bench.server.is_draining = True
        assert not (await client.unary("ServerReady")).ready
        assert (await client.unary("Check", service=HEALTH)).status == 2


@pytest.mark.parametrize(
    ("path", "data", "code", "said"),
    [
        (f"/{INFERENCE}/ModelInfer", b"\x0a\x01n", CODE.NOT_FOUND, "Model with name n"),
        (f"/{INFERENCE}/ModelInfer", b"", CODE.INVALID_ARGUMENT, "it names no model"),
        (f"/{INFERENCE}/ModelReady", b"\x0a\x7f", CODE.INVALID_ARGUMENT, "is not a ModelReady"),
        (f"/{INFERENCE}/ServerLive", b"0" * 70_000, CODE.RESOURCE_EXHAUSTED, "larger than 65536"),
        (f"/{INFERENCE}/Nothing", b"", CODE.UNIMPLEMENTED, "there is no method"),
        (f"/{HEALTH}/Watch", b"", CODE.UNIMPLEMENTED, "there is no method"),
        ("/a.B/ServerLive", b"", CODE.UNIMPLEMENTED, "there is no method"),
    ],
)
async def test_what_is_refused(
    start: Start, path: str, data: bytes, code: grpc.StatusCode, said: str
) -> None:
    async with start() as bench, caller(bench) as client:
        found, text = await code_of(client.channel.unary_unary(path)(data, timeout=20))
        assert found is code
        assert said in text


async def test_grpc_may_be_switched_off(start: Start) -> None:
    async with start("--enable-grpc", "false") as bench, caller(bench) as client:
        code, _ = await code_of(client.unary("ModelInfer", infer("a")))
        assert code is CODE.UNIMPLEMENTED
