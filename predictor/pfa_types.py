"""Tensors to the values a PFA document takes, and its values back, by their Avro types.

For: columns for the fields of a record, one column for anything else, JSON for what has no tensor.
Must not know: titus, models, HTTP. A type here is Avro's JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from predictor.errors import Fault, RequestError
from predictor.model import Tensor, TensorSpec
from predictor.refusals import rejected

_DATATYPES = {
    "boolean": "BOOL",
    "int": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "bytes": "BYTES",
    "enum": "BYTES",
    "fixed": "BYTES",
}
_DTYPES: dict[str, type] = {"BOOL": bool, "INT32": np.int32, "INT64": np.int64, "FP32": np.float32}
_DTYPES |= {"FP64": np.float64, "BYTES": object}
_FLOATING = ("FP32", "FP64")


class Column(NamedTuple):
    """One tensor of a type: a value a row, a list of values a row, or JSON text a row."""

    name: str
    datatype: str
    is_list: bool = False
    is_json: bool = False
    is_optional: bool = False  # null is NaN

    def spec(self) -> TensorSpec:
        """What the metadata says of it."""
        shape = (-1, -1) if self.is_list else (-1,)
        return TensorSpec(name=self.name, datatype=self.datatype, shape=shape)


def columns(avro: Any, *, default: str) -> tuple[Column, ...]:
    """The fields of a record, or one column called `default`."""
    if is_record(avro):
        return tuple(_column(field["name"], field["type"]) for field in avro["fields"])
    return (_column(default, avro),)


def is_record(avro: Any) -> bool:
    """Whether a type has named fields."""
    return isinstance(avro, dict) and avro.get("type") == "record" and bool(avro.get("fields"))


def rows(inputs: Mapping[str, Tensor], avro: Any, taken: Sequence[Column]) -> list[Any]:
    """What the document takes, row by row. One matrix stands for the fields in their order."""
    names = [column.name for column in taken]
    given = dict(inputs)
    if len(given) == 1 and next(iter(given)) not in names:
        given = _apart(*next(iter(given.items())), taken)
    for name in given:
        if name not in names:
            raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=", ".join(names))
    values: dict[str, list[Any]] = {}
    for column in taken:
        if column.name not in given:
            got = ", ".join(inputs) or "none"
            blanks = {"expected": ", ".join(names), "got": got}
            raise RequestError(Fault.MISSING_INPUT, name=column.name, **blanks)
        values[column.name] = _values(column, given[column.name])
    first = names[0]
    for name, one in values.items():
        if len(one) != len(values[first]):
            sizes: dict[str, Any] = {"axis": 0, "got": len(one), "expected": len(values[first])}
            raise RequestError(
                Fault.UNEQUAL_SIZES, name=name, dimension="rows", other=first, **sizes
            )
    if is_record(avro):
        return [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return values[first]


def tensors(answers: Sequence[Any], avro: Any, given: Sequence[Column]) -> dict[str, Tensor]:
    """The document's answers, plain as Avro's JSON without tags, as tensors."""
    if not is_record(avro):
        return {given[0].name: _array(given[0], answers)}
    return {
        column.name: _array(column, [answer.get(column.name) for answer in answers])
        for column in given
    }


def _column(name: str, avro: Any) -> Column:
    is_optional = False
    if isinstance(avro, list) and len(avro) == 2 and "null" in avro:
        [avro] = [one for one in avro if one != "null"]
        is_optional = True
    word = avro.get("type") if isinstance(avro, dict) else avro
    if word == "array" and not is_optional:
        inner = _column(name, avro["items"])
        if not (inner.is_list or inner.is_json or inner.is_optional):
            return inner._replace(is_list=True)
    elif isinstance(word, str) and word in _DATATYPES:
        datatype = _DATATYPES[word]
        if not is_optional or datatype in _FLOATING:
            return Column(name, datatype, is_optional=is_optional)
    return Column(name, "BYTES", is_json=True)


def _apart(name: str, array: Tensor, taken: Sequence[Column]) -> dict[str, Tensor]:
    if len(taken) == 1:
        return {taken[0].name: array}
    if array.ndim != 2 or array.shape[1] != len(taken):
        expected, blanks = [-1, len(taken)], {"rank": 2, "got_rank": array.ndim}
        got = list(array.shape)
        raise RequestError(Fault.WRONG_RANK, name=name, expected=expected, got=got, **blanks)
    return {column.name: array[:, index] for index, column in enumerate(taken)}


def _values(column: Column, array: Tensor) -> list[Any]:
    rank = 2 if column.is_list else 1
    if array.ndim == rank + 1 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != rank:
        blanks = {"expected": [-1] * rank, "rank": rank, "got_rank": array.ndim}
        got = list(array.shape)
        raise RequestError(Fault.WRONG_RANK, name=column.name, got=got, **blanks)
    is_text = array.dtype.kind in "OUS"
    if is_text != (column.datatype == "BYTES"):
        expected, got_word = ("text", "numbers") if not is_text else ("numbers", "text")
        blanks = {"expected": expected, "datatype": column.datatype, "got": got_word}
        raise RequestError(Fault.WRONG_VALUES, name=column.name, **blanks)
    if column.datatype in ("INT32", "INT64") and array.dtype.kind == "f":
        if not np.equal(np.mod(array, 1), 0).all():
            raise RequestError(
                Fault.NOT_WHOLE, name=column.name, datatype=column.datatype, got="a fraction"
            )
        array = array.astype(np.int64)
    values: list[Any] = array.tolist()
    if column.is_json:
        return [_parsed(column.name, one) for one in values]
    if column.is_optional:
        return [None if one != one else one for one in values]
    return values


def _parsed(name: str, text: Any) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise rejected(f"input '{name}': expected JSON text in every row: {error}") from None


def _array(column: Column, values: Sequence[Any]) -> Tensor:
    if column.is_json:
        return np.array([orjson.dumps(one).decode() for one in values], object)
    if column.is_optional:
        values = [np.nan if one is None else one for one in values]
    try:
        found: Tensor = np.array(values, _DTYPES[column.datatype])
    except (ValueError, OverflowError):
        found = np.empty(0)
    if found.shape[:1] != (len(values),) or found.ndim != 1 + column.is_list:
        if not values:
            return np.empty((0, 0) if column.is_list else 0, _DTYPES[column.datatype])
        detail = f"output '{column.name}' holds lists of different lengths; ask for a row at a time"
        raise RequestError(Fault.BAD_OUTPUT, detail=detail)
    return found
