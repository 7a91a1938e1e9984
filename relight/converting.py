"""Manifests as an older API server takes them, and a sentence on what that costs.

For: one tree of manifests for every cluster; what is lost is said, never dropped in silence.
Must not know: version numbers, or how it is found out what is served.
"""

import copy
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

Object = dict[str, Any]

_UNKNOWN_FIELD = re.compile(r"(?:^|\s)(\.[^\s:]+): field not declared in schema")
_STEP = re.compile(r"\.([A-Za-z0-9_\-/$]+)|\[(\d+)\]")
_MEANING = {
    "x-kubernetes-validations": "rules that the webhook checks as well",
    "appProtocol": "a hint for meshes and ingresses",
}


def converted(obj: Object, is_served: Callable[[str, str], bool]) -> tuple[Object, str]:
    """The object at a version that is served, and what to say of it ("": nothing).

    An object that no served version can hold comes back as it is.
    """
    version, kind = str(obj["apiVersion"]), str(obj["kind"])
    if is_served(version, kind) or (version, kind) not in _OLDER:
        return obj, ""
    older, change, cost = _OLDER[version, kind]
    if not is_served(older, kind):
        return obj, ""
    made = change({**copy.deepcopy(obj), "apiVersion": older})
    return made, f"{kind} is written as {older}, as {version} is not served here{cost}"


def unknown_fields(message: str) -> list[str]:
    """The paths that a server-side apply was refused for."""
    return _UNKNOWN_FIELD.findall(message)


def without(obj: Object, paths: Collection[str]) -> tuple[Object, list[str]]:
    """The object without these fields, and a sentence for each name among them."""
    made = copy.deepcopy(obj)
    for path in paths:
        _remove(made, [name or int(number) for name, number in _STEP.findall(path)])
    names = dict.fromkeys(re.split(r"[.\]]", path)[-1] for path in paths)
    kind = obj["kind"]
    return made, [
        f"{kind}: {name} is unknown here and left out"
        + (f" ({_MEANING[name]})" if name in _MEANING else "")
        for name in names
    ]


def _remove(raw: Any, steps: list[str | int]) -> None:
    *above, last = steps
    for step in above:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(raw, dict):
        raw.pop(last, None)


def _same(obj: Object) -> Object:
    return obj


def _autoscaling_v2beta2(obj: Object) -> Object:
    return obj  # the fields that are used are the same ones


_OLDER: Mapping[tuple[str, str], tuple[str, Callable[[Object], Object], str]] = {
    ("policy/v1", "PodDisruptionBudget"): ("policy/v1beta1", _same, ""),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): (
        "autoscaling/v2beta2",
        _autoscaling_v2beta2,
        "",
    ),
}
