"""The elements of BYTES tensors: text, bytes, and bytes written as text in base64.

For: what a model gets to see, whichever way its text or its pictures came.
Must not know: shapes, JSON, which protocol speaks.

Elements that come as bytes (binary, base64) are text where all of a tensor's are UTF-8, and bytes
otherwise: text is what most models take, and no picture is UTF-8 by accident. The content types
are MLServer's: `str` insists on text, `raw` on bytes, `base64` is bytes under text.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.model import Tensor

TYPES = ("base64", "raw", "str")


def of_bytes(elements: Sequence[bytes]) -> Tensor:
    """One dimension of text, if all of it is UTF-8; else of bytes."""
    try:
        return _objects([one.decode() for one in elements])
    except UnicodeDecodeError:
        return _objects(elements)


def of_content(name: str, array: Tensor, content_type: str) -> Tensor:
    """A tensor of text or bytes as what its content type says it holds."""
    found: list[Any] = array.ravel().tolist()
    if content_type == "str":
        if any(type(one) is bytes for one in found):
            raise RequestError(Fault.NOT_TEXT, name=name)
        return array
    if content_type == "raw":
        new = _objects(_encoded(found))
    else:
        new = of_bytes([from_base64(name, one) for one in found])
    return new.reshape(array.shape)


def from_base64(name: str, text: str | bytes) -> bytes:
    """The bytes; RequestError names the tensor."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):  # ValueError: not even ASCII
        blanks = {"expected": "base64", "datatype": "BYTES", "got": "something else"}
        raise RequestError(Fault.WRONG_VALUES, name=name, **blanks) from None


def to_base64(array: Tensor) -> Tensor:
    """An output's elements, flat, as text that JSON carries; what is no text or bytes is left."""
    found = _encoded(array.ravel().tolist())
    return _objects(
        [base64.b64encode(one).decode() if type(one) is bytes else one for one in found]
    )


def is_b64(value: Any) -> bool:
    """Whether it is bytes as TensorFlow Serving writes them: {"b64": "..."}."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def of_b64(name: str, values: Sequence[Any]) -> Tensor:
    """One dimension of text and of bytes so written."""
    return of_bytes(
        [one.encode() if type(one) is str else from_base64(name, one["b64"]) for one in values]
    )


def _encoded(values: Iterable[Any]) -> list[Any]:
    return [one.encode() if type(one) is str else one for one in values]


def _objects(values: Sequence[Any]) -> Tensor:
    array = np.empty(len(values), object)  # np.array would look into them
    array[:] = values
    return array
