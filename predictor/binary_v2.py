"""The binary tensor extension of V2 over REST: tensors behind the JSON, in the same body.

For: where the JSON ends, which bytes are whose, and a request that is nothing but one tensor.
Must not know: what the JSON says beside sizes, how a model runs; raw_tensors.py reads the bytes.
"""

from collections.abc import Mapping, Sequence
from math import prod

import orjson

from predictor import elements, raw_tensors
from predictor.datatypes import DATATYPES
from predictor.errors import Fault, RequestError
from predictor.model import Tensor, TensorSpec
from predictor.protocol import Encoded
from predictor.raw_tensors import Buffer

LENGTH = b"inference-header-content-length"
_FIELD = "header Inference-Header-Content-Length"
_HEAD = b"content-type: application/octet-stream\r\ninference-header-content-length: %d\r\n"
_DIGITS_MAX = 18


class Section:
    """The bytes behind the JSON, given away from the front."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, name: str, size: int) -> memoryview:
        """The next bytes, as an input says how many; RequestError when there are fewer."""
        start, end = self._at, len(self._data)
        if size > end - start:
            raise RequestError(Fault.BINARY_BEYOND, name=name, size=size, start=start, end=end)
        self._at = start + size
        return self._data[start : self._at]

    def rest(self) -> memoryview:
        """All that is left."""
        return self._data[self._at :]

    def finish(self) -> None:
        """All inputs are read; RequestError when bytes are left over."""
        left = len(self._data) - self._at
        if left:
            raise RequestError(Fault.BINARY_LEFT, left=left)


def split(body: bytes, index: Mapping[bytes, bytes]) -> tuple[bytes, Section | None]:
    """The JSON and what follows it; b"" where the header says that all of it is one tensor."""
    text = index.get(LENGTH)
    if text is None:
        return body, None
    if not text.isdigit() or len(text) > _DIGITS_MAX:
        raise _wrong_length("a number of bytes", text.decode(errors="replace"))
    length = int(text)
    if length > len(body):
        raise _wrong_length(f"at most the body's {len(body)} bytes", str(length))
    return body[:length], Section(memoryview(body)[length:])


def joined(answer: object, tensors: Sequence[Buffer]) -> Encoded:
    """An answer in JSON and its binary tensors, in the order in which it names them."""
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return Encoded(_HEAD % len(head), b"".join([head, *tensors]))


def whole_body(inputs: Sequence[TensorSpec] | None, body: memoryview) -> tuple[str, Tensor]:
    """The one input of a raw request; the model says what the request does not."""
    if inputs is None or len(inputs) != 1:
        got = "none that it declares" if inputs is None else str(len(inputs))
        raise RequestError(
            Fault.BAD_FIELD,
            field=f"{_FIELD}: 0",
            expected="a model of one input, which is the whole body",
            got=got,
        )
    (spec,) = inputs
    if spec.datatype == "BYTES":
        shape = tuple(1 if size < 0 else size for size in spec.shape)
        if prod(shape) != 1:
            raise _wrong_shape(spec, "one element")
        return spec.name, elements.of_bytes([bytes(body)]).reshape(shape)
    datatype = DATATYPES[spec.datatype]
    shape = _shape(spec, len(body), datatype.dtype.itemsize)
    return spec.name, raw_tensors.from_raw(spec.name, body, datatype, shape)


def _shape(spec: TensorSpec, size: int, item_size: int) -> tuple[int, ...]:
    """The model's shape with its variable dimension made to fit; a batch before it is of one."""
    shape = list(spec.shape)
    if shape.count(-1) == 2 and shape[0] == -1:
        shape[0] = 1
    if shape.count(-1) > 1:
        raise _wrong_shape(spec, "at most one variable dimension")
    if -1 in shape:
        one = prod(each for each in shape if each >= 0) * item_size
        # What does not fit is refused by from_raw, in bytes.
        shape[shape.index(-1)] = size // one if one else 0
    return tuple(shape)


def _wrong_shape(spec: TensorSpec, expected: str) -> RequestError:
    field = f"{_FIELD}: 0"
    got = f"input '{spec.name}' of shape {list(spec.shape)}"
    return RequestError(Fault.BAD_FIELD, field=field, expected=f"a model of {expected}", got=got)


def _wrong_length(expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=_FIELD, expected=expected, got=got[:40])
