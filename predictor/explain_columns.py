"""Features that are columns: a value each, swapped for a baseline's.

For: a tensor [n, k], which is k features, or [n] or [n, 1], which is one; and inputs left alone.
Must not know: other inputs, what is done with the rows, models, HTTP.

Text can be swapped as well as numbers, but has no zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from predictor import datatypes
from predictor.errors import Fault, RequestError
from predictor.explanation import Form
from predictor.model import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """One tensor, a feature a column."""

    name: str
    array: Tensor
    slots: tuple[str, ...]  # the columns by name, which is what a baseline has values of

    @property
    def size(self) -> int:
        return len(self.slots)

    def count(self, row: int) -> int:
        """How many features a row has."""
        del row
        return len(self.slots)

    def forms(self, row: int) -> tuple[Form, ...]:
        """How its attributions are written."""
        del row
        return (Form(input=self.name, names=self.slots),)

    def swapped(self, row: int, baseline: Tensor, masks: Tensor, picks: Tensor) -> Tensor:
        """For each mask a row: its own values where it is True, else those of a baseline's row."""
        mask = masks if self.array.ndim == 2 else masks[:, 0]
        return np.where(mask, self.array[row], baseline[picks])

    def differing(self, row: int, baseline: Tensor) -> Tensor:
        """Which features differ from any row of a baseline: the others add nothing."""
        return np.atleast_1d(differences(self.array[row : row + 1], baseline).any(axis=0))

    def zeros(self) -> Tensor:
        """A baseline of zeros; RequestError where there is text, which has none."""
        if self.array.dtype.kind == "O":
            why = (
                f"input '{self.name}' is text, for which zero is no baseline: give "
                "parameters.baseline, or store baseline.json with the model; or have its words "
                "left out, by parameters.unit: word"
            )
            raise RequestError(Fault.NOT_EXPLAINED, why=why)
        return np.zeros((1, *self.array.shape[1:]), self.array.dtype)

    def based(self, rows: Sequence[Sequence[Any]], *, is_declared: bool) -> tuple[Self, Tensor]:
        """The values of a baseline's slots as an array, and itself in the datatype of both."""
        values = [list(row) if self.array.ndim == 2 else row[0] for row in rows]
        has_point = any(type(value) is float for row in rows for value in row)
        array = widened(self.array, has_point=has_point, is_declared=is_declared)
        return replace(self, array=array), as_array(self.name, values, array)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One tensor that every mixture has as the row has it: no feature."""

    name: str
    array: Tensor

    @property
    def slots(self) -> tuple[str, ...]:
        return ()

    @property
    def size(self) -> int:
        return int(np.prod(self.array.shape[1:]))

    def count(self, row: int) -> int:
        """See `Columns`."""
        del row
        return 0

    def forms(self, row: int) -> tuple[Form, ...]:
        """See `Columns`."""
        del row
        return ()

    def swapped(self, row: int, baseline: Tensor, masks: Tensor, picks: Tensor) -> Tensor:
        """See `Columns`."""
        del baseline, picks
        return np.repeat(self.array[row : row + 1], len(masks), axis=0)

    def differing(self, row: int, baseline: Tensor) -> Tensor:
        """See `Columns`."""
        del row, baseline
        return np.zeros(0, bool)

    def zeros(self) -> Tensor:
        """See `Columns`; nobody reads it."""
        return self.array[:1]

    def based(self, rows: Sequence[Sequence[Any]], *, is_declared: bool) -> tuple[Self, Tensor]:
        """See `Columns`."""
        del is_declared
        return self, np.repeat(self.array[:1], len(rows), axis=0)


def differences(own: Tensor, others: Tensor) -> Tensor:
    """Where values differ: those that are no numbers are alike."""
    differs: Tensor = own != others
    if own.dtype.kind == "f":
        differs = differs & ~(np.isnan(own) & np.isnan(others))
    return differs


def widened(array: Tensor, *, has_point: bool, is_declared: bool) -> Tensor:
    """Whole numbers whose baseline has a point, as FP64 where no model declares what it takes."""
    is_whole = array.dtype.kind in "iu" and has_point
    return array.astype(np.float64) if is_whole and not is_declared else array


def as_array(name: str, values: Any, like: Tensor) -> Tensor:
    """What JSON says, in the datatype of an array."""
    datatype = datatypes.of_array(like)
    assert datatype is not None, "it was decoded as one"
    return datatypes.to_array(name, values, datatype)
