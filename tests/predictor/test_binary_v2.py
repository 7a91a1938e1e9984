"""Binary tensors behind the JSON: round trips, sizes that lie, and bodies of any bytes."""

import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from predictor import datatypes
from predictor.datatypes import DATATYPES
from predictor.errors import RequestError
from predictor.model import Signature, Tensor, TensorSpec
from predictor.protocol import Encoded, InferRequest
from predictor.protocol_v2 import CodecV2

REQUESTS = Path(__file__).parents[3] / "shared/data/kserve/requests"
LENGTH = b"inference-header-content-length"
X = TensorSpec(name="x", datatype="FP32", shape=(-1, 2))
CODEC = CodecV2(Signature(inputs=[X], outputs=[]), name="m", version="")
FREE = CodecV2(None, name="m", version="")
ROWS = np.array([[1, 2], [3, 4]], "<f4")
RAW = ROWS.tobytes()
TENSOR = {"name": "x", "shape": [2, 2], "datatype": "FP32"}


def sent(raw: Any, *pieces: bytes, length: bytes | None = None) -> tuple[bytes, dict[bytes, bytes]]:
    head = raw if isinstance(raw, bytes) else orjson.dumps(raw)
    return b"".join((head, *pieces)), {LENGTH: length or b"%d" % len(head)}


def tensor(size: Any = 16, **fields: Any) -> dict[str, Any]:
    return {**TENSOR, "parameters": {"binary_data_size": size}, **fields}


def parted(encoded: Encoded) -> tuple[Any, bytes]:
    """The JSON of an answer and what follows it."""
    lines = dict(line.split(": ") for line in encoded.head.decode().splitlines())
    assert lines["content-type"] == "application/octet-stream"
    length = int(lines["inference-header-content-length"])
    return orjson.loads(encoded.body[:length]), encoded.body[length:]


def specified(*shapes: tuple[int, ...], datatype: str = "FP32") -> CodecV2:
    specs = [
        TensorSpec(name=f"x{index}", datatype=datatype, shape=shape)
        for index, shape in enumerate(shapes)
    ]
    return CodecV2(Signature(inputs=specs, outputs=[]), name="m", version="")


# -- in --------------------------------------------------------------------------------------


def test_a_binary_tensor_is_read_where_it_lies() -> None:
    head = orjson.dumps({"inputs": [tensor()]})
    head += b" " * (-len(head) % 8)
    body, index = sent(head, RAW)
    found = CODEC.decode(body, index).feeds["x"]
    assert found.tolist() == [[1, 2], [3, 4]]
    assert not found.flags.writeable  # not a copy
    odd = CODEC.decode(*sent(head + b" ", RAW)).feeds["x"]
    assert odd.tolist() == [[1, 2], [3, 4]]
    assert odd.flags.aligned


def test_binary_and_json_may_be_mixed_in_any_order() -> None:
    plain = {"name": "j", "shape": [1], "datatype": "INT64", "data": [7]}
    second = tensor(3, name="t", shape=[3], datatype="BOOL")
    body, index = sent({"inputs": [tensor(), plain, second]}, RAW, b"\1\0\1")
    feeds = FREE.decode(body, index).feeds
    assert feeds["x"].tolist() == [[1, 2], [3, 4]]
    assert feeds["j"].tolist() == [7]
    assert feeds["t"].tolist() == [True, False, True]


def test_a_header_may_cover_all_of_a_json_body() -> None:
    body, index = sent({"inputs": [{**TENSOR, "data": [1, 2, 3, 4]}]})
    assert CODEC.decode(body, index).feeds["x"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("content_type", "raw", "found"),
    [
        ("", b"\1\0\0\0a", ["a"]),
        ("", b"\1\0\0\0\xff", [b"\xff"]),
        ("raw", b"\1\0\0\0a", [b"a"]),
        ("str", b"\2\0\0\0\xc3\xa9", ["é"]),
        ("base64", b"\4\0\0\0YQ==", ["a"]),
        ("np", b"\1\0\0\0a", ["a"]),
    ],
)
@pytest.mark.parametrize("place", ["input", "request"])
def test_a_content_type_says_what_bytes_are(
    content_type: str, raw: bytes, found: list[Any], place: str
) -> None:
    said = {"content_type": content_type}
    own = {"binary_data_size": len(raw), **(said if place == "input" else {})}
    one = {"name": "x", "shape": [1], "datatype": "BYTES", "parameters": own}
    body, index = sent({"inputs": [one], "parameters": said if place == "request" else {}}, raw)
    assert FREE.decode(body, index).feeds["x"].tolist() == found


# The JSON's tensors, what follows, the header's value (None: the right one), what is said.
WRONG: list[tuple[Any, bytes, bytes | None, str]] = [
    ([tensor()], RAW, b"", "a number of bytes"),
    ([tensor()], RAW, b"-1", "Content-Length: expected a number of bytes, got -1"),
    ([tensor()], RAW, b"+9", "Content-Length: expected a number of bytes, got +9"),
    ([tensor()], RAW, b"1_0", "Content-Length: expected a number of bytes"),
    ([tensor()], RAW, "²".encode(), "Content-Length: expected a number of bytes"),
    ([tensor()], RAW, b"9" * 5000, "Content-Length: expected a number of bytes"),
    ([tensor()], RAW, b"999999", "Content-Length: expected at most the body's"),
    ([tensor()], RAW, b"5", "the body is not JSON"),
    ([tensor()], RAW[:-1], None, "binary_data_size 16 at byte 0 goes beyond the body's 15"),
    ([tensor()], b"", None, "binary_data_size 16 at byte 0 goes beyond the body's 0"),
    ([tensor(2**63)], RAW, None, "binary_data_size 9223372036854775808 at byte 0 goes beyond"),
    ([tensor()], RAW + b"x", None, "1 bytes of binary data are left over"),
    ([tensor(), tensor(name="b")], RAW, None, "'b': binary_data_size 16 at byte 16 goes beyond"),
    ([tensor(12)], RAW, None, "FP32 of shape [2, 2] needs 16 raw bytes, got 12"),
    ([tensor(shape=[2, 3])], RAW, None, "FP32 of shape [2, 3] needs 24 raw bytes, got 16"),
    ([tensor(shape=[2**31 - 1] * 9)], RAW, None, "needs"),
    ([tensor(0, shape=[2**31 - 1, 0])], b"", None, "sizes that fit in memory"),
    ([tensor(0, shape=[2**31, 0])], b"", None, "expected sizes of 0 to"),
    ([tensor(shape=[-2, -2])], RAW, None, "expected sizes of 0 to"),
    ([tensor(-16)], RAW, None, "expected a number of bytes, got -16"),
    ([tensor("16")], RAW, None, "expected a number of bytes, got text"),
    ([tensor(data=[1, 2, 3, 4])], RAW, None, "expected no data in JSON beside it, got both"),
    ([tensor(), tensor()], RAW + RAW, None, "input 'x' is given twice"),
    ([tensor(datatype="FP8")], RAW, None, "unknown datatype 'FP8'"),
    ([tensor(datatype="BOOL", shape=[16])], b"\2" * 16, None, "bytes of 0 and 1"),
    ([tensor(datatype="BYTES", shape=[1])], b"\x0d" + b"\0" * 15, None, "BYTES element at byte 0"),
    ([tensor(datatype="BYTES", shape=[1])], b"\xff" * 16, None, "BYTES element at byte 0"),
    ([tensor(datatype="BYTES", shape=[3])], b"\0" * 16, None, "needs 3 values, got 4"),
    ([tensor(datatype="BYTES", shape=[10**9])], b"\0" * 16, None, "needs 1000000000 values"),
    ([tensor(3, datatype="BYTES", shape=[1])], b"\0" * 3, None, "BYTES element at byte 0"),
]


@pytest.mark.parametrize(("inputs", "behind", "length", "said"), WRONG)
def test_what_lies_is_refused_in_words(
    inputs: Any, behind: bytes, length: bytes | None, said: str
) -> None:
    body, index = sent({"inputs": inputs}, behind)
    if length is not None:
        index = {LENGTH: length}
    with pytest.raises(RequestError) as caught:
        FREE.decode(body, index)
    assert caught.value.status == 400
    assert said in orjson.loads(caught.value.body)["error"]


def test_a_size_without_the_header_is_refused() -> None:
    with pytest.raises(RequestError, match="expected header Inference-Header-Content-Length"):
        FREE.decode(orjson.dumps({"inputs": [tensor()]}))


def test_text_that_is_not_utf8_is_refused_where_text_is_promised() -> None:
    own = {"binary_data_size": 5, "content_type": "str"}
    one = {"name": "x", "shape": [1], "datatype": "BYTES", "parameters": own}
    with pytest.raises(RequestError, match="input 'x': expected text in UTF-8"):
        FREE.decode(*sent({"inputs": [one]}, b"\1\0\0\0\xff"))


# -- raw requests ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size", "found"),
    [
        ((-1, 2), 4, (2, 2)),
        ((-1, -1), 4, (1, 4)),
        ((-1, -1, 2), 4, (1, 2, 2)),
        ((2, -1), 4, (2, 2)),
        ((-1,), 0, (0,)),
        ((4,), 4, (4,)),
        ((), 1, ()),
    ],
)
def test_a_raw_request_has_the_models_shape(
    shape: tuple[int, ...], size: int, found: tuple[int, ...]
) -> None:
    codec = specified(shape)
    request = codec.decode(np.arange(size, dtype="<f4").tobytes(), {LENGTH: b"0"})
    assert request.feeds["x0"].shape == found
    assert request.feeds["x0"].ravel().tolist() == list(range(size))
    answer, behind = parted(codec.encode(request, {"y": ROWS, "z": ROWS}))
    assert behind == RAW + RAW
    assert "id" not in answer


@pytest.mark.parametrize("shape", [(1,), (-1,), (-1, -1), (1, 1), ()])
def test_a_raw_request_of_bytes_is_one_element(shape: tuple[int, ...]) -> None:
    picture = b"\xff\xd8\xff anything"
    found = specified(shape, datatype="BYTES").decode(picture, {LENGTH: b"0"}).feeds["x0"]
    assert found.shape == tuple(1 for _ in shape)
    assert found.ravel().tolist() == [picture]


@pytest.mark.parametrize(
    ("codec", "said"),
    [
        (FREE, "expected a model of one input, which is the whole body, got none that it declares"),
        (specified((1,), (1,)), "expected a model of one input, which is the whole body, got 2"),
        (specified(), "expected a model of one input, which is the whole body, got 0"),
        (specified((2, -1, -1)), "a model of at most one variable dimension, got input 'x0'"),
        (specified((-1, -1, -1)), "a model of at most one variable dimension"),
        (specified((-1, 3)), "FP32 of shape [1, 3] needs 12 raw bytes, got 16"),
        (specified((5,)), "FP32 of shape [5] needs 20 raw bytes, got 16"),
        (specified((-1, 0)), "FP32 of shape [0, 0] needs 0 raw bytes, got 16"),
        (specified((2,), datatype="BYTES"), "expected a model of one element, got input 'x0'"),
    ],
)
def test_a_raw_request_that_does_not_fit_is_refused(codec: CodecV2, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        codec.decode(RAW, {LENGTH: b"0"})
    assert said in str(caught.value)


# -- out -------------------------------------------------------------------------------------

OUTPUTS = {"y": ROWS, "t": np.array(["é", b"\xff"], object)}


@pytest.mark.parametrize(
    ("everything", "y", "t", "binary"),
    [
        (True, None, None, ["y", "t"]),
        (True, False, None, ["t"]),
        (False, None, True, ["t"]),
        (None, True, True, ["y", "t"]),
        (True, True, True, ["y", "t"]),
    ],
)
def test_an_outputs_own_wish_wins(
    everything: bool | None, y: bool | None, t: bool | None, binary: list[str]
) -> None:
    wanted = [
        {"name": name, "parameters": {} if wish is None else {"binary_data": wish}}
        for name, wish in (("y", y), ("t", t))
    ]
    asked = {"inputs": [], "outputs": wanted, "parameters": {"binary_data_output": everything}}
    request = FREE.decode(orjson.dumps({**asked, "id": "7"}))
    answer, behind = parted(FREE.encode(request, OUTPUTS))
    assert answer["id"] == "7"
    bytes_of = {"y": RAW, "t": b"\2\0\0\0\xc3\xa9\1\0\0\0\xff"}
    assert behind == b"".join(bytes_of[name] for name in binary)
    for output in answer["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        assert size == (len(bytes_of[output["name"]]) if output["name"] in binary else None)
        assert ("data" in output) is (output["name"] not in binary)


def test_nothing_binary_is_plain_json() -> None:
    off = [{"name": "y", "parameters": {"binary_data": False}}]
    for asked in (
        {"outputs": off, "parameters": {"binary_data_output": True}},
        {"outputs": off},
        {"parameters": {"binary_data_output": False}},
    ):
        request = FREE.decode(orjson.dumps({"inputs": [], **asked}))
        head, body = FREE.encode(request, {"y": np.array([1.0, np.nan])})
        assert head == b"content-type: application/json\r\n"
        assert orjson.loads(body)["outputs"][0]["data"] == [1.0, "NaN"]


def test_bytes_may_be_asked_for_in_base64() -> None:
    wanted = [{"name": "t", "parameters": {"content_type": "base64"}}]
    request = FREE.decode(orjson.dumps({"inputs": [], "outputs": wanted}))
    (output,) = orjson.loads(FREE.encode(request, OUTPUTS).body)["outputs"]
    assert output["data"] == ["w6k=", "/w=="]
    assert output["parameters"] == {"content_type": "base64"}


@pytest.mark.parametrize("name", ["iris_input_v2_binary.json", "iris_input_v2_all_binary.json"])
def test_kserves_own_requests(name: str) -> None:
    if not (REQUESTS / name).exists():
        pytest.skip(f"{REQUESTS} is not here")
    request = FREE.decode((REQUESTS / name).read_bytes())
    found = FREE.encode(request, {"output-0": np.array([1, 1], np.int32)})
    answer, behind = parted(found)
    assert behind == b"\1\0\0\0\1\0\0\0"
    assert answer["outputs"][0]["parameters"] == {"binary_data_size": 8}


# -- both ways, with everything there is --------------------------------------------------------


def dtype_of(name: str) -> Any:
    return np.dtype(ml_dtypes.bfloat16) if name == "BF16" else DATATYPES[name].dtype


@st.composite
def tensors(draw: st.DrawFn, name: str) -> Tensor:
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
    count = int(np.prod(shape))
    if name == "BYTES":
        array = np.empty(count, object)
        array[:] = draw(st.lists(st.text(max_size=4), min_size=count, max_size=count))
    elif name == "BOOL":
        array = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
    else:
        size = count * dtype_of(name).itemsize
        array = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype_of(name))
    found = array.reshape(shape)
    return found.T if draw(st.booleans()) else found  # in another order of memory


def same(one: Tensor, other: Tensor) -> bool:
    if one.dtype == object:
        return one.shape == other.shape and one.tolist() == other.tolist()
    # NaN has many forms, and binary keeps them.
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@pytest.mark.parametrize("name", DATATYPES)
@given(data=st.data(), padding=st.integers(0, 8))
def test_what_is_encoded_is_decoded(name: str, data: st.DataObject, padding: int) -> None:
    given_arrays = {f"t{i}": data.draw(tensors(name)) for i in range(data.draw(st.integers(1, 3)))}
    asked = {"inputs": [], "parameters": {"binary_data_output": True}}
    request = FREE.decode(orjson.dumps(asked))
    answer, behind = parted(FREE.encode(request, given_arrays))
    inputs = answer["outputs"]  # an answer's tensors are a request's
    body, index = sent(orjson.dumps({"inputs": inputs}) + b" " * padding, behind)
    feeds = FREE.decode(body, index).feeds
    assert list(feeds) == list(given_arrays)
    for one, array in given_arrays.items():
        assert same(feeds[one], array)
        assert feeds[one].flags.aligned


@pytest.mark.parametrize("name", [name for name in DATATYPES if name != "BF16"])
@given(data=st.data(), is_nested=st.booleans())
def test_what_is_written_in_json_is_read(name: str, data: st.DataObject, is_nested: bool) -> None:
    array = data.draw(tensors(name))
    answer = orjson.loads(FREE.encode(InferRequest("7", {}, None), {"t": array}).body)
    (output,) = answer["outputs"]
    if is_nested and array.size:
        output["data"] = np.array(output["data"], object).reshape(array.shape).tolist()
    found = FREE.decode(orjson.dumps({"inputs": [output]})).feeds["t"]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    if array.dtype.kind == "f":
        assert np.array_equal(found, array, equal_nan=True)
    else:
        assert found.tolist() == array.tolist()


# -- anything at all ------------------------------------------------------------------------


def refusal(codec: CodecV2, body: bytes, index: Mapping[bytes, bytes]) -> int | None:
    """The status, if any; another exception fails the test."""
    try:
        codec.decode(body, index)
    except RequestError as error:
        return error.status
    return None


def decoded(body: bytes, index: Mapping[bytes, bytes]) -> None:
    """Understood or refused, with memory in proportion to what was sent."""
    tracemalloc.start()
    try:
        for codec in (CODEC, FREE):
            assert refusal(codec, body, index) in (None, 400)
        assert tracemalloc.get_traced_memory()[1] < 100_000 + 100 * len(body)
    finally:
        tracemalloc.stop()


@given(
    body=st.binary(max_size=80),
    length=st.none() | st.integers(0, 90).map(lambda n: b"%d" % n) | st.binary(max_size=4),
)
def test_any_bytes_are_understood_or_refused(body: bytes, length: bytes | None) -> None:
    decoded(body, {} if length is None else {LENGTH: length})


sizes = st.integers(-1, 20) | st.sampled_from([2**31 - 1, 2**31, 2**32, 2**63, 10**9])


@given(
    shape=st.lists(sizes, max_size=4),
    size=sizes,
    datatype=st.sampled_from(list(DATATYPES)),
    behind=st.binary(max_size=24),
    data=st.none() | st.lists(st.integers(0, 1) | st.just("NaN"), max_size=3),
)
def test_no_sizes_make_it_allocate_what_was_not_sent(
    shape: list[int], size: int, datatype: str, behind: bytes, data: list[Any] | None
) -> None:
    one = tensor(size, shape=shape, datatype=datatype)
    if data is not None:
        del one["parameters"]
        one["data"] = data
    decoded(*sent({"inputs": [one]}, behind))


def test_bombs_are_refused_at_the_price_of_their_bytes() -> None:
    deep = b"[" * 100_000
    many = b'{"inputs":[' + b"{}," * 30_000 + b"{}]}"
    huge = b'{"inputs":[{"name":"x","shape":[' + b"9" * 100_000 + b"]}]}"
    wide = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[' + b"[]," * 30_000
    words = b'{"inputs":[NaN,' + b"[" * 100_000
    for body in (deep, many, huge, wide + b"[]]}]}", words):
        decoded(body, {})
    assert datatypes.RANK_MAX == 32
