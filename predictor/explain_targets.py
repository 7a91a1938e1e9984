"""Which number of a model's answer is explained.

For: one value or several of each row, whatever a model answers: scores of classes, numbers, labels.
Must not know: features, how rows are evaluated, HTTP.

Of scores of several classes it is the highest; of a number, the number; of labels alone, whether
the answer stays the same label, 1 or 0. Axes of one value do not count: [n, 1000, 1, 1] is a row of
scores. Of outputs with several other axes, one number is explained where it is asked for.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.model import Tensor

ALL = "all"
_INDEXED = re.compile(r"(?P<name>.*)\[(?P<index>[0-9]{1,9}(?:,[0-9]{1,9})*)\]")
_FLOATS = "fV"

Outputs = Mapping[str, Tensor]
Read = Callable[[Outputs], Tensor]


class Target(NamedTuple):
    """What is explained of one row: names of the values, and where they are in an answer."""

    names: tuple[str, ...]
    labels: tuple[Any, ...]  # of the classes that the values are of; None where nobody knows
    read: Read  # an answer → (rows, values)


class _Table(NamedTuple):
    """The numbers of an answer in columns."""

    outputs: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[Any, ...]
    read: Read
    is_choice: bool  # the highest of a row is what the model decided for


def of_rows(outputs: Outputs, rows: int, asked: str, classes: Sequence[Any] = ()) -> list[Target]:
    """A target for each row of an answer; RequestError where there is nothing to explain."""
    name, index = _asked(outputs, asked)
    if name and outputs[name].dtype.kind not in _FLOATS and index is None:
        return _stays(outputs, name, rows)
    if index is not None and outputs[name].dtype.kind == "O" and outputs[name].ndim > 1:
        return _stays(outputs, name, rows, index)
    if index is not None and len(index) > 1:
        return [_element(outputs, name, index, rows)] * rows
    table = _named(outputs, name, classes) if name else _found(outputs, classes)
    if table is None:
        return _stays(outputs, _label(outputs), rows)
    for each in table.outputs:
        _check_rows(each, outputs[each], rows)
    values = table.read(outputs)
    if asked == ALL:
        return [_picked(table, range(len(table.names)))] * rows
    if index is not None:
        if index[0] >= len(table.names):
            expected = f"{name}[0] to {name}[{len(table.names) - 1}]"
            raise RequestError(Fault.UNKNOWN_OUTPUT, name=asked, expected=expected)
        return [_picked(table, list(index))] * rows
    if not table.is_choice:
        return [_picked(table, [0])] * rows
    return [_picked(table, [int(best)]) for best in values.argmax(axis=1)]


def _asked(outputs: Outputs, asked: str) -> tuple[str, tuple[int, ...] | None]:
    if not asked or (asked == ALL and asked not in outputs):
        return "", None
    if asked in outputs:
        return asked, None
    match = _INDEXED.fullmatch(asked)
    if match is not None and match["name"] in outputs:
        return match["name"], tuple(map(int, match["index"].split(",")))
    expected = ", ".join((*outputs, ALL))
    raise RequestError(Fault.UNKNOWN_OUTPUT, name=asked, expected=expected)


def _found(outputs: Outputs, classes: Sequence[Any]) -> _Table | None:
    """The first table of scores; else the numbers, together where they are beside a label."""
    floats = {
        name: array
        for name, array in outputs.items()
        if array.dtype.kind in _FLOATS and _is_row(array) and prod(array.shape[1:])
    }
    for name, array in floats.items():
        if prod(array.shape[1:]) > 1:
            return _named(outputs, name, classes)
    if not floats:
        return None
    if len(floats) == 1 or len(floats) == len(outputs):
        return _named(outputs, next(iter(floats)), classes)
    names = tuple(floats)

    def read(answer: Outputs) -> Tensor:
        return np.hstack([_array(answer, name, outputs[name].shape[1:]) for name in names])

    return _Table(names, names, (None,) * len(names), read, is_choice=True)


def _named(outputs: Outputs, name: str, classes: Sequence[Any]) -> _Table:
    array = outputs[name]
    if array.dtype.kind == "O" or not _is_row(array):
        shape = list(array.shape)
        asks = (
            ""
            if array.dtype.kind == "O" or array.ndim < 3
            else f": ask for one, {_first(name, array)}"
        )
        why = f"output '{name}' has shape {shape}; a number or a row of them is needed{asks}"
        raise _refused(why)
    width, shape = prod(array.shape[1:]), array.shape[1:]
    if width == 1:
        one = (name,)
        return _Table(one, one, (None,), lambda answer: _array(answer, name, shape), False)
    labels = tuple(classes) if len(classes) == width else (None,) * width
    names = tuple(f"{name}[{index}]" for index in range(width))
    return _Table((name,), names, labels, lambda answer: _array(answer, name, shape), True)


def _picked(table: _Table, columns: Sequence[int]) -> Target:
    picks = list(columns)

    def read(outputs: Outputs) -> Tensor:
        return table.read(outputs)[:, picks]

    names = tuple(table.names[pick] for pick in picks)
    return Target(names, tuple(table.labels[pick] for pick in picks), read)


def _element(outputs: Outputs, name: str, index: tuple[int, ...], rows: int) -> Target:
    """One number of many, by its place on each axis."""
    _check_rows(name, outputs[name], rows)
    shape = outputs[name].shape[1:]
    column = _place(name, outputs[name], index)

    def read(answer: Outputs) -> Tensor:
        return _array(answer, name, shape)[:, [column]]

    return Target((f"{name}[{','.join(map(str, index))}]",), (None,), read)


def _place(name: str, array: Tensor, index: tuple[int, ...]) -> int:
    """Which column of an item's values that is, in a row."""
    shape = array.shape[1:]
    if len(index) != len(shape) or not all(map(int.__lt__, index, shape)):
        asked = f"{name}[{','.join(map(str, index))}]"
        expected = f"'{name}' of shape {list(array.shape)}, {_first(name, array)} first"
        raise RequestError(Fault.UNKNOWN_OUTPUT, name=asked, expected=expected)
    return int(np.ravel_multi_index(index, shape))


def _is_row(array: Tensor) -> bool:
    """Whether an item is a number or a row of them: one axis of several values at most."""
    return array.ndim > 0 and sum(size != 1 for size in array.shape[1:]) <= 1


def _first(name: str, array: Tensor) -> str:
    """How the first number of an item is asked for."""
    return f"{name}[{','.join('0' * (array.ndim - 1))}]" if array.ndim > 1 else name


def _label(outputs: Outputs) -> str:
    for name, array in outputs.items():
        if array.ndim and prod(array.shape[1:]) == 1:
            return name
    shapes = ", ".join(f"'{name}' {list(array.shape)}" for name, array in outputs.items())
    asks = [_first(name, array) for name, array in outputs.items() if array.ndim > 1]
    remedy = f"; ask for one of them by parameters.output: {asks[0]}" if asks else ""
    why = f"no output is a number, a row of numbers or a label for each row: {shapes}{remedy}"
    raise _refused(why)


def _stays(
    outputs: Outputs, name: str, rows: int, index: tuple[int, ...] | None = None
) -> list[Target]:
    """Whether each row keeps its label, or one of its labels."""
    found = outputs[name]
    _check_rows(name, found, rows)
    shape = found.shape[1:]
    if index is None and prod(shape) != 1:
        asks = f": ask for one, {_first(name, found)}" if found.ndim > 1 else ""
        raise _refused(
            f"output '{name}' has shape {list(found.shape)}; a label a row is needed{asks}"
        )
    column = 0 if index is None else _place(name, found, index)
    said = name if index is None else f"{name}[{','.join(map(str, index))}]"

    def keeping(label: Any) -> Target:
        def read(answer: Outputs) -> Tensor:
            if index is not None and answer[name].shape[1:] != shape:
                raise ValueError(f"{name}: {answer[name].shape}")
            stays: Tensor = answer[name].reshape(len(answer[name]), -1)[:, [column]] == label
            return stays.astype(np.float64)

        shown = label.decode(errors="replace") if isinstance(label, bytes) else label
        return Target((f"{said} = {shown}",), (shown,), read)

    return [keeping(label) for label in found.reshape(rows, -1)[:, column].tolist()]


def _check_rows(name: str, array: Tensor, rows: int) -> None:
    if array.shape[:1] != (rows,):
        shape = list(array.shape)
        raise _refused(f"output '{name}' has shape {shape} for {rows} rows: it is not one for each")


def _array(answer: Outputs, name: str, shape: tuple[int, ...]) -> Tensor:
    """An output's items as rows; ValueError where they have another shape than the instance's."""
    array = answer[name]
    if array.shape[1:] != shape:
        raise ValueError(f"{name}: {array.shape}")
    return array.astype(np.float64).reshape(len(array), -1)


def _refused(why: str) -> RequestError:
    return RequestError(Fault.NOT_EXPLAINED, why=why)
