"""A baseline as somebody wrote it: one row or several, of values or by name.

For: the arrays that features are swapped with, or a refusal by the name of what does not fit.
Must not know: who gave it, what is done with the rows, models, HTTP.

A row has a value for each column and for each text, and for an input in blocks an item: nested as
its values are, or a number that stands for all of them.
"""

from typing import Any

from predictor import datatypes
from predictor.errors import RequestError
from predictor.explain_blocks import Blocks
from predictor.explain_requests import BASELINE_ROWS_MAX, bad
from predictor.features import Features, Feeds, Part
from predictor.model import Tensor
from predictor.refusals import NAMES_MAX, rejected


def read(raw: Any, features: Features, *, where: str, is_declared: bool) -> tuple[Features, Feeds]:
    """The baseline, and with it the features.

    Whole numbers whose baseline has a point become FP64 where the model does not declare what it
    takes.
    """
    rows = [_ordered(each, features, where) for each in _listed(raw, features, where)]
    parts: dict[str, Part] = {}
    found: dict[str, Tensor] = {}
    start = 0
    for name, part in features.parts.items():
        end = start + len(part.slots)
        values = [row[start:end] for row in rows]
        try:
            parts[name], found[name] = part.based(values, is_declared=is_declared)
        except RequestError as error:
            raise rejected(f"{where}: {error}") from None
        start = end
    return Features(parts=parts, rows=features.rows), found


def _listed(raw: Any, features: Features, where: str) -> list[Any]:
    """Rows, each an object or a list of values."""
    if type(raw) is dict:
        return [raw]
    in_blocks = [part for part in features.parts.values() if type(part) is Blocks]
    if in_blocks and len(features.names) == 1:
        return _items(raw, in_blocks[0], where)
    if type(raw) is not list or not raw:
        raise bad(where, "a row, or a list of rows", _said(raw))
    if in_blocks and type(raw[0]) is not dict:
        names = ", ".join(features.names[:NAMES_MAX])
        raise bad(where, f"an object of {names}, or a list of such", "a list of values")
    if type(raw[0]) not in (list, dict):
        return [raw]
    return _bounded(raw, where)


def _items(raw: Any, part: Blocks, where: str) -> list[Any]:
    """The same of a request's one input, where that is cut in blocks: items need no name."""
    if type(raw) in (int, float):
        return [[raw]]
    if type(raw) is list and raw and type(raw[0]) is dict:
        return _bounded(raw, where)
    depth, inner = 0, raw
    while type(inner) is list and inner:
        depth, inner = depth + 1, inner[0]
    axes = len(part.edges)
    if depth == axes:
        return [[raw]]
    if depth == axes + 1:
        return [[item] for item in _bounded(raw, where)]
    expected = f"a number, an item nested {axes} deep, or a list of items"
    got = f"a list nested {depth} deep" if depth else _said(raw)
    raise bad(where, expected, got)


def _bounded(rows: list[Any], where: str) -> list[Any]:
    if len(rows) > BASELINE_ROWS_MAX:
        raise bad(where, f"at most {BASELINE_ROWS_MAX} rows", str(len(rows)))
    return rows


def _ordered(row: Any, features: Features, where: str) -> list[Any]:
    """The values of a row in the order of the features."""
    names = features.names
    if type(row) is list:
        if len(row) != len(names):
            raise bad(where, f"a row of {len(names)} values", str(len(row)))
        return row
    if type(row) is not dict:
        raise bad(where, "rows of one kind, lists or objects", datatypes.word(row))
    listed = ", ".join(names[:NAMES_MAX])
    for name in row:
        if name not in names:
            raise bad(where, f"values of {listed}", f"'{name}'")
    for name in names:
        if name not in row:
            raise bad(where, f"values of {listed}", f"none of '{name}'")
    return [row[name] for name in names]


def _said(raw: Any) -> str:
    return "an empty list" if raw == [] else datatypes.word(raw)
