"""One PodSpec over another: lists by key where Kubernetes has one, else in whole.

For: what an InferenceService says over what its runtime says.
Must not know: runtimes, models, or what any field does.
"""

from collections.abc import Mapping
from typing import Any

# Kubernetes' merge keys, of the lists that a runtime and an InferenceService may both have.
_KEYS = {
    "containers": "name",
    "env": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


def merged(below: Any, over: Any, name: str = "") -> Any:
    """`over` laid on `below`; neither is changed. `name` is that of the field both stand in."""
    if isinstance(below, Mapping) and isinstance(over, Mapping):
        both = {key: each for key, each in below.items() if key not in over}
        for key, each in over.items():
            both[key] = merged(below[key], each, key) if key in below else each
        return both
    if isinstance(below, list) and isinstance(over, list) and name in _KEYS:
        return _by_key(below, over, _KEYS[name], name)
    return over


def _by_key(below: list[Any], over: list[Any], key: str, name: str) -> list[Any]:
    wanted = {_key(each, key): each for each in over}
    # Two sources of one value, or of one volume, are not merged: Kubernetes would refuse both.
    is_union = name in ("env", "volumes")
    result = []
    for each in below:
        mine = wanted.pop(_key(each, key), None)
        if mine is None:
            result.append(each)
        else:
            result.append(mine if is_union else merged(each, mine))
    return result + list(wanted.values())


def _key(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, Mapping) else None


def container(below: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A runtime's container with what a model says over it: arguments are added, as in KServe."""
    result = dict(merged(below, over))
    args = [*(below.get("args") or ()), *(over.get("args") or ())]
    if args:
        result["args"] = args
    return result
