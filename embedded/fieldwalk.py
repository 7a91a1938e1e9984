"""Objects walked along their shape: which fields they have, how two differ, how they merge.

For: the arithmetic of server-side apply, as pure functions.
Must not know: managers, conflicts, or what is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedded.fieldsets import SELF, FieldSet, difference
from embedded.structure import Shape


class ShapeError(Exception):
    """An object that does not fit its shape; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How one object differs from another."""

    touched: FieldSet  # added, or with another value
    removed: FieldSet


def fields_of(value: Any, shape: Shape, *, path: str = "") -> FieldSet:
    """The fields that an applied object speaks of; ShapeError."""
    result: FieldSet = {}
    if isinstance(value, Mapping) and not shape.is_atomic:
        for key, child in value.items():
            below = fields_of(child, shape.field(key), path=f"{path}.{key}")
            result[f"f:{key}"] = below if shape.declares(key) or not below else {SELF: {}, **below}
    elif isinstance(value, list) and shape.keys is not None:
        for at, (step, item) in enumerate(zip(shape.steps(value), value, strict=True)):
            if step is None:
                raise ShapeError(
                    f"{path}: element {at}: associative list with keys has an element that omits "
                    f"key field {_lacking(shape, item)}"
                )
            if step in result:
                raise ShapeError(f"{path}: duplicate entries for key {_words(step)}")
            below = fields_of(item, shape.item, path=f"{path}[{at}]")
            result[step] = {SELF: {}, **below} if below else {}
    return result


def _lacking(shape: Shape, item: Any) -> str:
    fields = item if isinstance(item, Mapping) else {}
    return " or ".join(f'"{key}"' for key in shape.keys or () if key not in fields)


def _words(step: str) -> str:
    return step[2:]


def all_of(value: Any, shape: Shape) -> FieldSet:
    """Every field there is below a place, those with parts included."""
    result: FieldSet = {}
    for step, child, below in _parts(value, shape) or ():
        fields = all_of(child, below)
        result[step] = {SELF: {}, **fields} if fields else {}
    return result


def _parts(value: Any, shape: Shape) -> list[tuple[str, Any, Shape]] | None:
    """The parts of a value with their steps; None for what has none or can't be told apart."""
    if isinstance(value, Mapping):
        if shape.is_atomic:
            return None
        return [(f"f:{key}", child, shape.field(key)) for key, child in value.items()]
    if not isinstance(value, list) or shape.keys is None:
        return None
    item_shape = shape.item
    steps = zip(shape.steps(value), value, strict=True)
    parts = [(step, item, item_shape) for step, item in steps if step]
    is_clear = len({step for step, _, _ in parts}) == len(value)
    return parts if is_clear else None


def compare(old: Any, new: Any, shape: Shape) -> Changes:
    """How `new` differs from `old`, below the place they stand at."""
    touched: FieldSet = {}
    removed: FieldSet = {}
    _compare(old, new, shape, (touched, removed))
    return Changes(touched=touched, removed=removed)


def _compare(old: Any, new: Any, shape: Shape, found: tuple[FieldSet, FieldSet]) -> bool:
    """Fill in what differs in the parts; False when one of them has no parts to compare."""
    befores, afters = _parts(old, shape), _parts(new, shape)
    if befores is None or afters is None or isinstance(old, list) is not isinstance(new, list):
        return False
    touched, removed = found
    before = {step: child for step, child, _ in befores}
    seen = set()
    for step, child, below in afters:
        seen.add(step)
        if step not in before:
            fields = all_of(child, below)
            touched[step] = {SELF: {}, **fields} if fields else {}
        elif child is not before[step] and child != before[step]:
            _compare_part(step, (before[step], child), below, found)
    for step, child, below in befores:
        if step not in seen:
            fields = all_of(child, below)
            removed[step] = {SELF: {}, **fields} if fields else {}
    return True


def _compare_part(
    step: str, pair: tuple[Any, Any], shape: Shape, found: tuple[FieldSet, FieldSet]
) -> None:
    touched, removed = found
    inner: tuple[FieldSet, FieldSet] = ({}, {})
    if _compare(*pair, shape, inner):
        if inner[0]:
            touched[step] = inner[0]
        if inner[1]:
            removed[step] = inner[1]
        return
    before, after = all_of(pair[0], shape), all_of(pair[1], shape)
    touched[step] = {SELF: {}, **after} if after else {}
    gone = difference(before, after)
    if gone:
        removed[step] = gone


def merged(live: Any, applied: Any, shape: Shape) -> Any:
    """`live` with what is applied to it. Mutates neither, shares what it can."""
    if isinstance(applied, Mapping) and isinstance(live, Mapping) and not shape.is_atomic:
        result = dict(live)
        for key, value in applied.items():
            result[key] = merged(live[key], value, shape.field(key)) if key in live else value
        return result
    is_keyed = isinstance(applied, list) and isinstance(live, list) and shape.keys is not None
    return _merged_items(live, applied, shape) if is_keyed else applied


def _merged_items(live: list[Any], applied: list[Any], shape: Shape) -> list[Any]:
    """Applied items in their order; each of the others stays behind the one it stood behind."""
    own = dict(zip(shape.steps(applied), applied, strict=True))
    present: dict[str | None, Any] = {}
    for step, item in zip(shape.steps(live), live, strict=True):
        present.setdefault(step, item)
    result = [
        (step, merged(present[step], item, shape.item) if step in present else item)
        for step, item in own.items()
    ]
    before: str | None = None
    for step, item in present.items():
        if step not in own:
            at = next((at for at, each in enumerate(result) if each[0] == before), -1)
            result.insert(at + 1, (step, item))
        before = step
    return [item for _, item in result]


def pruned(value: Any, shape: Shape, gone: FieldSet, kept: FieldSet) -> Any:
    """`value` without what is in `gone` and has nothing in `kept`, at or below it."""
    parts = _parts(value, shape)
    if parts is None or not gone:
        return value
    left: list[tuple[str, Any]] = []
    for step, child, below in parts:
        if step not in gone:
            left.append((step, child))
        elif step in kept:
            left.append((step, pruned(child, below, gone[step], kept[step])))
    if isinstance(value, list):
        return [child for _, child in left]
    return {step[2:]: child for step, child in left}
