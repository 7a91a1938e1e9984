"""Strategic merge: lists of named things are merged by their name, as for Kubernetes' own kinds.

For: `kubectl apply` and `kubectl patch` on Pods, Deployments, Namespaces and Events.
Must not know: any kind; it goes by the names of fields, which these kinds use consistently.
"""

from collections.abc import Mapping
from typing import Any, Final

from embedded.patch import MalformedPatchError

# Field name → the key its items are told apart by ("" for lists of plain values).
MERGE_KEYS: Final[Mapping[str, str]] = {
    "conditions": "type",
    "containers": "name",
    "containerStatuses": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "finalizers": "",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_ORDER: Final = "$setElementOrder/"
_DELETE_FROM: Final = "$deleteFromPrimitiveList/"
_RETAIN: Final = "$retainKeys"
_PATCH: Final = "$patch"


def merge(target: Any, patch: Any) -> Any:
    """Merge `patch` into `target`; mutates neither. MalformedPatchError for a bad directive."""
    if not isinstance(patch, Mapping):
        return patch
    directive = patch.get(_PATCH)
    result = dict(target) if isinstance(target, Mapping) and directive != "replace" else {}
    if directive not in (None, "replace", "merge"):
        raise MalformedPatchError(f"unknown directive $patch: {directive!r}")
    if _RETAIN in patch:
        _check_list(_RETAIN, patch[_RETAIN])
        result = {key: value for key, value in result.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if key.startswith("$"):
            _direct(result, key, value)
        elif value is None or _is_deletion(value):
            result.pop(key, None)
        else:
            result[key] = _value(key, result.get(key), value)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            _reorder(result, key.removeprefix(_ORDER), order)
    return result


def _is_deletion(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get(_PATCH) == "delete"


def _direct(result: dict[str, Any], key: str, value: Any) -> None:
    if key.startswith(_DELETE_FROM):
        _check_list(key, value)
        field = key.removeprefix(_DELETE_FROM)
        old = result.get(field)
        result[field] = [each for each in old if each not in value] if isinstance(old, list) else []
    elif key not in (_PATCH, _RETAIN) and not key.startswith(_ORDER):
        raise MalformedPatchError(f"unknown directive {key!r}")


def _check_list(directive: str, value: Any) -> None:
    if not isinstance(value, list):
        raise MalformedPatchError(f"directive {directive!r} must be a list")


def _value(key: str, old: Any, new: Any) -> Any:
    if not isinstance(new, list):
        return merge(old, new)
    merge_key = MERGE_KEYS.get(key)
    if merge_key is None:
        return new
    if merge_key == "":
        base = old if isinstance(old, list) else []
        return base + [each for each in new if each not in base]
    return _merge_items(old if isinstance(old, list) else [], new, merge_key)


def _merge_items(old: list[Any], new: list[Any], merge_key: str) -> list[Any]:
    if any(isinstance(item, Mapping) and item.get(_PATCH) == "replace" for item in new):
        return [item for item in new if not (isinstance(item, Mapping) and _PATCH in item)]
    result = list(old)
    for item in new:
        if not isinstance(item, Mapping) or merge_key not in item:
            raise MalformedPatchError(f"every item of the list needs its merge key {merge_key!r}")
        at = _position(result, merge_key, item[merge_key])
        if _is_deletion(item):
            if at is not None:
                del result[at]
        elif at is None:
            result.append(merge({}, item))
        else:
            result[at] = merge(result[at], item)
    return result


def _position(items: list[Any], merge_key: str, value: Any) -> int | None:
    for at, item in enumerate(items):
        if isinstance(item, Mapping) and item.get(merge_key) == value:
            return at
    return None


def _reorder(result: dict[str, Any], field: str, order: Any) -> None:
    """Put the listed items in the listed order, before those that the list does not name."""
    items = result.get(field)
    _check_list(f"{_ORDER}{field}", order)
    if not isinstance(items, list):
        return
    merge_key = MERGE_KEYS.get(field, "")

    def name_of(item: Any) -> Any:
        return item.get(merge_key) if merge_key and isinstance(item, Mapping) else item

    wanted = [name_of(each) for each in order]
    listed = sorted(
        (item for item in items if name_of(item) in wanted),
        key=lambda item: wanted.index(name_of(item)),
    )
    result[field] = listed + [item for item in items if name_of(item) not in wanted]
