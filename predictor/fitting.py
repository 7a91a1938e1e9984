"""An array as the tensor that a model declares, where nothing is lost by it.

For: inputs that no codec has checked, because the model takes more than one form of them.
Must not know: protocols, files, or libraries.
"""

import numpy as np

from predictor import datatypes
from predictor.datatypes import DATATYPES, Datatype
from predictor.errors import Fault, RequestError
from predictor.model import Tensor, TensorSpec


def fit(spec: TensorSpec, array: Tensor) -> Tensor:
    """The array in the declared type; numbers nobody declared arrive as the widest of a kind.

    Whole numbers become any numbers and those within bounds any whole ones; text, truth and
    fractions stay what they are, or are refused.
    """
    row = DATATYPES[spec.datatype]
    got = datatypes.of_array(array)
    if got is not None and got.name == row.name:
        return array
    is_number = array.dtype.kind in "iuf" or (got is not None and got.name == "BF16")
    if is_number and row.name.startswith(("FP", "BF")):
        with np.errstate(over="ignore"):
            return array.astype(row.dtype)
    if array.dtype.kind in "iu" and row.kind in "iu" and _is_within(array, row):
        return array.astype(row.dtype)
    name = got.name if got else str(array.dtype)
    raise RequestError(Fault.WRONG_DATATYPE, name=spec.name, expected=row.name, got=name)


def _is_within(array: Tensor, row: Datatype) -> bool:
    return array.size == 0 or bool(array.min() >= row.low and array.max() <= row.high)
