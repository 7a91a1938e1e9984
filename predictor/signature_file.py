"""A model's tensors as somebody wrote them down: signature.json, and MLServer's way.

For: names, datatypes and shapes of models that do not know them.
Must not know: files, models, or who else describes tensors.

    {"inputs": [{"name": "rows", "datatype": "FP32", "shape": [-1, 4]}], "outputs": [...]}
"""

import json
from collections.abc import Mapping
from typing import Any

from predictor import datatypes
from predictor.datatypes import DATATYPES, RANK_MAX
from predictor.errors import LoadError
from predictor.model import Signature, TensorSpec

_FIELDS = ("name", "datatype", "shape")
_SIZE_MAX = 2**63 - 1


def parse(text: str, *, where: str) -> Signature:
    """The signature in signature.json; LoadError names the field."""
    said = document(text, where=where)
    for name in said:
        if name not in ("inputs", "outputs"):
            raise LoadError(f"{where}: {name} is not one of its fields: inputs, outputs")
    found = signature(said, where=where)
    if found is None:
        raise LoadError(f"{where}: inputs: expected a list of tensors, got none")
    return found


def document(text: str, *, where: str) -> Mapping[str, Any]:
    """A JSON object."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{where} is not JSON: {error}") from None
    if not isinstance(said, Mapping):
        raise LoadError(f"{where}: expected an object, got {datatypes.word(said)}")
    return said


def signature(
    said: Mapping[str, Any], *, where: str, others: tuple[str, ...] = ()
) -> Signature | None:
    """What "inputs" and "outputs" describe, None without inputs; `others` are passed over."""
    inputs, outputs = (
        _specs(said.get(field), where=f"{where}: {field}", others=others)
        for field in ("inputs", "outputs")
    )
    return Signature(inputs=inputs, outputs=outputs) if inputs else None


def _specs(said: Any, *, where: str, others: tuple[str, ...]) -> list[TensorSpec]:
    if said is None:
        return []
    if not isinstance(said, list):
        raise LoadError(f"{where}: expected a list of tensors, got {datatypes.word(said)}")
    found = [
        _spec(each, where=f"{where}[{index}]", others=others) for index, each in enumerate(said)
    ]
    names = [spec.name for spec in found]
    for name in names:
        if names.count(name) > 1:
            raise LoadError(f"{where}: {names.count(name)} tensors are named '{name}'")
    return found


def _spec(said: Any, *, where: str, others: tuple[str, ...]) -> TensorSpec:
    if not isinstance(said, Mapping):
        raise LoadError(f"{where}: expected an object, got {datatypes.word(said)}")
    for field in said:
        if field not in (*_FIELDS, *others):
            raise LoadError(f"{where}.{field} is not one of its fields: {', '.join(_FIELDS)}")
    name, datatype, shape = (said.get(field) for field in _FIELDS)
    if not isinstance(name, str) or not name:
        raise LoadError(f"{where}.name: expected text, got {datatypes.word(name)}")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise LoadError(f"{where}.datatype: expected one of {datatypes.NAMES}, got {datatype!r}")
    return TensorSpec(name=name, datatype=datatype, shape=sizes(shape, f"{where}.shape"))


def sizes(said: Any, where: str) -> tuple[int, ...]:
    """A shape: whole numbers, -1 for any size."""
    is_list = isinstance(said, list) and len(said) <= RANK_MAX
    if not is_list or not all(type(each) is int and -1 <= each <= _SIZE_MAX for each in said):
        raise LoadError(f"{where}: expected a list of sizes, -1 for any, got {said!r:.80}")
    return tuple(said)
