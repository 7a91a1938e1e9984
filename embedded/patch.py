"""What each kind of patch does to an object.

For: JSON Merge Patch (RFC 7386) and JSON Patch (RFC 6902), as pure functions.
Must not know: which object it is, or whether the result is allowed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

OPERATIONS_MAX: Final = 10_000  # Kubernetes' bound on one JSON patch
COPIED_BYTES_MAX: Final = 3 * 1024 * 1024  # or a few "copy" operations would double without end


class PatchError(Exception):
    """The patch cannot be applied to this object."""


class MalformedPatchError(PatchError):
    """The patch is not a patch, whatever the object."""


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386. Shares with `target` whatever the patch leaves alone; mutates nothing."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def apply_operations(target: Any, operations: Any) -> Any:
    """RFC 6902: all operations in order, or PatchError and no result."""
    if not isinstance(operations, Sequence) or isinstance(operations, str | bytes):
        raise MalformedPatchError("a JSON patch is a list of operations")
    if len(operations) > OPERATIONS_MAX:
        raise MalformedPatchError(
            f"{len(operations)} operations: the allowed maximum in a JSON patch is {OPERATIONS_MAX}"
        )
    document = {"": _copy(target)}  # under a key, so that "" (the whole document) has a parent
    copied_bytes = 0
    for at, operation in enumerate(operations):
        if not isinstance(operation, Mapping):
            raise MalformedPatchError(f"operation {at} is not an object")
        name = operation.get("op")
        verb = _VERBS.get(name) if isinstance(name, str) else None
        if verb is None:
            raise MalformedPatchError(f"operation {at}: unknown op {name!r}")
        if name == "copy":
            value = _get(document, _pointer(operation, "from"))
            copied_bytes += len(orjson.dumps(value))
            if copied_bytes > COPIED_BYTES_MAX:
                raise PatchError(f"the patch copies more than {COPIED_BYTES_MAX} bytes")
        verb(document, operation)
    return document[""]


def _add(document: Any, operation: Mapping[str, Any]) -> None:
    _insert(document, _pointer(operation, "path"), _value(operation))


def _remove(document: Any, operation: Mapping[str, Any]) -> None:
    _delete(document, _pointer(operation, "path"))


def _replace(document: Any, operation: Mapping[str, Any]) -> None:
    path = _pointer(operation, "path")
    parent, key = _locate(document, path)
    _child(parent, key, path)
    if isinstance(parent, list):
        parent[_index(key, len(parent) - 1, path)] = _value(operation)
    else:
        parent[key] = _value(operation)


def _move(document: Any, operation: Mapping[str, Any]) -> None:
    source, path = _pointer(operation, "from"), _pointer(operation, "path")
    if path[: len(source)] == source and len(path) > len(source):
        raise PatchError(f"cannot move {_text(source)} into itself")
    value = _get(document, source)
    _delete(document, source)
    _insert(document, path, value)


def _copy_to(document: Any, operation: Mapping[str, Any]) -> None:
    value = _get(document, _pointer(operation, "from"))
    _insert(document, _pointer(operation, "path"), _copy(value))


def _test(document: Any, operation: Mapping[str, Any]) -> None:
    path = _pointer(operation, "path")
    if not _is_same(_get(document, path), _value(operation)):
        raise PatchError(f"testing value {_text(path)} failed")


_VERBS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], None]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy_to,
    "test": _test,
}


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _is_same(left: Any, right: Any) -> bool:
    # Python takes True for 1; JSON does not.
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_is_same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_same, left, right))
    return bool(left == right)


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise MalformedPatchError(f"op {operation['op']!r} at {operation['path']!r} has no value")
    return operation["value"]


def _pointer(operation: Mapping[str, Any], field: str) -> tuple[str, ...]:
    text = operation.get(field)
    if not isinstance(text, str):
        raise MalformedPatchError(f"op {operation['op']!r} has no {field!r}")
    if text and not text.startswith("/"):
        raise MalformedPatchError(f"{field} {text!r} is not a JSON pointer: it must begin with /")
    # The first step is the key the whole document stands under.
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/"))


def _text(path: tuple[str, ...]) -> str:
    return "/".join(step.replace("~", "~0").replace("/", "~1") for step in path)


def _locate(document: Any, path: tuple[str, ...]) -> tuple[Any, str]:
    parent = document
    for step in path[:-1]:
        parent = _child(parent, step, path)
    if not isinstance(parent, dict | list):
        raise PatchError(f"path {_text(path)} does not exist")
    return parent, path[-1]


def _child(parent: Any, step: str, path: tuple[str, ...]) -> Any:
    if isinstance(parent, dict) and step in parent:
        return parent[step]
    if isinstance(parent, list):
        return parent[_index(step, len(parent) - 1, path)]
    raise PatchError(f"path {_text(path)} does not exist")


def _index(step: str, last: int, path: tuple[str, ...]) -> int:
    is_canonical = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0")
    # 19 digits are more than any list has; int() of millions of them would take seconds.
    if not is_canonical or len(step) > 19 or int(step) > last:
        raise PatchError(f"path {_text(path)}: no index {step[:20]!r} in that list")
    return int(step)


def _get(document: Any, path: tuple[str, ...]) -> Any:
    parent, key = _locate(document, path)
    return _child(parent, key, path)


def _insert(document: Any, path: tuple[str, ...], value: Any) -> None:
    parent, key = _locate(document, path)
    if isinstance(parent, dict):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    else:
        parent.insert(_index(key, len(parent), path), value)


def _delete(document: Any, path: tuple[str, ...]) -> None:
    parent, key = _locate(document, path)
    _child(parent, key, path)
    if path == ("",):
        raise PatchError("the whole object cannot be removed by a patch")
    del parent[_index(key, len(parent) - 1, path) if isinstance(parent, list) else key]
