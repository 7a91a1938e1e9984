"""The V2 datatypes, and JSON values to and from the arrays that hold them.

For: turning what a client wrote into exactly what the model takes, or saying what differs.
Must not know: which protocol the values came in, models, or sockets.

JSON has no float16, so FP16 travels as numbers; BYTES travels as strings. JSON has no NaN and
no infinity: an array that holds them is written with `null` in their place, which every client
can parse (KServe writes the bare word NaN, which strict parsers refuse whole). On the way in
`null` is refused by name, because nobody can tell a missing value from a computed NaN.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.model import Tensor, TensorSpec

_WORDS = {
    type(None): "null",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Datatype:
    """One row of the table: its V2 name, its array type and its bounds."""

    name: str
    dtype: np.dtype[Any]
    kind: str  # b, i, u, f as numpy; O for text
    low: float | int = 0
    high: float | int = 0


def _table() -> dict[str, Datatype]:
    rows = [Datatype(name="BOOL", dtype=np.dtype(np.bool_), kind="b")]
    for bits in (8, 16, 32, 64):
        for kind, prefix in (("u", "UINT"), ("i", "INT")):
            dtype = np.dtype(f"{kind}{bits // 8}")
            info = np.iinfo(dtype)
            rows.append(
                Datatype(
                    name=f"{prefix}{bits}",
                    dtype=dtype,
                    kind=kind,
                    low=int(info.min),
                    high=int(info.max),
                )
            )
    for bits in (16, 32, 64):
        dtype = np.dtype(f"f{bits // 8}")
        top = float(np.finfo(dtype).max)
        rows.append(Datatype(name=f"FP{bits}", dtype=dtype, kind="f", low=-top, high=top))
    rows.append(Datatype(name="BYTES", dtype=np.dtype(object), kind="O"))
    return {row.name: row for row in rows}


RANK_MAX = 32  # numpy stops at 64; no model comes near

DATATYPES = _table()
NAMES = ", ".join(DATATYPES)
_BY_DTYPE = {row.dtype: row for row in DATATYPES.values()}


def of_array(array: Tensor) -> Datatype | None:
    """The datatype an array is sent as; None when V2 has none."""
    found = _BY_DTYPE.get(array.dtype)
    if found is None and array.dtype.kind in "US":
        return DATATYPES["BYTES"]
    if found is None and array.dtype.newbyteorder("=") in _BY_DTYPE:
        return _BY_DTYPE[array.dtype.newbyteorder("=")]
    return found


def word(value: Any) -> str:
    """What a JSON value is, in a word for a person."""
    return _WORDS.get(type(value), type(value).__name__)


def guess(name: str, values: Any) -> Datatype:
    """The datatype of JSON values nobody declared: the widest one of their kind."""
    kinds = set(map(type, _flatten(name, values)[0]))
    if kinds == {bool}:
        return DATATYPES["BOOL"]
    if kinds == {str}:
        return DATATYPES["BYTES"]
    return DATATYPES["INT64"] if kinds == {int} else DATATYPES["FP64"]


def to_array(name: str, values: Any, datatype: Datatype) -> Tensor:
    """JSON values as an array of the shape in which they are nested; faults name the tensor.

    Costs O(values). Nothing is converted silently: no text to numbers, no booleans to
    numbers, no fractions cut off, no overflow.
    """
    flat, shape = _flatten(name, values)
    array = _fill(name, flat, datatype)
    return array if len(shape) == 1 else array.reshape(shape)


def _flatten(name: str, values: Any) -> tuple[list[Any], tuple[int, ...]]:
    if type(values) is not list:
        return [values], ()
    shape = [len(values)]
    while values and type(values[0]) is list:
        if set(map(type, values)) != {list} or len(set(map(len, values))) != 1:
            raise RequestError(Fault.RAGGED, name=name, depth=len(shape))
        shape.append(len(values[0]))
        if len(shape) > RANK_MAX:
            raise RequestError(Fault.TOO_DEEP, name=name, limit=RANK_MAX)
        values = list(chain.from_iterable(values))
    return values, tuple(shape)


def _fill(name: str, flat: list[Any], datatype: Datatype) -> Tensor:
    kinds = set(map(type, flat))
    wanted = datatype.kind
    try:
        if wanted == "f" and kinds <= {int, float}:
            with np.errstate(over="raise"):
                return np.array(flat, datatype.dtype)
        if wanted in "iu" and kinds <= {int, float}:
            if float in kinds:
                flat = _whole(name, flat, datatype)
            return np.array(flat, datatype.dtype)
    except (OverflowError, FloatingPointError):
        raise RequestError(
            Fault.OUT_OF_RANGE,
            name=name,
            datatype=datatype.name,
            low=datatype.low,
            high=datatype.high,
        ) from None
    if (wanted == "O" and kinds <= {str}) or (wanted == "b" and _are_booleans(kinds, flat)):
        return np.array(flat, datatype.dtype)
    raise _wrong_values(name, kinds, datatype)


def _are_booleans(kinds: set[type], flat: list[Any]) -> bool:
    return kinds <= {bool} or (kinds <= {int} and set(flat) <= {0, 1})


def _whole(name: str, flat: list[Any], datatype: Datatype) -> list[int]:
    """Numbers written with a point, for a model of whole numbers: 2.0 is two, 2.5 is refused."""
    for value in flat:
        if type(value) is float and not value.is_integer():
            raise RequestError(Fault.NOT_WHOLE, name=name, datatype=datatype.name, got=repr(value))
    return [int(value) for value in flat]


def _wrong_values(name: str, kinds: set[type], datatype: Datatype) -> RequestError:
    fitting: set[type]
    if datatype.kind == "O":
        expected, fitting = "text", {str}
    elif datatype.kind == "b":
        expected, fitting = "true or false", {bool}
    else:
        expected, fitting = "numbers", {int, float}
    got = " and ".join(sorted(_WORDS.get(kind, kind.__name__) for kind in kinds - fitting))
    if list in kinds:
        return RequestError(Fault.RAGGED, name=name, depth=1)
    return RequestError(
        Fault.WRONG_VALUES, name=name, expected=expected, datatype=datatype.name, got=got
    )


def check_shape(spec: TensorSpec, shape: tuple[int, ...]) -> None:
    """A shape against what the model takes: rank, and every size that is fixed."""
    expected = spec.shape
    if len(shape) != len(expected):
        raise RequestError(
            Fault.WRONG_RANK,
            name=spec.name,
            expected=list(expected),
            rank=len(expected),
            got=list(shape),
            got_rank=len(shape),
        )
    if shape != expected:
        for axis, (size, got) in enumerate(zip(expected, shape, strict=True)):
            if size not in (-1, got):
                raise RequestError(
                    Fault.WRONG_SIZE,
                    name=spec.name,
                    expected=list(expected),
                    got=list(shape),
                    axis=axis,
                    size=size,
                )


def describe(name: str, array: Tensor) -> Datatype:
    """The datatype of an output; RequestError when there is none (complex, dates …)."""
    datatype = of_array(array)
    if datatype is None:
        raise RequestError(
            Fault.BAD_OUTPUT,
            detail=f"output '{name}' holds {array.dtype}, which V2 has no name for",
        )
    return datatype


def to_json(name: str, array: Tensor, datatype: Datatype) -> Any:
    """An array as a value that orjson writes with OPT_SERIALIZE_NUMPY, nesting kept."""
    if datatype.kind == "O":
        return _texts(name, array.tolist())
    if array.dtype is not datatype.dtype or not array.flags.c_contiguous:
        # orjson knows int64 and not its twin longlong, which is what ONNX Runtime returns.
        array = np.ascontiguousarray(array, datatype.dtype.char).reshape(array.shape)
    return array if array.ndim else array[()]


def _texts(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_texts(name, one) for one in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise RequestError(
                Fault.BAD_OUTPUT,
                detail=f"output '{name}' holds bytes that are not UTF-8, which JSON cannot carry",
            ) from None
    if isinstance(value, str):
        return value
    raise RequestError(
        Fault.BAD_OUTPUT,
        detail=f"output '{name}' holds {type(value).__name__} objects; expected text",
    )
