"""Inputs made up for a model from its signature, and whether two models answer them alike.

For: verifying a prepared model against the plain one.
Must not know: sessions, files, or what either model is.

The tolerance: whole numbers, truth values and texts are equal; numbers with a point differ by at
most ATOL × the largest of the tensor (at least 1) + RTOL × their own size, a hundred times as much
where they have 16 bits; what is not finite is so in both.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from predictor.model import Tensor

RTOL = 1e-4
ATOL = 1e-5
FREE_SIZES = (16, 1, 8, 64, 224, 128)  # tried in turn for a dimension that the model leaves open
_HALF_RATIO = 100
_ELEMENTS_MAX = 64 * 1024 * 1024
_DTYPES = {
    "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}


class CannotMakeError(ValueError):
    """No inputs can be made up; the message is a clause that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An input as ONNX Runtime describes it: a dimension is a number, a name, or nothing."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]


def attempts(arguments: Sequence[Argument]) -> Iterator[int]:
    """Sizes to try for open dimensions; one alone where there are none. CannotMakeError."""
    for argument in arguments:
        if argument.type not in _DTYPES:
            raise CannotMakeError(
                f"no values can be made up for input '{argument.name}', a {argument.type}"
            )
    is_open = any(isinstance(size, str | None) for each in arguments for size in each.shape[1:])
    yield from FREE_SIZES if is_open else FREE_SIZES[:1]


def make(arguments: Sequence[Argument], *, rows: int, free: int, seed: int) -> dict[str, Tensor]:
    """Inputs of `rows` rows where the model leaves that open; CannotMakeError.

    Whole numbers are 0 or 1: they may be indices.
    """
    rng = np.random.default_rng(seed)
    row_names = {each.shape[0] for each in arguments if each.shape and _is_named(each.shape[0])}
    made: dict[str, Tensor] = {}
    for each in arguments:
        shape = tuple(
            size
            if isinstance(size, int)
            else rows
            if axis == 0 or (_is_named(size) and size in row_names)
            else free
            for axis, size in enumerate(each.shape)
        )
        if np.prod(shape, dtype=float) > _ELEMENTS_MAX:
            raise CannotMakeError(f"input '{each.name}' has more than {_ELEMENTS_MAX} values")
        made[each.name] = _values(rng, np.dtype(_DTYPES[each.type]), shape)
    return made


def _is_named(size: int | str | None) -> bool:
    return isinstance(size, str) and bool(size)


def _values(rng: "np.random.Generator", dtype: np.dtype, shape: tuple[int, ...]) -> Tensor:
    if dtype.kind == "f":
        return np.asarray(rng.standard_normal(shape), dtype)
    return np.asarray(rng.integers(0, 2, shape), dtype)


def difference(plain: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """How another model's answer is not the plain one's; "" where it is, within the tolerance."""
    if plain.keys() != other.keys():
        return "the outputs have other names"
    for name, ours in plain.items():
        theirs = other[name]
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            was, became = f"{ours.dtype}{list(ours.shape)}", f"{theirs.dtype}{list(theirs.shape)}"
            return f"output '{name}' is {became}, not {was}"
        if ours.dtype.kind != "f":
            if not np.array_equal(ours, theirs):
                return f"output '{name}' differs"
        elif worst := _beyond(ours, theirs):
            return f"output '{name}' differs by {worst:.3g}"
    return ""


def _beyond(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference where one is beyond the tolerance, else 0."""
    if not ours.size:
        return 0.0
    ratio = _HALF_RATIO if ours.dtype.itemsize == 2 else 1
    wide, other = ours.astype(np.float64), theirs.astype(np.float64)
    is_finite = np.isfinite(wide)
    if not np.array_equal(wide[~is_finite], other[~is_finite], equal_nan=True):
        return float("inf")
    wide, other = wide[is_finite], other[is_finite]
    if not wide.size:
        return 0.0
    gap = np.abs(wide - other)
    allowed = ratio * (ATOL * max(1.0, float(np.abs(wide).max())) + RTOL * np.abs(wide))
    is_beyond = ~(gap <= allowed)  # what is not a number is beyond
    return float(gap[is_beyond].max()) if is_beyond.any() else 0.0
