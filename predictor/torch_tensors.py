"""Arrays to torch's tensors and back, and the names of what a module returns.

For: the datatypes numpy lacks, text that torch lacks, and outputs nested as authors like.
Must not know: files, settings, or which model it is.

torch is given, not imported: whoever calls has opened a model with it.
"""

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.model import Tensor

_DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "bfloat16": "BF16",
    "float32": "FP32",
    "float64": "FP64",
}


def datatype(dtype: Any) -> str:
    """The V2 name of a torch.dtype; '' when V2 has none."""
    return _DATATYPES.get(str(dtype).removeprefix("torch."), "")


def to_torch(torch: ModuleType, name: str, array: Tensor) -> Any:
    """A tensor over the array's own memory where torch may write to it."""
    if array.dtype.kind in "OUS":
        raise RequestError(Fault.WRONG_DATATYPE, name=name, expected="numbers", got="BYTES")
    if not array.flags.writeable or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array)
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_array(torch: ModuleType, tensor: Any) -> Tensor:
    """An array of what a tensor holds: dense, in this machine's memory, bfloat16 kept."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    if tensor.dtype is torch.bfloat16:
        brain: Any = importlib.import_module("ml_dtypes").bfloat16
        halves: Tensor = tensor.contiguous().view(torch.int16).numpy()
        return halves.view(brain)
    found: Tensor = tensor.numpy()
    return found


def named(answer: Any, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a module returned, by name: its own keys, the names given, or Triton's OUTPUT__0."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    for path, value in _leaves(answer, ()):
        groups.setdefault(path, []).append(value)
    found: dict[str, Any] = {}
    for path, values in groups.items():
        key = ".".join(path)
        if not path:
            given = len(names) == len(values)
            found |= {names[i] if given else f"OUTPUT__{i}": one for i, one in enumerate(values)}
        elif len(values) == 1:
            found[key] = values[0]
        else:
            found |= {f"{key}.{i}": one for i, one in enumerate(values)}
    return found


def _leaves(answer: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What is in tuples, lists and dicts, each with the keys on the way to it."""
    if isinstance(answer, Mapping):
        for key, value in answer.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(answer, list | tuple) and not _is_values(answer):
        for one in answer:
            yield from _leaves(one, path)
    elif answer is not None:
        yield path, answer


def _is_values(one: list[Any] | tuple[Any, ...]) -> bool:
    """A list of plain values is one output: a column of texts or numbers."""
    return bool(one) and all(isinstance(part, str | int | float) for part in one)
