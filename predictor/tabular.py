"""What models of rows and columns share: their one output, and metadata found by a trial.

For: XGBoost and LightGBM, which differ in how they predict and in little else.
Must not know: any library, HTTP, files.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from predictor import datatypes
from predictor.errors import Fault, RequestError
from predictor.loaded import Run
from predictor.model import Signature, Tensor, TensorSpec
from predictor.refusals import NAMES_MAX, rejected

INPUT, OUTPUT = "input-0", "output-0"  # KServe's names

Categories = Mapping[int, Mapping[str, int]]  # of a column: the code of each of its words


def described(run: Run, *, datatype: str, width: int) -> Signature:
    """What the metadata says; the outputs are those of a row of zeros, where it takes one."""
    inputs = [TensorSpec(name=INPUT, datatype=datatype, shape=(-1, width or -1))]
    outputs: list[TensorSpec] = []
    answer: Mapping[str, Tensor] = {}
    if width:
        try:
            answer = run({INPUT: np.zeros((1, width))}, None)
        except RequestError:
            answer = {}
    for name, array in answer.items():
        found = datatypes.of_array(array)
        if found is not None:
            shape = (-1, *array.shape[1:])
            outputs.append(TensorSpec(name=name, datatype=found.name, shape=shape))
    return Signature(inputs=inputs, outputs=outputs)


def numbers(
    rows: Tensor, names: Sequence[str], categories: Categories, *, unknown: float | None
) -> Tensor:
    """Rows as numbers: a word of a categorical column as its code.

    A word that the model never saw is `unknown`, or a 400 where that is None.
    """
    if rows.dtype.kind in "fiub":
        return rows
    if rows.ndim != 2 or rows.dtype.kind != "O":
        raise rejected(f"the model takes numbers, not {rows.dtype}")
    found = np.empty(rows.shape, np.float64)
    for index in range(rows.shape[1]):
        name = names[index] if index < len(names) else f"column {index}"
        codes = categories.get(index, {})
        found[:, index] = [_code(name, value, codes, unknown) for value in rows[:, index]]
    return found


def _code(name: str, value: object, codes: Mapping[str, int], unknown: float | None) -> float:
    if not isinstance(value, str):
        if isinstance(value, bool | int | float | np.number | np.bool_):
            return float(value)
        raise rejected(f"input '{name}': expected a number, got {type(value).__name__}")
    if not codes:
        raise RequestError(
            Fault.WRONG_VALUES, name=name, expected="numbers", datatype="FP64", got="text"
        )
    if value in codes:
        return float(codes[value])
    if unknown is None:
        listed = ", ".join(list(codes)[:NAMES_MAX])
        raise rejected(f"input '{name}': '{value[:100]}' is none of its categories: {listed}")
    return unknown
