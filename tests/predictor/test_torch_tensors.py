"""Arrays to tensors and back, and names for whatever a module returns."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from predictor import torch_tensors
from predictor.errors import RequestError


@pytest.mark.parametrize(
    ("answer", "names", "found"),
    [
        (1.5, (), {"OUTPUT__0": 1.5}),
        ((1.5, (2.5, None)), (), {"OUTPUT__0": 1.5, "OUTPUT__1": 2.5}),
        ((1.5, 2.5), ("a", "b"), {"OUTPUT__0": (1.5, 2.5)}),  # plain numbers are one output
        ((b"x", b"y"), ("a", "b"), {"a": b"x", "b": b"y"}),
        ((b"x", b"y"), ("a",), {"OUTPUT__0": b"x", "OUTPUT__1": b"y"}),
        (OrderedDict(y=b"x", z=None), (), {"y": b"x"}),
        ({"y": {"a": b"x"}, "z": [b"u", b"v"]}, (), {"y.a": b"x", "z.0": b"u", "z.1": b"v"}),
        ({"texts": ["a", "b"]}, (), {"texts": ["a", "b"]}),
        (None, (), {}),
    ],
)
def test_names_of_what_a_module_returns(
    answer: Any, names: tuple[str, ...], found: dict[str, Any]
) -> None:
    assert torch_tensors.named(answer, names) == found


def test_every_datatype_goes_there_and_back() -> None:
    torch = pytest.importorskip("torch", reason="make formats")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kinds: list[Any] = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
    for kind in [*kinds, ml_dtypes.bfloat16, ">f4"]:
        array = np.array([[0, 1], [1, 0]]).astype(kind)[::-1]
        tensor = torch_tensors.to_torch(torch, "x", array)
        assert torch_tensors.datatype(tensor.dtype)
        back = torch_tensors.to_array(torch, tensor)
        assert back.tolist() == array.tolist()
        assert back.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert torch_tensors.datatype(torch.complex64) == ""
    with pytest.raises(RequestError, match="got BYTES"):
        torch_tensors.to_torch(torch, "x", np.array(["a"], object))


def test_sparse_and_quantized_tensors_are_sent_dense() -> None:
    torch = pytest.importorskip("torch", reason="make formats")
    sparse = torch.eye(2).to_sparse()
    assert torch_tensors.to_array(torch, sparse).tolist() == [[1.0, 0.0], [0.0, 1.0]]
