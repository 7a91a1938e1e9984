"""gRPC through `relight up`: predictors from zero, and a user's own server."""

import queue
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest

from examples.running import Platform, send
from predictor.grpc_messages import message
from tests.e2e.conftest import at_zero, create, service

pytestmark = pytest.mark.e2e

INFERENCE = "inference.GRPCInferenceService"
GREETER = Path(__file__).parent / "greeter.py"
PATIENCE_S = 60.0
RAW = struct.pack("<f", 100.0)


@pytest.fixture
def channel(platform: Platform) -> Iterator[grpc.Channel]:
    """To the platform itself: models are found by their names."""
    with grpc.insecure_channel(urlsplit(platform.activator).netloc) as channel:
        yield channel


def of(platform: Platform, host: str) -> grpc.Channel:
    """To a Service, by its host."""
    options = [("grpc.default_authority", host), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(urlsplit(platform.activator).netloc, options=options)


def ask(channel: grpc.Channel, method: str, **fields: Any) -> tuple[Any, dict[str, str]]:
    request, response = (message(f"inference.{method}{kind}") for kind in ("Request", "Response"))
    call = channel.unary_unary(
        f"/{INFERENCE}/{method}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    answer, done = call.with_call(request(**fields), timeout=PATIENCE_S)
    return answer, dict(done.initial_metadata())


def infer(name: str) -> dict[str, Any]:
    tensor = {"name": "celsius", "datatype": "FP32", "shape": [1, 1]}
    return {"model_name": name, "inputs": [tensor], "raw_input_contents": [RAW]}


def test_a_model_is_woken_by_a_call_and_found_by_its_name_or_its_host(
    platform: Platform, channel: grpc.Channel
) -> None:
    host = create(platform, service("called"))
    at_zero(platform, "called")
    answer, metadata = ask(channel, "ModelInfer", **infer("called"))
    assert answer.raw_output_contents == [struct.pack("<f", 212.0)]
    assert metadata["relight-revision"] == "called-00001"
    assert "queue;dur=" in metadata["server-timing"]  # the last of two: the activator's
    with of(platform, host) as by_host:
        answer, again = ask(by_host, "ModelInfer", **infer("called"))
        assert again["relight-model-digest"] == metadata["relight-model-digest"]
        described, _ = ask(by_host, "ModelMetadata", name="called")
        assert described.inputs[0].name == "celsius"
        assert ask(by_host, "ModelReady", name="called")[0].ready
    assert ask(channel, "ServerReady")[0].ready
    index, _ = ask(channel, "RepositoryIndex")
    assert "called" in [each.name for each in index.models]
    with pytest.raises(grpc.RpcError) as caught:
        ask(channel, "ModelInfer", **infer("nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_users_own_server_is_woken_and_talks_both_ways(platform: Platform) -> None:
    made = service("greeter")
    made["spec"]["template"]["spec"]["containers"] = [
        {
            "name": "main",
            "image": "x/y",
            "command": [sys.executable, str(GREETER)],
            "ports": [{"name": "h2c", "containerPort": 8080}],
        }
    ]
    host = create(platform, made)
    with of(platform, host) as channel:
        hello = channel.unary_unary("/greet.Greeter/SayHello")
        assert hello(b"Ada", timeout=PATIENCE_S) == b"Hello Ada"
        names: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        call = channel.stream_stream("/greet.Greeter/Chat")(
            iter(names.get, None), timeout=PATIENCE_S
        )
        for name in (b"Bo", b"Cy"):
            names.put(name)
            assert next(call) == b"Hello " + name
        names.put(None)
        assert list(call) == []
        assert call.code() is grpc.StatusCode.OK
        assert dict(call.trailing_metadata())["x-count"] == "done"
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/greet.Greeter/None")(b"", timeout=PATIENCE_S)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    # Who asks in HTTP/1.1 is passed on in HTTP/2, and Google's server resets what is no call.
    assert send(platform.activator, host, "/").status == 502


def test_a_call_that_failed_is_told_so_afterwards(platform: Platform) -> None:
    host = create(platform, service("miscalled"))
    with of(platform, host) as channel, pytest.raises(grpc.RpcError) as caught:
        ask(channel, "ModelInfer", model_name="miscalled")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    metadata = dict(caught.value.initial_metadata()) | dict(caught.value.trailing_metadata())
    told = platform.relight("why", metadata["x-request-id"]).stdout
    assert ": 200 INVALID_ARGUMENT by miscalled-00001-" in told
