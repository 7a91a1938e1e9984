"""The V2 datatypes, and JSON values to and from the arrays that hold them.

For: turning what a client wrote into exactly what the model takes, or saying what differs.
Must not know: which protocol the values came in, models, or sockets.

JSON has no float16, so FP16 travels as numbers; BYTES travels as strings; BF16 travels as binary
data only. JSON has no NaN and no infinity either: nonfinite.py says how they are spelled. `null` is
refused by name, because nobody can tell a missing value from a computed NaN.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from importlib import import_module
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from predictor import elements, nonfinite
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
    kind: str  # b, i, u, f as numpy; O for text; V for BF16, which numpy has not
    low: float | int = 0
    high: float | int = 0
    array: InitVar[str]
    dtype: np.dtype[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self, array: str) -> None:
        """BF16's array type is left out: nothing is imported for what nobody sends."""
        if self.kind != "V":
            object.__setattr__(self, "dtype", np.dtype(array))

    def __getattr__(self, attribute: str) -> Any:
        """What is not there yet; on no other row does anybody come here."""
        if attribute != "dtype":
            raise AttributeError(attribute)
        found = np.dtype(import_module("ml_dtypes").bfloat16)
        object.__setattr__(self, "dtype", found)
        return found


def _table() -> dict[str, Datatype]:
    rows = [Datatype(name="BOOL", array="bool", kind="b")]
    for bits in (8, 16, 32, 64):
        for kind, prefix in (("u", "UINT"), ("i", "INT")):
            array = f"{kind}{bits // 8}"
            info = np.iinfo(array)
            low, high = int(info.min), int(info.max)
            name = f"{prefix}{bits}"
            rows.append(Datatype(name=name, array=array, kind=kind, low=low, high=high))
    for bits in (16, 32, 64):
        array = f"f{bits // 8}"
        top = float(np.finfo(array).max)
        rows.append(Datatype(name=f"FP{bits}", array=array, kind="f", low=-top, high=top))
    rows.append(Datatype(name="BYTES", array="O", kind="O"))
    rows.append(Datatype(name="BF16", array="bfloat16", kind="V"))
    return {row.name: row for row in rows}


_NUMBERS = frozenset({int, float})
_SPELLED = _NUMBERS | {str}  # as nonfinite.py spells some

_EXACT_MAX = 2**53
_BEYOND_64_BITS = -(2.0**63)  # what orjson reads -2**63 - 1 as, too
_FEW = 32  # values that are compared sooner than numpy is asked to watch for overflow
RANK_MAX = 32  # numpy stops at 64; no model comes near
# Of a tensor without values, whose sizes cost the caller nothing and a model may multiply out.
EMPTY_SIZES_MAX = 2**24

DATATYPES = _table()
NAMES = ", ".join(DATATYPES)
_BY_DTYPE = {row.dtype: row for row in DATATYPES.values() if row.kind != "V"}
NUMBERS = {dtype: row for dtype, row in _BY_DTYPE.items() if row.kind in "biuf"}


def of_array(array: Tensor) -> Datatype | None:
    """The datatype an array is sent as; None when V2 has none."""
    found = _BY_DTYPE.get(array.dtype)
    if found is not None:
        return found
    if array.dtype.kind in "US":
        return DATATYPES["BYTES"]
    if array.dtype.name == "bfloat16":
        return DATATYPES["BF16"]
    return _BY_DTYPE.get(array.dtype.newbyteorder("="))


def word(value: Any) -> str:
    """What a JSON value is, in a word for a person."""
    return _WORDS.get(type(value), type(value).__name__)


def whole(value: Any) -> Any:
    """A whole number that is written with a point, 2.0, as one; all else as it is.

    To JSON there is no difference, nor to JSON Schema, and some languages write all numbers so.
    What is larger than floats are exact may have been another number: orjson rounds those.
    """
    is_one = type(value) is float and value.is_integer() and abs(value) <= _EXACT_MAX
    return int(value) if is_one else value


def guess(name: str, values: Any) -> Datatype:
    """The datatype of JSON values nobody declared: the widest one of their kind."""
    kinds = set(map(type, _flatten(name, values)[0]))
    if kinds == {bool}:
        return DATATYPES["BOOL"]
    if kinds == {str} or (kinds and kinds <= {str, dict}):
        return DATATYPES["BYTES"]
    return DATATYPES["INT64"] if kinds == {int} else DATATYPES["FP64"]


def to_array(name: str, values: Any, datatype: Datatype) -> Tensor:
    """JSON values as an array of the shape in which they are nested; faults name the tensor.

    Costs O(values). Nothing is converted silently: no text to numbers, no booleans to
    numbers, no fractions cut off, no overflow.
    """
    flat, shape = _flatten(name, values)
    array = of_flat(name, flat, datatype)
    return array if len(shape) == 1 else array.reshape(shape)


def check_count(name: str, shape: tuple[int, ...]) -> int:
    """How many values a shape asks for; RequestError for one of nothing, but without end.

    Sizes are multiplied as Python does it, so they do not overflow.
    """
    count = prod(shape)
    if not count and prod(size for size in shape if size) > EMPTY_SIZES_MAX:
        raise RequestError(
            Fault.BAD_FIELD,
            field=f"input '{name}': shape",
            expected="sizes that fit in memory",
            got=str(list(shape)),
        )
    return count


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


def of_flat(name: str, flat: list[Any], datatype: Datatype) -> Tensor:
    """As `to_array`, of values that are not nested."""
    kinds = set(map(type, flat))
    wanted = datatype.kind
    try:
        if wanted == "f" and kinds <= _SPELLED:
            if str in kinds:
                flat = _numbers(name, flat, datatype)
            if 0 < len(flat) <= _FEW and datatype.low <= min(flat) <= max(flat) <= datatype.high:
                return np.array(flat, datatype.dtype)  # to ask numpy to look costs more
            with np.errstate(over="raise"):
                return np.array(flat, datatype.dtype)
        if wanted in "iu" and kinds <= _NUMBERS:
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
    if wanted == "O" and all(type(one) is str or elements.is_b64(one) for one in flat):
        return elements.of_b64(name, flat)
    if wanted == "V":
        raise RequestError(Fault.NOT_IN_JSON, name=name)
    raise _wrong_values(name, kinds, datatype)


def _numbers(name: str, flat: list[Any], datatype: Datatype) -> list[Any]:
    """Numbers among which some are spelled: "NaN" is none, "1.5" is text."""
    words = nonfinite.WORDS
    if not all(value in words for value in flat if type(value) is str):
        raise _wrong_values(name, set(map(type, flat)), datatype)
    return [words[value] if type(value) is str else value for value in flat]


def _are_booleans(kinds: set[type], flat: list[Any]) -> bool:
    return kinds <= {bool} or (kinds <= {int} and set(flat) <= {0, 1})


def _whole(name: str, flat: list[Any], datatype: Datatype) -> list[int]:
    """Numbers written with a point, for a model of whole numbers: 2.0 is two, 2.5 is refused."""
    for value in flat:
        if type(value) is not float:
            continue
        if not value.is_integer():
            raise RequestError(Fault.NOT_WHOLE, name=name, datatype=datatype.name, got=repr(value))
        if value <= _BEYOND_64_BITS:
            raise OverflowError
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


def check_wanted(outputs: Mapping[str, Tensor], wanted: tuple[str, ...] | None) -> None:
    """RequestError for an output that was asked for and is not there."""
    for name in wanted or ():
        if name not in outputs:
            raise RequestError(Fault.UNKNOWN_OUTPUT, name=name, expected=", ".join(outputs))


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
    if datatype.kind in "OV":  # no numbers to orjson
        if datatype.kind == "V":
            raise RequestError(Fault.OUTPUT_NOT_IN_JSON, name=name, what="BF16")
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
            what = "of bytes that are not UTF-8"
            raise RequestError(Fault.OUTPUT_NOT_IN_JSON, name=name, what=what) from None
    if isinstance(value, str):
        return value
    raise RequestError(
        Fault.BAD_OUTPUT,
        detail=f"output '{name}' holds {type(value).__name__} objects; expected text",
    )
