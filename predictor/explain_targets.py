"""Which number of a model's answer is explained.

For: one value or several of each row, whatever a model answers: scores of classes, numbers, labels.
Must not know: features, how rows are evaluated, HTTP.

Of scores of several classes it is the highest; of a number, the number; of labels alone, whether
the answer stays the same label, 1 or 0.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.model import Tensor

ALL = "all"
_INDEXED = re.compile(r"(?P<name>.*)\[(?P<index>[0-9]{1,9})\]")
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
    table = _named(outputs, name, classes) if name else _found(outputs, classes)
    if table is None:
        return _stays(outputs, _label(outputs), rows)
    for each in table.outputs:
        _check_rows(each, outputs[each], rows)
    values = table.read(outputs)
    if asked == ALL:
        return [_picked(table, range(len(table.names)))] * rows
    if index is not None:
        if index >= len(table.names):
            expected = f"{name}[0] to {name}[{len(table.names) - 1}]"
            raise RequestError(Fault.UNKNOWN_OUTPUT, name=asked, expected=expected)
        return [_picked(table, [index])] * rows
    if not table.is_choice:
        return [_picked(table, [0])] * rows
    return [_picked(table, [int(best)]) for best in values.argmax(axis=1)]


def _asked(outputs: Outputs, asked: str) -> tuple[str, int | None]:
    if not asked or (asked == ALL and asked not in outputs):
        return "", None
    if asked in outputs:
        return asked, None
    match = _INDEXED.fullmatch(asked)
    if match is not None and match["name"] in outputs:
        return match["name"], int(match["index"])
    expected = ", ".join((*outputs, ALL))
    raise RequestError(Fault.UNKNOWN_OUTPUT, name=asked, expected=expected)


def _found(outputs: Outputs, classes: Sequence[Any]) -> _Table | None:
    """The first table of scores; else the numbers, together where they are beside a label."""
    floats = {
        name: array
        for name, array in outputs.items()
        if array.dtype.kind in _FLOATS and array.ndim in (1, 2) and array.shape[1:] != (0,)
    }
    for name, array in floats.items():
        if array.ndim == 2 and array.shape[1] > 1:
            return _named(outputs, name, classes)
    if not floats:
        return None
    if len(floats) == 1 or len(floats) == len(outputs):
        return _named(outputs, next(iter(floats)), classes)
    names = tuple(floats)

    def read(answer: Outputs) -> Tensor:
        return np.column_stack([_flat(answer, name) for name in names])

    return _Table(names, names, (None,) * len(names), read, is_choice=True)


def _named(outputs: Outputs, name: str, classes: Sequence[Any]) -> _Table:
    array = outputs[name]
    if array.dtype.kind == "O" or array.ndim not in (1, 2):
        shape = list(array.shape)
        raise _refused(f"output '{name}' has shape {shape}; a number or a row of them is needed")
    width = array.shape[1] if array.ndim == 2 else 1
    if width == 1:
        one = (name,)
        return _Table(one, one, (None,), lambda answer: _flat(answer, name)[:, None], False)
    labels = tuple(classes) if len(classes) == width else (None,) * width
    names = tuple(f"{name}[{index}]" for index in range(width))
    return _Table((name,), names, labels, lambda answer: _array(answer, name), True)


def _picked(table: _Table, columns: Sequence[int]) -> Target:
    picks = list(columns)

    def read(outputs: Outputs) -> Tensor:
        return table.read(outputs)[:, picks]

    names = tuple(table.names[pick] for pick in picks)
    return Target(names, tuple(table.labels[pick] for pick in picks), read)


def _label(outputs: Outputs) -> str:
    for name, array in outputs.items():
        if array.ndim == 1 or array.shape[1:] == (1,):
            return name
    shapes = ", ".join(f"'{name}' {list(array.shape)}" for name, array in outputs.items())
    raise _refused(f"no output is a number, a row of numbers or a label for each row: {shapes}")


def _stays(outputs: Outputs, name: str, rows: int) -> list[Target]:
    """Whether each row keeps its label."""
    found = outputs[name]
    _check_rows(name, found, rows)
    if found.ndim > 2 or (found.ndim == 2 and found.shape[1] != 1):
        raise _refused(f"output '{name}' has shape {list(found.shape)}; a label a row is needed")

    def keeping(label: Any) -> Target:
        def read(answer: Outputs) -> Tensor:
            stays: Tensor = answer[name].reshape(-1, 1) == label
            return stays.astype(np.float64)

        shown = label.decode(errors="replace") if isinstance(label, bytes) else label
        return Target((f"{name} = {shown}",), (shown,), read)

    return [keeping(label) for label in found.reshape(-1).tolist()]


def _check_rows(name: str, array: Tensor, rows: int) -> None:
    if array.shape[:1] != (rows,):
        shape = list(array.shape)
        raise _refused(f"output '{name}' has shape {shape} for {rows} rows: it is not one for each")


def _array(answer: Outputs, name: str) -> Tensor:
    return answer[name].astype(np.float64)


def _flat(answer: Outputs, name: str) -> Tensor:
    return _array(answer, name).reshape(-1)


def _refused(why: str) -> RequestError:
    return RequestError(Fault.NOT_EXPLAINED, why=why)
