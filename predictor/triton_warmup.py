"""Triton's model_warmup as requests of ours.

For: the same tensors that Triton would run before it calls a model ready.
Must not know: models, files, or when a warm-up is run.
"""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from api.textproto import Message
from predictor import signature_file
from predictor.datatypes import DATATYPES
from predictor.errors import LoadError
from predictor.model import Tensor
from predictor.model_settings import Warmup

FOLDER = "warmup"  # where input_data_file is looked for
_ELEMENTS_MAX = 10_000_000
_COUNT_MAX = 1000


def datatype(word: str, where: str) -> str:
    """V2's name for one of Triton's."""
    name = word.removeprefix("TYPE_").replace("STRING", "BYTES")
    if name not in DATATYPES or not word.startswith("TYPE_"):
        raise LoadError(f"{where}: data_type: '{word}' is none of Triton's")
    return name


def of(said: Message, *, is_batched: bool, where: str, read: Callable[[str], bytes]) -> Warmup:
    """One warm-up; LoadError names what is wrong with it."""
    name = str((said.get("name") or [""])[-1])
    where = f"{where}: model_warmup '{name}'"
    for field in said:
        if field not in ("name", "batch_size", "inputs", "count"):
            raise LoadError(f"{where}: {field} can not be honoured: Relight does not know it")
    rows, count = (_number(said, field, where) for field in ("batch_size", "count"))
    if count > _COUNT_MAX:
        raise LoadError(f"{where}: count: expected at most {_COUNT_MAX}, got {count}")
    first = (max(1, rows),) if is_batched else ()
    inputs = []
    for entry in said.get("inputs", ()):
        key, value = ((entry.get(field) or [None])[-1] for field in ("key", "value"))
        if not isinstance(key, str) or not isinstance(value, dict):
            raise LoadError(f"{where}: inputs: expected a key and a value")
        inputs.append(_input(key, value, first, f"{where}: input '{key}'", read))
    if not inputs:
        raise LoadError(f"{where} has no inputs")
    body = json.dumps({"inputs": inputs}, allow_nan=False).encode()
    return Warmup(name=name, body=body, count=max(1, count))


def _input(
    name: str, said: Message, first: tuple[int, ...], where: str, read: Callable[[str], bytes]
) -> dict[str, Any]:
    found = datatype(str((said.get("data_type") or [""])[-1]), where)
    if found == "BF16":
        raise LoadError(f"{where}: a warm-up of BF16 can not be written as JSON")
    shape = (*first, *signature_file.sizes(said.get("dims", []), f"{where}: dims"))
    if min(shape, default=1) < 0 or math.prod(shape) > _ELEMENTS_MAX:
        raise LoadError(f"{where}: dims: expected the sizes of one request, got {list(shape)}")
    array = _values(said, found, shape, where, read)
    return {"name": name, "datatype": found, "shape": list(shape), "data": array.ravel().tolist()}


def _values(
    said: Message, name: str, shape: tuple[int, ...], where: str, read: Callable[[str], bytes]
) -> Tensor:
    row = DATATYPES[name]
    if file := (said.get("input_data_file") or [""])[-1]:
        content = read(f"{FOLDER}/{file}")
        values: Any = _texts(content) if name == "BYTES" else _numbers(content, row.dtype)
        if values is None or len(values) != math.prod(shape):
            got = f"{len(content)} bytes"
            raise LoadError(f"{where}: {file} has {got}, not {list(shape)} of {name}")
        return np.array(values, row.dtype)
    if str((said.get("random_data") or [""])[-1]) == "true" and name != "BYTES":
        return np.random.default_rng(0).integers(0, 2, shape).astype(row.dtype)
    if str((said.get("zero_data") or said.get("random_data") or [""])[-1]) != "true":
        raise LoadError(f"{where}: one of zero_data, random_data and input_data_file is needed")
    return np.full(shape, "", object) if name == "BYTES" else np.zeros(shape, row.dtype)


def _numbers(content: bytes, dtype: np.dtype[Any]) -> Tensor | None:
    if len(content) % dtype.itemsize:
        return None
    return np.frombuffer(content, dtype.newbyteorder("<"))


def _texts(content: bytes) -> list[str] | None:
    """Each behind its length, four bytes."""
    found: list[str] = []
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "little")
        text = content[at + 4 : at + 4 + size]
        if len(text) != size:
            return None
        found.append(text.decode(errors="replace"))
        at += 4 + size
    return found


def _number(said: Message, field: str, where: str) -> int:
    value = (said.get(field) or [0])[-1]
    if type(value) is not int or value < 0:
        raise LoadError(f"{where}: {field}: expected a whole number, got {value!r}")
    return value
