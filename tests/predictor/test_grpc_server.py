"""gRPC over a real socket, with Google's client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest

from predictor.errors import Fault, RequestError
from predictor.grpc_messages import ModelInferRequest, message
from tests.predictor.calling import HEALTH, INFERENCE, Caller
from tests.predictor.talking import request as rest_request
from tests.predictor.test_server import BODY, DIGEST, INFER, Bench, Start, start

__all__ = ["start"]

TYPED = {"name": "x", "datatype": "FP32", "shape": [1, 2], "contents": {"fp32_contents": [1, 2]}}
RAW = {"name": "x", "datatype": "FP32", "shape": [1, 2]}
DATA = np.array([[1, 2]], np.float32).tobytes()


def infer(**more: Any) -> Any:
    return ModelInferRequest(
        **{"model_name": "m", "inputs": [RAW], "raw_input_contents": [DATA], **more}
    )


@contextlib.asynccontextmanager
async def caller(bench: Bench) -> AsyncIterator[Caller]:
    client = Caller(f"unix:{bench.path}")
    yield client
    await client.close()
    bench.connections.close()  # Google's client keeps one as long as anything knows a call


async def code_of(call: Any) -> tuple[grpc.StatusCode, str]:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    pytest.fail("it did not fail")


async def test_infer_raw_and_typed(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        response = await client.unary("ModelInfer", infer(id="7"))
        assert (response.model_name, response.model_version, response.id) == ("m", "m-00001", "7")
        assert np.frombuffer(response.raw_output_contents[0], np.float32).tolist() == [2, 4]
        assert client.initial["relight-model-digest"] == DIGEST
        assert "run;dur=" in client.initial["server-timing"]
        typed = infer(inputs=[TYPED], raw_input_contents=[])
        response = await client.unary("ModelInfer", typed)
        assert list(response.outputs[0].contents.fp32_contents) == [2, 4]


async def test_each_call_ends_as_its_fault_says(start: Start) -> None:
    code = grpc.StatusCode
    async with start("--max-body-bytes", "1000") as bench, caller(bench) as client:
        for asked, expected, text in (
            (infer(model_name="n"), code.NOT_FOUND, "Model with name n does not exist."),
            (infer(model_version="2"), code.NOT_FOUND, "Model m has no version '2' here"),
            (infer(raw_input_contents=[]), code.INVALID_ARGUMENT, "needs 2 values, got 0"),
            (infer(id="0" * 1001), code.RESOURCE_EXHAUSTED, "larger than 1000 bytes"),
        ):
            found, said = await code_of(client.unary("ModelInfer", asked))
            assert found is expected
            assert text in said
            assert client.trailing["relight-model-digest"] == DIGEST
        bench.model.failing = RequestError(Fault.MODEL_RAISED, kind="ValueError")
        found, said = await code_of(client.unary("ModelInfer", infer()))
        assert found is code.INTERNAL
        assert "the model failed on this request (ValueError)" in said
        for service, method in ((INFERENCE, "RepositoryModelUnload"), ("a.B", "C")):
            call = client.channel.unary_unary(f"/{service}/{method}")
            found, said = await code_of(call(b"\x12\x01m", timeout=20))
            assert found is code.UNIMPLEMENTED


async def test_calls_and_rest_ride_in_one_batch(start: Start) -> None:
    arguments = ("--max-batch-size", "8", "--max-batch-delay-ms", "1000")
    async with start(*arguments) as bench, caller(bench) as client:
        bench.model.go.clear()
        statistics = bench.server.lane.statistics
        async with asyncio.TaskGroup() as group:
            first = group.create_task(client.unary("ModelInfer", infer()))
            await bench.until(lambda: statistics()["running"] == 1)
            second = group.create_task(client.unary("ModelInfer", infer(id="2")))
            rest = group.create_task(bench.ask(rest_request("POST", INFER, BODY)))
            await bench.until(lambda: statistics()["running"] == 3)
            bench.model.go.set()
        assert (await second).id == "2"
        assert (await first).raw_output_contents == (await second).raw_output_contents
        assert (await rest).json["outputs"][0]["data"] == [2.0, 4.0]
        assert bench.model.runs == 2


async def test_compressed_calls(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        for coding in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            response = await client.unary("ModelInfer", infer(), compression=coding)
            assert response.raw_output_contents


async def test_a_call_ends_at_its_own_deadline(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        bench.model.go.clear()
        # The client's own clock would end it too: told by hand, only the server's does.
        call = client.channel.unary_unary(f"/{INFERENCE}/ModelInfer")
        message = infer().SerializeToString()
        found, said = await code_of(call(message, metadata=(("grpc-timeout", "50m"),)))
        assert found is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "no answer within the revision's timeout of 0.0" in said
        bench.model.go.set()


async def test_a_caller_that_leaves_frees_its_place(start: Start) -> None:
    async with start(concurrency=1) as bench, caller(bench) as client:
        bench.model.go.clear()
        statistics = bench.server.lane.statistics
        call = client.channel.unary_unary(f"/{INFERENCE}/ModelInfer")
        first = call(infer().SerializeToString(), timeout=20)
        await bench.until(lambda: statistics()["running"] == 1)
        second = call(infer().SerializeToString(), timeout=20)
        await bench.until(lambda: statistics()["queued"] == 1)
        second.cancel()
        await bench.until(lambda: statistics()["queued"] == 0)
        bench.model.go.set()
        assert await first


async def test_what_runs_nothing(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        assert (await client.unary("ServerLive")).live
        assert (await client.unary("ServerReady")).ready
        assert (await client.unary("ModelReady", {"name": "m", "version": "m-00001"})).ready
        metadata = await client.unary("ModelMetadata", {"name": "m"})
        assert (metadata.platform, list(metadata.versions)) == ("onnx_onnxv1", ["m-00001"])
        assert list(metadata.inputs[0].shape) == [-1, 2]
        assert (await client.unary("ServerMetadata")).name == "relight"
        assert (await client.unary("RepositoryIndex")).models[0].state == "READY"
        assert (await client.unary("RepositoryModelLoad", {"model_name": "m"})).isLoaded
        assert (await client.unary("Check", service=HEALTH)).status == 1
        found, _ = await code_of(client.unary("Check", {"service": "x"}, service=HEALTH))
        assert found is grpc.StatusCode.NOT_FOUND
        bench.server.is_draining = True
        assert not (await client.unary("ServerReady")).ready
        assert not (await client.unary("ModelReady", {"name": "m"})).ready
        assert (await client.unary("Check", service=HEALTH)).status == 2


async def test_a_stream_answers_in_order_and_goes_on_after_a_fault(
    start: Start,
) -> None:
    asked = [infer(id=str(number)) for number in range(40)]
    asked[7].model_name = "n"
    async with start() as bench, caller(bench) as client:
        found = [response async for response in client.stream(asked)]
        assert [each.infer_response.id for each in found] == [
            "" if number == 7 else str(number) for number in range(40)
        ]
        assert found[7].error_message == "Model with name n does not exist."
        assert not found[8].error_message
        assert found[8].infer_response.raw_output_contents
        assert bench.model.runs == 39


async def test_a_stream_goes_both_ways_at_once(start: Start) -> None:
    async with start(concurrency=1) as bench, caller(bench) as client:
        stream = client.stream()
        for number in range(3):
            await stream.write(infer(id=str(number)))
            assert (await stream.read()).infer_response.id == str(number)
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK


async def test_a_stream_that_is_no_stream(start: Start) -> None:
    async with start("--max-body-bytes", "1000") as bench, caller(bench) as client:
        stream = client.stream([infer(id="0" * 1001)])
        found, said = await code_of(stream.read())
        assert found is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than 1000 bytes" in said


async def test_a_stream_ends_at_its_own_deadline(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        stream = client.stream(metadata=(("grpc-timeout", "50m"),), timeout=None)
        bench.model.go.clear()
        await stream.write(infer())
        found, _ = await code_of(stream.read())
        assert found is grpc.StatusCode.DEADLINE_EXCEEDED
        bench.model.go.set()


async def test_a_stream_whose_client_leaves_waits_for_nothing(
    start: Start,
) -> None:
    async with start() as bench, caller(bench) as client:
        bench.model.go.clear()
        stream = client.stream()
        for _ in range(3):
            await stream.write(infer())
        await bench.until(lambda: bench.server.lane.statistics()["in_flight"] == 3)
        stream.cancel()
        await bench.until(lambda: bench.server.lane.statistics()["in_flight"] == 0)
        bench.model.go.set()


async def test_watch_tells_of_the_end(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        response = message("grpc.health.v1.HealthCheckResponse")
        call = client.channel.unary_stream(
            f"/{HEALTH}/Watch", response_deserializer=response.FromString
        )
        watch, other = call(b"", timeout=20), call(b"\x0a\x01x", timeout=20)
        assert (await watch.read()).status == 1
        assert (await other.read()).status == 3
        bench.server.is_draining = True
        assert (await watch.read()).status == 2
        watch.cancel()
        other.cancel()


async def test_reflection(start: Start) -> None:
    async with start() as bench, caller(bench) as client:
        for package in ("grpc.reflection.v1", "grpc.reflection.v1alpha"):
            asking = message(f"{package}.ServerReflectionRequest")
            call = client.channel.stream_stream(
                f"/{package}.ServerReflection/ServerReflectionInfo",
                request_serializer=asking.SerializeToString,
                response_deserializer=message(f"{package}.ServerReflectionResponse").FromString,
            )
            asked = [asking(list_services="*"), asking(file_containing_symbol=INFERENCE)]
            services, file = [each async for each in call(asked, timeout=20)]
            names = [each.name for each in services.list_services_response.service]
            assert INFERENCE in names
            assert HEALTH in names
            assert len(file.file_descriptor_response.file_descriptor_proto) == 1


async def test_a_path_of_grpc_in_http(start: Start) -> None:
    async with start() as bench:
        reply = await bench.ask(rest_request("POST", f"/{INFERENCE}/ModelInfer", b"{}"))
        assert reply.status == 415
        assert "is a gRPC method: call it over HTTP/2" in reply.json["error"]
