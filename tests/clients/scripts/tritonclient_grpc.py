"""tritonclient over gRPC as its README uses it, streams among it; and its stubs by themselves."""

import queue
from typing import Any

import facts
import grpc
import ml_dtypes
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

NAME = "tritonclient-grpc-echo"
CODINGS = (None, "gzip", "deflate")


def tensors() -> dict[str, Any]:
    """One of every datatype and of every odd shape."""
    numbers = np.array([[0, 1, 1], [1, 0, 1]])
    whole = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
    names = ["bool", *whole, "float16", "float32", "float64"]
    return {
        **{name: numbers.astype(name) for name in names},
        "bfloat16": numbers.astype(ml_dtypes.bfloat16),
        "text": np.array([["a", "é"], ["", "z"]], object),
        "bytes": np.array([b"\xff\x00", b""], object),
        "odd": np.array([np.nan, np.inf, -np.inf, 0.1], np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.array(3.5),
        "large": np.zeros((300, 300), np.float32),
    }


def is_same(sent: Any, came: Any) -> bool:
    if sent.dtype == object:
        sent, came = (
            [one.encode() if isinstance(one, str) else one for one in array.ravel().tolist()]
            for array in (sent, came)
        )
        return bool(sent == came)
    alike = (sent.dtype, sent.shape) == (came.dtype, came.shape)
    return alike and np.array_equal(sent, came, equal_nan=sent.dtype.kind == "f")


def given(name: str, array: Any) -> Any:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor


def refusal(act: Any) -> str:
    try:
        act()
    except InferenceServerException as error:
        return f"{error.status()} {error.message()}"
    return ""


def streamed(server: Any, array: Any) -> list[str]:
    """The ids of a stream's answers, in the order in which they came; a fault is told as such."""
    came: queue.Queue[Any] = queue.Queue()
    server.start_stream(callback=lambda result, error: came.put((result, error)))
    for number in range(20):
        name = "nobody" if number == 7 else NAME
        server.async_stream_infer(name, [given("x", array + number)], request_id=str(number))
    ids = []
    for number in range(20):
        result, error = came.get(timeout=facts.DEADLINE_S)
        if error is not None:
            ids.append(error.message())
        elif is_same(array + number, result.as_numpy("x_out")):
            ids.append(result.get_response().id)
    server.stop_stream()
    return ids


def typed(address: str) -> list[float]:
    """Typed contents, with Triton's stubs alone: the answer is typed as well."""
    with grpc.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name=NAME)
        tensor = request.inputs.add(name="x", datatype="FP32", shape=[3])
        tensor.contents.fp32_contents.extend([1, 2, 3])
        response = stub.ModelInfer(request, timeout=facts.DEADLINE_S)
        return list(response.outputs[0].contents.fp32_contents)


def main() -> None:
    host = facts.serve_python(NAME, facts.SETTINGS["echo"])
    address = facts.SETTINGS["activator"].partition("//")[2]
    server = triton.InferenceServerClient(address)
    by_host = triton.InferenceServerClient(address, channel_args=[("grpc.default_authority", host)])
    everything = tensors()
    defaults = {
        name: is_same(array, server.infer(NAME, [given(name, array)]).as_numpy(f"{name}_out"))
        for name, array in everything.items()
    }
    large = everything["large"]
    wrong = [
        coding
        for coding in CODINGS
        if not is_same(
            large,
            by_host.infer(NAME, [given("large", large)], compression_algorithm=coding).as_numpy(
                "large_out"
            ),
        )
    ]
    came: queue.Queue[Any] = queue.Queue()
    server.async_infer(
        NAME, [given("large", large)], callback=lambda result, error: came.put((result, error))
    )
    later, _ = came.get(timeout=facts.DEADLINE_S)
    facts.tell(
        health=[server.is_server_live(), server.is_server_ready(), server.is_model_ready(NAME)],
        server=server.get_server_metadata().name,
        model=server.get_model_metadata(NAME).name,
        version=by_host.get_model_metadata(NAME, NAME + "-00001").versions[0],
        index=[each.name for each in server.get_model_repository_index().models],
        defaults=defaults,
        wrong=wrong,
        later=is_same(large, later.as_numpy("large_out")),
        chosen=[
            each.name
            for each in server.infer(
                NAME,
                [given("large", large), given("small", large[:1])],
                outputs=[triton.InferRequestedOutput("small_out")],
                client_timeout=facts.DEADLINE_S,
            )
            .get_response()
            .outputs
        ],
        streamed=streamed(server, np.arange(3, dtype=np.float32)),
        typed=typed(address),
        unknown=refusal(lambda: server.infer("nobody", [given("large", large)])),
        classes=refusal(
            lambda: server.infer(
                NAME,
                [given("large", large)],
                outputs=[triton.InferRequestedOutput("large_out", class_count=3)],
            )
        ),
        unload=refusal(lambda: server.unload_model(NAME)),
    )


main()
