"""The tensors of a request as the one matrix that a scikit-learn model takes.

For: one input as it is, several as the columns they name, and a 400 that says what differs.
Must not know: scikit-learn, HTTP, or which protocol the tensors came in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.model import Tensor


def matrix(inputs: Mapping[str, Tensor], features: Sequence[str], width: int) -> Tensor:
    """Rows of features; `features` () and `width` 0 where the model does not say.

    One input of any name is the matrix itself, unless it is a column of the model's: as KServe
    reads it. Several are columns: in the order of the model's names, or of the request.
    """
    if len(inputs) == 1:
        name, array = next(iter(inputs.items()))
        if not (features and name in features):
            return _whole(name, array, width)
    found = columns(inputs, features, width)
    arrays = list(found.values())
    kind = object if any(array.dtype.kind in "OUS" for array in arrays) else None
    return np.column_stack([array.astype(kind) if kind else array for array in arrays])


def columns(inputs: Mapping[str, Tensor], features: Sequence[str], width: int) -> dict[str, Tensor]:
    """The inputs as columns of one length, in the model's order."""
    if not inputs:
        raise RequestError(Fault.MISSING_INPUT, name="input-0", expected="one matrix", got="none")
    names = tuple(features) or tuple(inputs)
    expected = ", ".join(names)
    for name in inputs:
        if name not in names:
            raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
    for name in names:
        if name not in inputs:
            got = ", ".join(inputs)
            raise RequestError(Fault.MISSING_INPUT, name=name, expected=expected, got=got)
    if width and len(names) != width:
        said = f"{width} columns, or one matrix of so many"
        raise RequestError(Fault.BAD_FIELD, field="inputs", expected=said, got=str(len(names)))
    found = {name: _column(name, inputs[name]) for name in names}
    first, rows = next((name, len(array)) for name, array in found.items())
    for name, array in found.items():
        if len(array) != rows:
            raise RequestError(
                Fault.UNEQUAL_SIZES,
                name=name,
                axis=0,
                got=len(array),
                dimension="rows",
                expected=rows,
                other=first,
            )
    return found


def _column(name: str, array: Tensor) -> Tensor:
    array = _known(array)
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise _wrong_rank(name, array, [-1])
    return array


def _whole(name: str, array: Tensor, width: int) -> Tensor:
    array = _known(array)
    if array.ndim == 0:
        raise _wrong_rank(name, array, [-1, width or -1])
    if not width:  # a model of texts takes one dimension, others take two: only it knows
        return array
    if array.ndim == 1 and width == 1:
        return array.reshape(-1, 1)
    if array.ndim != 2:
        raise _wrong_rank(name, array, [-1, width])
    if array.shape[1] != width:
        raise RequestError(
            Fault.WRONG_SIZE,
            name=name,
            expected=[-1, width],
            got=list(array.shape),
            axis=1,
            size=width,
        )
    return array


def _known(array: Tensor) -> Tensor:
    """BF16, which libraries do not know, as the FP32 it was cut from."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _wrong_rank(name: str, array: Tensor, expected: list[int]) -> RequestError:
    blanks: dict[str, Any] = {"rank": len(expected), "got": list(array.shape)}
    return RequestError(
        Fault.WRONG_RANK, name=name, expected=expected, got_rank=array.ndim, **blanks
    )
