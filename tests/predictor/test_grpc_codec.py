"""gRPC's tensors: what is understood raw and typed, what is refused and in which words."""

import gzip
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import grpc_codec
from predictor.errors import Fault, RequestError
from predictor.grpc_codec import GrpcCodec
from predictor.grpc_messages import ModelInferRequest, ModelInferResponse
from predictor.model import Signature, TensorSpec
from predictor.protocol import InferRequest
from wire import grpc

SIGNATURE = Signature(
    inputs=[
        TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),
        TensorSpec(name="k", datatype="INT64", shape=()),
    ],
    outputs=[
        TensorSpec(name="y", datatype="FP32", shape=(-1, 2)),
        TensorSpec(name="z", datatype="BYTES", shape=(-1,)),
    ],
)
CODEC = GrpcCodec(SIGNATURE, name="m", version="m-00001", bytes_max=10_000)
FREE = GrpcCodec(None, name="m", version="", bytes_max=10_000)
X = np.array([[1, 2], [3, 4]], np.float32)
FLOATS = {"fp32_contents": [1, 2, 3, 4]}
TYPED = [
    {"name": "x", "datatype": "FP32", "shape": [2, 2], "contents": FLOATS},
    {"name": "k", "datatype": "INT64", "contents": {"int64_contents": [7]}},
]
NAMED = [{name: value for name, value in each.items() if name != "contents"} for each in TYPED]
RAWS = [X.tobytes(), struct.pack("<q", 7)]


def call(codec: GrpcCodec = CODEC, **fields: Any) -> Any:
    return codec.read(ModelInferRequest(**fields).SerializeToString())


def answer(codec: GrpcCodec, request: Any, outputs: Mapping[str, Any]) -> Any:
    head, body = codec.encode(request, outputs)
    assert head == b"content-type: application/grpc\r\n"
    return ModelInferResponse.FromString(bytes(grpc.unframed(body, b"", 10_000)))


@pytest.mark.parametrize(
    "fields", [{"inputs": TYPED}, {"inputs": NAMED, "raw_input_contents": RAWS}]
)
def test_raw_and_typed_are_the_same_tensors(fields: Any) -> None:
    request = call(model_name="m", model_version="m-00001", id="7", **fields)
    assert request.id == "7"
    assert request.outputs is None
    assert request.feeds["x"].dtype == np.float32
    assert np.array_equal(request.feeds["x"], X)
    assert request.feeds["k"].shape == ()
    assert int(request.feeds["k"]) == 7


@pytest.mark.parametrize(
    ("datatype", "contents", "expected"),
    [
        ("BOOL", {"bool_contents": [True, False]}, [True, False]),
        ("INT8", {"int_contents": [-128, 127]}, [-128, 127]),
        ("INT16", {"int_contents": [-1, 1]}, [-1, 1]),
        ("INT32", {"int_contents": [-1, 2**31 - 1]}, [-1, 2**31 - 1]),
        ("INT64", {"int64_contents": [-1, 2**63 - 1]}, [-1, 2**63 - 1]),
        ("UINT8", {"uint_contents": [0, 255]}, [0, 255]),
        ("UINT16", {"uint_contents": [0, 1]}, [0, 1]),
        ("UINT32", {"uint_contents": [0, 2**32 - 1]}, [0, 2**32 - 1]),
        ("UINT64", {"uint64_contents": [0, 2**64 - 1]}, [0, 2**64 - 1]),
        ("FP32", {"fp32_contents": [0.5, float("inf")]}, [0.5, float("inf")]),
        ("FP64", {"fp64_contents": [0.1, -1e300]}, [0.1, -1e300]),
        ("BYTES", {"bytes_contents": ["ü".encode(), b""]}, ["ü", ""]),
        ("BYTES", {"bytes_contents": [b"\xff", b""]}, [b"\xff", b""]),
    ],
)
def test_typed_contents_both_ways(datatype: str, contents: Any, expected: list[Any]) -> None:
    tensor = {"name": "x", "datatype": datatype, "shape": [2], "contents": contents}
    request = call(FREE, model_name="m", inputs=[tensor])
    array = request.feeds["x"]
    assert array.tolist() == expected
    response = answer(FREE, request, {"y": array})
    assert response.outputs[0].datatype == datatype
    assert response.outputs[0].shape == [2]
    assert response.outputs[0].contents == ModelInferRequest(inputs=[tensor]).inputs[0].contents
    assert not response.raw_output_contents


def test_a_raw_request_has_a_raw_answer() -> None:
    request = call(model_name="m", id="7", inputs=NAMED, raw_input_contents=RAWS)
    outputs = {"y": X, "z": np.array(["a", "bc"], object)}
    response = answer(CODEC, request, outputs)
    assert (response.model_name, response.model_version, response.id) == ("m", "m-00001", "7")
    assert [(each.name, each.datatype) for each in response.outputs] == [
        ("y", "FP32"),
        ("z", "BYTES"),
    ]
    assert response.raw_output_contents == [X.tobytes(), b"\1\0\0\0a\2\0\0\0bc"]
    assert not response.outputs[0].HasField("contents")


def test_what_has_no_typed_form_makes_the_answer_raw() -> None:
    request = call(model_name="m", inputs=TYPED)
    response = answer(CODEC, request, {"y": X, "h": X.astype(np.float16)})
    assert response.raw_output_contents == [X.tobytes(), X.astype(np.float16).tobytes()]


def test_a_request_without_inputs_has_a_raw_answer() -> None:
    response = answer(FREE, call(FREE), {"y": X})
    assert response.raw_output_contents == [X.tobytes()]


@pytest.mark.parametrize(
    ("content_type", "sent", "seen"),
    [
        ("base64", b"aGVsbG8=", "hello"),
        ("base64", b"/w==", b"\xff"),
        ("raw", b"hello", b"hello"),
        ("str", b"hello", "hello"),
        ("np", b"hello", "hello"),
    ],
)
@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("is_of_request", [False, True])
def test_a_content_type_says_how_bytes_are_read(
    content_type: str, sent: bytes, seen: Any, *, is_raw: bool, is_of_request: bool
) -> None:
    said = {"content_type": {"string_param": content_type}}
    one: dict[str, Any] = {"name": "x", "datatype": "BYTES", "shape": [1]}
    request: dict[str, Any] = {"parameters": said} if is_of_request else {}
    if is_raw:
        request["raw_input_contents"] = [len(sent).to_bytes(4, "little") + sent]
    else:
        one["contents"] = {"bytes_contents": [sent]}
    if not is_of_request:
        one["parameters"] = said
    assert call(FREE, inputs=[one], **request).feeds["x"].tolist() == [seen]


@pytest.mark.parametrize(("content_type", "sent"), [("base64", b"%"), ("str", b"\xff")])
def test_bytes_that_are_not_what_their_content_type_says(content_type: str, sent: bytes) -> None:
    one = {"name": "x", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": [sent]}}
    with pytest.raises(RequestError, match="input 'x'"):
        call(FREE, inputs=[one], parameters={"content_type": {"string_param": content_type}})


def test_outputs_may_be_chosen() -> None:
    request = call(inputs=TYPED, outputs=[{"name": "z"}])
    assert request.outputs == ("z",)
    response = answer(CODEC, request, {"z": np.array(["a"], object)})
    assert [each.name for each in response.outputs] == ["z"]


def test_a_chosen_output_that_nobody_promised_is_the_callers_fault() -> None:
    request = InferRequest(None, {}, ("z",))
    with pytest.raises(RequestError, match="unknown output 'z': the model gives y") as caught:
        FREE.write(request, {"y": np.zeros(1)})
    assert caught.value.status == 400


def test_large_raw_contents_are_not_copied() -> None:
    values = np.arange(8192, dtype=np.float32)
    tensor = {"name": "x", "datatype": "FP32", "shape": [8192]}
    message = ModelInferRequest(inputs=[tensor], raw_input_contents=[values.tobytes()])
    body = message.SerializeToString()
    for shift in range(4):  # one of the four lies aligned
        array = FREE.read(memoryview(b"0" * shift + body)[shift:]).feeds["x"]
        assert np.array_equal(array, values)
        if not array.flags.owndata and array.base is not None:
            return
    pytest.fail("every one was copied")


def test_a_compressed_call() -> None:
    message = gzip.compress(ModelInferRequest(inputs=TYPED).SerializeToString())
    body = struct.pack(">BI", 1, len(message)) + message
    assert len(CODEC.decode(body, {b"grpc-encoding": b"gzip"}).feeds) == 2


def tensor(**changes: Any) -> Any:
    return {**TYPED[0], **changes}


WRONG: list[tuple[Any, str]] = [
    ({"model_name": "n", "inputs": TYPED}, "Model with name n does not exist."),
    ({"model_version": "2", "inputs": TYPED}, "Model m has no version '2' here"),
    ({"inputs": TYPED[:1]}, "missing input 'k': the model takes x, k, got x"),
    ({"inputs": [*TYPED, TYPED[0]]}, "input 'x' is given twice"),
    ({"inputs": [tensor(name="q")]}, "unknown input 'q': the model takes x, k"),
    ({"inputs": [tensor(datatype="FP31")]}, "input 'x': unknown datatype 'FP31'"),
    ({"inputs": [tensor(datatype="FP64")]}, "input 'x': expected datatype FP32, got FP64"),
    ({"inputs": [tensor(shape=[4])]}, "input 'x': expected shape [-1, 2] (rank 2), got [4]"),
    ({"inputs": [tensor(shape=[-1, 2])]}, "input 'x': shape: expected sizes of 0 to"),
    ({"inputs": [tensor(shape=[2**40, 2])]}, "input 'x': shape: expected sizes of 0 to"),
    ({"inputs": [tensor(shape=[1] * 99)]}, "input 'x': shape: expected at most 32 sizes, got 99"),
    ({"inputs": [tensor(shape=[3, 2])]}, "input 'x': shape [3, 2] needs 6 values, got 4"),
    (
        {"inputs": [tensor(contents={"fp64_contents": [1] * 4})]},
        "input 'x': FP32 travels in fp32_contents, not in fp64_contents",
    ),
    ({"inputs": NAMED}, "input 'x': shape [2, 2] needs 4 values, got 0"),
    (
        {"inputs": NAMED, "raw_input_contents": RAWS[:1]},
        "raw_input_contents: 1 entries for 2 inputs",
    ),
    (
        {"inputs": [NAMED[0], TYPED[1]], "raw_input_contents": RAWS},
        "input 'k' has typed contents beside raw_input_contents",
    ),
    (
        {"inputs": NAMED, "raw_input_contents": [RAWS[0][:-1], RAWS[1]]},
        "input 'x': FP32 of shape [2, 2] needs 16 raw bytes, got 15",
    ),
    ({"inputs": TYPED, "outputs": [{"name": "q"}]}, "unknown output 'q': the model gives y, z"),
    (
        {"inputs": TYPED, "outputs": [{"name": "y"}, {"name": "y"}]},
        "output 'y' is asked for twice",
    ),
    (
        {"inputs": [tensor(parameters={"shared_memory_region": {"string_param": "r"}})]},
        "input 'x': parameter 'shared_memory_region': shared memory",
    ),
    (
        {"outputs": [{"name": "y", "parameters": {"classification": {"int64_param": 3}}}]}
        | {"inputs": TYPED},
        "output 'y': parameter 'classification': the classification of outputs is not",
    ),
]


@pytest.mark.parametrize(("fields", "text"), WRONG)
def test_what_is_refused(fields: Any, text: str) -> None:
    with pytest.raises(RequestError) as caught:
        call(**fields)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("datatype", "contents", "text"),
    [
        ("INT8", {"int_contents": [128]}, "input 'x': expected INT8, -128 to 127"),
        ("UINT16", {"uint_contents": [65536]}, "input 'x': expected UINT16, 0 to 65535"),
        ("FP16", {"fp32_contents": [1]}, "input 'x': FP16 has no typed contents"),
    ],
)
def test_typed_values_that_do_not_fit(datatype: str, contents: Any, text: str) -> None:
    one = {"name": "x", "datatype": datatype, "shape": [1], "contents": contents}
    with pytest.raises(RequestError) as caught:
        call(FREE, inputs=[one])
    assert text in str(caught.value)


@pytest.mark.parametrize("raws", [[], [b""]])
def test_a_tensor_without_values_is_bounded_typed_and_raw(raws: list[bytes]) -> None:
    one = {"name": "x", "datatype": "FP32", "shape": [0, 2**31 - 1]}
    with pytest.raises(RequestError, match="sizes that fit in memory"):
        call(FREE, inputs=[one], raw_input_contents=raws)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", Fault.UNSERVED),
        (b"\0\0\0\0\7", Fault.BAD_FRAME),
        (grpc.framed(b"0" * 10_001), Fault.TOO_LARGE),
        (grpc.framed(b"\x0a\x02\xff\xff"), Fault.NOT_MESSAGE),  # no UTF-8
        (grpc.framed(b"\x0a"), Fault.NOT_MESSAGE),
        (grpc.framed(b"\x3a\x7f"), Fault.NOT_MESSAGE),  # raw contents beyond the end
        (grpc.framed(b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Fault.NOT_MESSAGE),
        (grpc.framed(b"\x0b"), Fault.NOT_MESSAGE),  # a group that does not end
    ],
)
def test_bodies_that_are_no_request(body: bytes, fault: Fault) -> None:
    with pytest.raises(RequestError) as caught:
        CODEC.decode(body)
    assert caught.value.fault is fault


def test_a_refusal_is_a_head() -> None:
    head, body = CODEC.refuse(RequestError(Fault.NO_MODEL, name="n"))
    assert body == b""
    assert head == (
        b"content-type: application/grpc\r\ngrpc-status: 5\r\n"
        b"grpc-message: Model with name n does not exist.\r\n"
    )


@given(st.binary(max_size=80))
def test_any_message_is_read_or_refused(message: bytes) -> None:
    for codec in (CODEC, FREE):
        try:
            codec.read(message)
        except RequestError as error:
            status = error.status
        else:
            status = 200
        assert status in {200, 400, 404, 501}


names = st.text(max_size=3)
tensors = st.builds(
    dict,
    name=names,
    datatype=names,
    shape=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
)


@given(
    st.lists(tensors, max_size=3),
    st.lists(st.binary(max_size=300), max_size=3),
    names,
    st.booleans(),
)
def test_raw_contents_are_parted_from_any_request(
    inputs: list[Any], raws: list[bytes], name: str, is_mixed: bool
) -> None:
    """As the parser would read them, wherever they stand."""
    whole = ModelInferRequest(id=name, inputs=inputs, raw_input_contents=raws)
    body = whole.SerializeToString()
    if is_mixed:
        body += ModelInferRequest(model_name="m", raw_input_contents=[b"late"]).SerializeToString()
        whole = ModelInferRequest.FromString(body)
    rest, found = grpc_codec.parted(body)
    assert [bytes(raw) for raw in found] == whole.raw_input_contents
    whole.ClearField("raw_input_contents")
    assert ModelInferRequest.FromString(rest) == whole
