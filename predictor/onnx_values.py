"""What numpy and ONNX Runtime do not say to each other directly: BF16, and text that is none.

For: running a session whose tensors are BF16, and refusing bytes where it would read their repr.
Must not know: files, signatures, HTTP.

ONNX Runtime's Python calls know no array type for BF16, in either direction. Its own values do: an
input is one made over 16-bit numbers, an output is copied from where it lies. They know no text, in
turn, so a model of both is refused at load.
"""

import ctypes
from collections.abc import Callable, Collection, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from predictor.datatypes import DATATYPES
from predictor.errors import Fault, RequestError
from predictor.model import Signature, Tensor

Run = Callable[[Sequence[str], Mapping[str, Tensor], Any], list[Tensor]]

_BF16 = "tensor(bfloat16)"
_ONNX_BF16 = 16  # TensorProto.BFLOAT16


def has_bf16(signature: Signature) -> bool:
    """Whether any tensor is BF16: the session is then to be run by `bf16_run`."""
    return "BF16" in _datatypes(signature)


def has_both(signature: Signature) -> bool:
    """Whether there is BF16 and text, which cannot be given in one call."""
    return {"BF16", "BYTES"} <= _datatypes(signature)


def bf16_run(session: Any, ort: ModuleType) -> Run:
    """A session's `run`, by way of ONNX Runtime's own values."""

    def run(names: Sequence[str], feeds: Mapping[str, Tensor], options: Any) -> list[Tensor]:
        arrays = {name: np.asarray(array, order="C") for name, array in feeds.items()}
        values = {name: _value(ort, array) for name, array in arrays.items()}
        given = session.run_with_ort_values(list(names), values, options)
        return [_array(one) for one in given]  # `arrays` lives until here: values do not copy

    return run


def check_text(feeds: Mapping[str, Tensor], names: Collection[str]) -> None:
    """RequestError for bytes in an input of text: the session would read "b'...'"."""
    for name in names:
        if any(type(one) is bytes for one in feeds[name].ravel().tolist()):
            raise RequestError(Fault.NOT_TEXT, name=name)


def _datatypes(signature: Signature) -> set[str]:
    return {spec.datatype for spec in (*signature.inputs, *signature.outputs)}


def _value(ort: ModuleType, array: Tensor) -> Any:
    if array.dtype.name == "bfloat16":
        return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(np.uint16), _ONNX_BF16)
    return ort.OrtValue.ortvalue_from_numpy(array)


def _array(value: Any) -> Tensor:
    if value.data_type() != _BF16:
        found: Tensor = value.numpy()
        return found
    shape = tuple(value.shape())
    size = value.tensor_size_in_bytes()
    data = ctypes.string_at(value.data_ptr(), size) if size else b""
    return np.frombuffer(data, DATATYPES["BF16"].dtype).reshape(shape)
