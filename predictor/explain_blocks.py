"""Features that are blocks: a grid over an item's axes, each block swapped for a baseline's.

For: images, sequences and whatever has too many values to tell apart one by one.
Must not know: other inputs, what is done with the rows, models, HTTP.

An item is one row of a tensor: an image of [n, 3, 224, 224] has the axes 3, 224 and 224. Which
axes are cut where nobody says: not those of at most 4 values, which are channels, where another
is longer; of [n, len, dim] with two unequal axes left, not the last: positions keep their vectors
whole. The others get blocks as nearly square as the number of features allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Self

import numpy as np

from predictor import datatypes
from predictor.errors import Fault, RequestError
from predictor.explain_columns import as_array, differences, widened
from predictor.explanation import Form
from predictor.model import Tensor

_CHANNELS_MAX = 4
Edges = tuple[tuple[int, ...], ...]  # for each axis where blocks start, and where the last ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """One tensor, a feature a block of its items."""

    name: str
    array: Tensor
    edges: Edges

    @property
    def slots(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(len(edges) - 1 for edges in self.edges)

    @property
    def size(self) -> int:
        return prod(self.array.shape[1:])

    def count(self, row: int) -> int:
        """See `Columns`."""
        del row
        return prod(self.grid)

    def forms(self, row: int) -> tuple[Form, ...]:
        """See `Columns`."""
        del row
        places = (",".join(map(str, place)) for place in np.ndindex(self.grid))
        names = tuple(f"{self.name}[{place}]" for place in places)
        return (Form(input=self.name, names=names, edges=self.edges),)

    def swapped(self, row: int, baseline: Tensor, masks: Tensor, picks: Tensor) -> Tensor:
        """See `Columns`."""
        mask = masks.reshape(len(masks), *self.grid)
        for axis, edges in enumerate(self.edges, 1):
            if len(edges) > 2:  # one block is as long as its axis by itself
                mask = np.repeat(mask, np.diff(edges), axis=axis)
        return np.where(mask, self.array[row], baseline[picks])

    def differing(self, row: int, baseline: Tensor) -> Tensor:
        """See `Columns`."""
        found = differences(self.array[row : row + 1], baseline).any(axis=0)
        for axis, edges in enumerate(self.edges):
            found = np.logical_or.reduceat(found, edges[:-1], axis=axis)
        return found.reshape(-1)

    def zeros(self) -> Tensor:
        """See `Columns`."""
        return np.zeros((1, *self.array.shape[1:]), self.array.dtype)

    def based(self, rows: Sequence[Sequence[Any]], *, is_declared: bool) -> tuple[Self, Tensor]:
        """See `Columns`: an item each, or a number that stands for all of its values."""
        items = [row[0] for row in rows]
        kinds = {datatypes.guess(self.name, item).kind for item in items}
        array = widened(self.array, has_point="f" in kinds, is_declared=is_declared)
        shape = array.shape[1:]
        found = [as_array(self.name, item, array) for item in items]
        for each in found:
            if each.shape not in ((), shape):
                expected = f"a number, or values of shape {list(shape)}"
                got = str(list(each.shape))
                field = f"input '{self.name}'"
                raise RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)
        whole = np.stack([np.broadcast_to(each, shape) for each in found])
        return replace(self, array=array), whole


def of(name: str, array: Tensor, grid: Sequence[int]) -> Blocks:
    """Blocks that are as equal as whole numbers can be, so many along each axis."""
    edges = tuple(
        tuple(at * size // count for at in range(count + 1))
        for size, count in zip(array.shape[1:], grid, strict=True)
    )
    return Blocks(name=name, array=array, edges=edges)


def grid_of(shape: Sequence[int], features_max: int) -> tuple[int, ...]:
    """How many blocks along each axis of an item, at most so many together; none is empty."""
    cut = _cut(shape)
    low, high = 1, max(shape)  # the longest edge of a block, on every axis that is cut
    while low < high:
        middle = (low + high) // 2
        if prod(_counts(shape, cut, middle)) <= features_max:
            high = middle
        else:
            low = middle + 1
    return _counts(shape, cut, low)


def _cut(shape: Sequence[int]) -> frozenset[int]:
    """The axes that are cut."""
    longest = max(shape)
    axes = [axis for axis, size in enumerate(shape) if size > _CHANNELS_MAX or size == longest]
    if len(shape) == 2 and len(axes) == 2 and shape[0] != shape[1]:
        axes = axes[:1]
    return frozenset(axes)


def _counts(shape: Sequence[int], cut: frozenset[int], edge: int) -> tuple[int, ...]:
    return tuple(-(-size // edge) if axis in cut else 1 for axis, size in enumerate(shape))
