"""tritonclient over HTTP as its README uses it: binary both ways by default, no content type."""

import itertools
from typing import Any

import facts
import ml_dtypes
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

NAME = "tritonclient-echo"
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


def given(name: str, array: Any, **how: Any) -> Any:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return tensor.set_data_from_numpy(array, **how)


def refusal(server: Any, *args: Any, **kwargs: Any) -> str:
    try:
        server.infer(*args, **kwargs)
    except InferenceServerException as error:
        return f"{error.status()} {error.message()}"
    return ""


def main() -> None:
    host = facts.serve_python(NAME, facts.SETTINGS["echo"])
    address = facts.SETTINGS["activator"].partition("//")[2]
    server = triton.InferenceServerClient(address)
    own = {"headers": {"Host": host}}
    everything = tensors()
    defaults, plain, wrong = {}, {}, []
    for name, array in everything.items():
        answer = server.infer(NAME, [given(name, array)])
        defaults[name] = is_same(array, answer.as_numpy(f"{name}_out"))
        if name not in {"bfloat16", "bytes"}:  # which JSON can not carry
            asked = triton.InferRequestedOutput(f"{name}_out", binary_data=False)
            tensor = given(name, array, binary_data=False)
            answer = server.infer(NAME, [tensor], outputs=[asked], request_id="7")
            plain[name] = is_same(array, answer.as_numpy(f"{name}_out"))
    large = everything["large"]
    for sent, asked_for in itertools.product(CODINGS, CODINGS):
        answer = server.infer(
            NAME,
            [given("large", large)],
            request_compression_algorithm=sent,
            response_compression_algorithm=asked_for,
        )
        if not is_same(large, answer.as_numpy("large_out")):
            wrong.append((sent, asked_for))
    later = server.async_infer(NAME, [given("large", large)]).get_result()
    facts.tell(
        health=[
            server.is_server_live(**own),
            server.is_server_ready(**own),
            server.is_model_ready(NAME, **own),
        ],
        extensions=server.get_server_metadata(**own)["extensions"],
        model=server.get_model_metadata(NAME, **own)["name"],
        defaults=defaults,
        plain=plain,
        wrong=wrong,
        later=is_same(large, later.as_numpy("large_out")),
        classes=refusal(
            server,
            NAME,
            [given("large", large)],
            outputs=[triton.InferRequestedOutput("large_out", class_count=3)],
        ),
        memory=refusal(
            server, NAME, [triton.InferInput("x", [1], "FP32").set_shared_memory("region", 4)]
        ),
    )


main()
