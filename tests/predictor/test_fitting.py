"""Arrays fitted to what a model declares: nothing is lost, or it is refused."""

from typing import Any

import numpy as np
import pytest

from predictor.errors import RequestError
from predictor.fitting import fit
from predictor.model import TensorSpec


@pytest.mark.parametrize(
    ("array", "datatype", "said"),
    [
        (np.array([1, 2]), "FP32", ""),
        (np.array([1.5]), "FP32", ""),
        (np.array([1.5]), "BF16", ""),
        (np.array([255]), "UINT8", ""),
        (np.array([], int), "UINT8", ""),
        (np.array(["a"], object), "BYTES", ""),
        (np.array([True]), "BOOL", ""),
        (np.array([256]), "UINT8", "expected datatype UINT8, got INT64"),
        (np.array([1.0]), "INT64", "expected datatype INT64, got FP64"),
        (np.array([1]), "BOOL", "expected datatype BOOL, got INT64"),
        (np.array([True]), "FP32", "expected datatype FP32, got BOOL"),
        (np.array(["1"], object), "FP32", "expected datatype FP32, got BYTES"),
        (np.array([1j]), "FP32", "expected datatype FP32, got complex128"),
    ],
)
def test_what_fits(array: Any, datatype: str, said: str) -> None:
    spec = TensorSpec(name="x", datatype=datatype, shape=(-1,))
    if said:
        with pytest.raises(RequestError, match=f"input 'x': {said}"):
            fit(spec, array)
        return
    if datatype == "BF16":
        pytest.importorskip("ml_dtypes")
    found = fit(spec, array)
    assert found.tolist() == array.tolist()
    assert found.dtype.itemsize <= array.dtype.itemsize
