"""The tensors of a request as features: columns that can be swapped with a baseline's.

For: rows in which some features have an instance's values and the others a baseline's.
Must not know: what is done with the rows, models, HTTP.

A tensor [n, k] is k features, [n] or [n, 1] is one. Text can be swapped as well as numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from predictor import datatypes
from predictor.datatypes import DATATYPES
from predictor.errors import Fault, RequestError
from predictor.model import Tensor
from predictor.refusals import NAMES_MAX, rejected

FEATURES_MAX = 4096
BASELINE_ROWS_MAX = 100
_TABULAR = "rows of columns can be explained: tensors of shape [n, k] or [n]"

Feeds = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The rows of one request, and what their columns are called."""

    feeds: Feeds
    names: tuple[str, ...]
    widths: tuple[int, ...]  # columns of each tensor
    rows: int

    def swapped(self, row: int, baseline: Feeds, masks: Tensor, picks: Tensor) -> dict[str, Tensor]:
        """For each mask a row: its own values where it is True, else those of a baseline's row."""
        found, start = {}, 0
        for (name, array), width in zip(self.feeds.items(), self.widths, strict=True):
            own, others = array[row], baseline[name][picks]
            mask = masks[:, start : start + width]
            found[name] = np.where(mask if array.ndim == 2 else mask[:, 0], own, others)
            start += width
        return found

    def differing(self, row: int, baseline: Feeds) -> Tensor:
        """The features in which a row differs from any of a baseline's: the others add nothing."""
        parts = []
        for name, array in self.feeds.items():
            own, others = array[row : row + 1], baseline[name]
            differs = own != others
            if array.dtype.kind == "f":
                differs &= ~(np.isnan(own) & np.isnan(others))
            parts.append(np.atleast_1d(differs.any(axis=0)))
        return np.flatnonzero(np.concatenate(parts))

    def take(self, start: int, end: int) -> dict[str, Tensor]:
        """Some of the rows."""
        return {name: array[start:end] for name, array in self.feeds.items()}


def of(feeds: Feeds, known: Sequence[str] = ()) -> Features:
    """RequestError says why tensors are no rows of columns; `known` names a matrix's columns."""
    if not feeds:
        raise _refused(f"the model takes no input; {_TABULAR}")
    rows = _rows(feeds)
    names: list[str] = []
    widths: list[int] = []
    plain: dict[str, Tensor] = {}
    for name, array in feeds.items():
        width = array.shape[1] if array.ndim == 2 else 1
        if len(feeds) == 1 and array.ndim == 1 and array.dtype.kind == "O":
            raise _refused(f"input '{name}' is text as a whole; {_TABULAR}")
        if array.ndim == 1 or (width == 1 and len(feeds) > 1):
            names.append(name)
        elif len(feeds) == 1 and len(set(known)) == len(known) == width:
            names += known
        else:
            names += [f"{name}[{index}]" for index in range(width)]
        widths.append(width)
        plain[name] = array.astype(np.float32) if array.dtype.kind == "V" else array
    if len(names) > FEATURES_MAX:
        got = f"{len(names)} features, more than the {FEATURES_MAX} that are told apart"
        raise _refused(f"the input has {got}")
    if not names:
        raise _refused(f"the input has no columns; {_TABULAR}")
    return Features(feeds=plain, names=tuple(names), widths=tuple(widths), rows=rows)


def zeros(features: Features) -> Feeds:
    """A baseline of zeros; RequestError where there is text, which has none."""
    for name, array in features.feeds.items():
        if array.dtype.kind == "O":
            raise _refused(
                f"input '{name}' is text, for which zero is no baseline: give parameters.baseline, "
                "or store baseline.json with the model"
            )
    return {
        name: np.zeros((1, *array.shape[1:]), array.dtype) for name, array in features.feeds.items()
    }


def baseline(
    raw: Any, features: Features, *, where: str, is_declared: bool
) -> tuple[Features, Feeds]:
    """A baseline as somebody wrote it: one row or several, of values or by name.

    With it the features: whole numbers whose baseline has a point become FP64 where the model
    does not declare what it takes.
    """
    rows = [_ordered(each, features, where) for each in _listed(raw, where)]
    bounds = np.cumsum([0, *features.widths]).tolist()
    own: dict[str, Tensor] = {}
    found: dict[str, Tensor] = {}
    for (start, end), (name, array) in zip(pairwise(bounds), features.feeds.items(), strict=True):
        values = [row[start:end] if array.ndim == 2 else row[start] for row in rows]
        flat = [value for row in rows for value in row[start:end]]
        datatype = datatypes.of_array(array)
        is_whole = array.dtype.kind in "iu" and float in map(type, flat)
        if is_whole and not is_declared:
            datatype = DATATYPES["FP64"]
            array = array.astype(np.float64)
        assert datatype is not None, "it was decoded as one"
        try:
            found[name] = datatypes.to_array(name, values, datatype)
        except RequestError as error:
            raise rejected(f"{where}: {error}") from None
        own[name] = array
    changed = Features(feeds=own, names=features.names, widths=features.widths, rows=features.rows)
    return changed, found


def _rows(feeds: Feeds) -> int:
    first = next(iter(feeds))
    for name, array in feeds.items():
        if array.ndim not in (1, 2):
            shape = list(array.shape)
            raise _refused(f"input '{name}' has shape {shape}; {_TABULAR}")
        if len(array) != len(feeds[first]):
            raise RequestError(
                Fault.UNEQUAL_SIZES,
                name=name,
                axis=0,
                got=len(array),
                dimension="rows",
                expected=len(feeds[first]),
                other=first,
            )
    if not len(feeds[first]):
        raise _refused("there are no rows")
    return len(feeds[first])


def _listed(raw: Any, where: str) -> list[Any]:
    if type(raw) is dict:
        return [raw]
    if type(raw) is not list or not raw:
        got = "an empty list" if raw == [] else datatypes.word(raw)
        raise _bad(where, "a row, or a list of rows", got)
    if type(raw[0]) not in (list, dict):
        return [raw]
    if len(raw) > BASELINE_ROWS_MAX:
        raise _bad(where, f"at most {BASELINE_ROWS_MAX} rows", str(len(raw)))
    return raw


def _ordered(row: Any, features: Features, where: str) -> list[Any]:
    """The values of a row in the order of the features."""
    if type(row) is list:
        if len(row) != len(features.names):
            raise _bad(where, f"a row of {len(features.names)} values", str(len(row)))
        return row
    if type(row) is not dict:
        raise _bad(where, "rows of one kind, lists or objects", datatypes.word(row))
    listed = ", ".join(features.names[:NAMES_MAX])
    for name in row:
        if name not in features.names:
            raise _bad(where, f"values of {listed}", f"'{name}'")
    for name in features.names:
        if name not in row:
            raise _bad(where, f"values of {listed}", f"none of '{name}'")
    return [row[name] for name in features.names]


def _bad(field: str, expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)


def _refused(why: str) -> RequestError:
    return RequestError(Fault.NOT_EXPLAINED, why=why)
