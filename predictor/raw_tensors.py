"""Tensors as raw bytes: little endian, row-major, without padding.

For: what binary REST and gRPC share; numbers are not copied where they lie aligned.
Must not know: which protocol the bytes came in, or what is around them.

BYTES is each element behind its length in four bytes. Its elements are text to a model, if all of
them are UTF-8; else (images, say) they are `bytes` objects.
"""

import struct

import numpy as np

from predictor.datatypes import Datatype, check_count
from predictor.elements import of_bytes
from predictor.errors import Fault, RequestError
from predictor.model import Tensor

Buffer = bytes | memoryview


def from_raw(name: str, data: Buffer, datatype: Datatype, shape: tuple[int, ...]) -> Tensor:
    """An input's array; RequestError when the bytes do not fill the shape."""
    count = check_count(name, shape)
    if datatype.kind == "O":
        elements = _elements(name, data)
        if len(elements) != count:
            raise RequestError(
                Fault.WRONG_COUNT, name=name, shape=list(shape), expected=count, got=len(elements)
            )
        return shaped(name, of_bytes(elements), shape)
    expected = count * datatype.dtype.itemsize
    if len(data) != expected:
        raise RequestError(
            Fault.WRONG_BYTES,
            name=name,
            shape=list(shape),
            datatype=datatype.name,
            expected=expected,
            got=len(data),
        )
    array = shaped(name, np.frombuffer(data, datatype.dtype), shape)
    if datatype.kind == "b" and count and int(array.view(np.uint8).max()) > 1:
        raise RequestError(
            Fault.WRONG_VALUES,
            name=name,
            expected="bytes of 0 and 1",
            datatype="BOOL",
            got="others",
        )
    return array if array.flags.aligned else array.copy()


def to_raw(name: str, array: Tensor, datatype: Datatype) -> Buffer:
    """An output's bytes."""
    if datatype.kind != "O":
        whole = np.ascontiguousarray(array, datatype.dtype)
        return whole.reshape(-1).view(np.uint8).data if whole.size else b""
    return b"".join(
        struct.pack("<I", len(element)) + element for element in elements_of(name, array)
    )


def shaped(name: str, flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An input's values, as many as its shape needs, in that shape."""
    try:
        return flat.reshape(shape)
    except ValueError:  # an empty tensor whose other sizes multiply beyond the address space
        raise RequestError(
            Fault.BAD_FIELD,
            field=f"input '{name}': shape",
            expected="sizes that fit in memory",
            got=list(shape),
        ) from None


def elements_of(name: str, array: Tensor) -> list[bytes]:
    """The elements of an output of text or bytes."""
    found: list[bytes] = []
    for value in array.ravel().tolist():
        if isinstance(value, str):
            found.append(value.encode())
        elif isinstance(value, bytes):
            found.append(value)
        else:
            kind = type(value).__name__
            raise RequestError(
                Fault.BAD_OUTPUT, detail=f"output '{name}' holds {kind} objects; expected text"
            )
    return found


def _elements(name: str, data: Buffer) -> list[bytes]:
    found: list[bytes] = []
    at, end = 0, len(data)
    view = memoryview(data)
    while at < end:
        start = at + 4
        if start > end:
            raise RequestError(Fault.CUT_BYTES, name=name, at=at)
        at = start + int.from_bytes(view[at:start], "little")
        if at > end:
            raise RequestError(Fault.CUT_BYTES, name=name, at=start - 4)
        found.append(bytes(view[start:at]))
    return found
