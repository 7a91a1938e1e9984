"""Sets of fields, in the notation in which managedFields writes them.

For: union, difference and the like of what several managers own, and the paths in words.
Must not know: objects, schemas, or who owns what.

A set is the FieldsV1 tree itself: {"f:spec": {"f:replicas": {}}}. A step is a member when
nothing is below it, or when "." is. The empty tree as a whole is the empty set. Sets are
values: no function changes one it is given.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

FieldSet = dict[str, Any]
SELF: Final = "."
_PREFIXES: Final = ("f:", "k:", "v:", "i:")
DEPTH_MAX: Final = 200  # steps from the root; deeper trees are no object's fields


def is_fieldset(raw: Any, *, depth: int = 0) -> bool:
    """Whether something read is a set: every step of a known form, and nothing but steps."""
    if not isinstance(raw, Mapping) or depth > DEPTH_MAX:
        return False
    return all(
        (step == SELF and below == {} and depth > 0)
        or (step[:2] in _PREFIXES and is_fieldset(below, depth=depth + 1))
        for step, below in raw.items()
    )


def _is_member(tree: FieldSet) -> bool:
    return not tree or SELF in tree


def _joined(below: FieldSet, *, is_member: bool) -> FieldSet | None:
    """A step's tree from its children and whether it is a member itself; None: not in the set."""
    if not below:
        return {} if is_member else None
    return {SELF: {}, **below} if is_member else below


def _children(tree: FieldSet) -> FieldSet:
    return {step: below for step, below in tree.items() if step != SELF} if SELF in tree else tree


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """What is in either."""
    if not one or not other:
        return one or other
    result = dict(one)
    for step, theirs in other.items():
        if step == SELF:
            result[SELF] = theirs
            continue
        ours = result.get(step)
        if ours is None:
            result[step] = theirs
        elif ours is not theirs:
            is_member = _is_member(ours) or _is_member(theirs)
            below = union(_children(ours), _children(theirs))
            joined = _joined(below, is_member=is_member)
            assert joined is not None, "a union keeps what is in it"
            result[step] = joined
    return result


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """What is in the first and not in the second."""
    result: FieldSet = {}
    for step, ours in one.items():
        theirs = other.get(step)
        if step == SELF:
            result[SELF] = ours
        elif theirs is None:
            result[step] = ours
        else:
            is_member = _is_member(ours) and not _is_member(theirs)
            below = difference(_children(ours), _children(theirs))
            joined = _joined(below, is_member=is_member)
            if joined is not None:
                result[step] = joined
    return result


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    """What is in both."""
    result: FieldSet = {}
    for step, ours in one.items():
        theirs = other.get(step)
        if step == SELF or theirs is None:
            continue
        is_member = _is_member(ours) and _is_member(theirs)
        below = intersection(_children(ours), _children(theirs))
        joined = _joined(below, is_member=is_member)
        if joined is not None:
            result[step] = joined
    return result


def paths(tree: FieldSet, *, before: str = "") -> Iterator[str]:
    """Every member, as Kubernetes prints it: .spec.containers[name="c"].image."""
    for step in sorted(tree):
        if step == SELF:
            continue
        here, below = before + _text(step), tree[step]
        if _is_member(below):
            yield here
        yield from paths(below, before=here)


def _text(step: str) -> str:
    kind, rest = step[:2], step[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "k:":
        keys = orjson.loads(rest)
        listed = ",".join(f"{key}={orjson.dumps(keys[key]).decode()}" for key in sorted(keys))
        return f"[{listed}]"
    return f"[={rest}]" if kind == "v:" else f"[{rest}]"
