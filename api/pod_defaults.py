"""Fill in what a user left out of a PodSpec, as Knative's defaulting webhook does.

For: containers that say their names, ports, probes and which mounts are read-only.
Must not know: what is valid: a value of the wrong type is left for the parser to refuse.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.naming import child_name
from api.objects import Raw
from api.pods import DEFAULT_PORT
from api.probes import HANDLERS
from api.volumes import is_writable

CONTAINER_NAME = "user-container"
INIT_CONTAINER_NAME = "init-container"

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def pod_defaulted(raw: Raw) -> dict[str, Any]:
    """A copy of the spec with every default filled in; doing it twice changes nothing."""
    result = dict(raw)
    if result.get("enableServiceLinks") is None:
        result["enableServiceLinks"] = False
    running, starting = result.get("containers"), result.get("initContainers")
    taken = _names_of(running) | _names_of(starting)
    if isinstance(running, list):
        writable = _names_of([each for each in _objects(raw.get("volumes")) if is_writable(each)])
        is_alone = len(running) == 1
        named = _named(running, CONTAINER_NAME, taken)
        result["containers"] = [_container(each, writable, is_alone=is_alone) for each in named]
    if isinstance(starting, list):
        named = _named(starting, INIT_CONTAINER_NAME, taken)
        result["initContainers"] = [_with_ports(each) for each in named]
    return result


def _objects(raw: object) -> list[Mapping[str, Any]]:
    return [each for each in raw if isinstance(each, Mapping)] if isinstance(raw, list) else []


def _names_of(raw: object) -> set[str]:
    names = (each.get("name") for each in _objects(raw))
    return {name for name in names if isinstance(name, str)}


def _named(given: Sequence[Any], default: str, taken: set[str]) -> list[Any]:
    """The containers with names: the default, and numbers where it would be given twice."""
    found, number = [], 0
    for each in given:
        if isinstance(each, Mapping) and each.get("name") in (None, ""):
            name = default
            if len(given) > 1 or name in taken:
                name = ""
                while not name or name in taken:
                    name, number = child_name(default, f"-{number}"), number + 1
            found.append({**each, "name": name})
        else:
            found.append(each)
    return found


def _container(raw: Any, writable: set[str], *, is_alone: bool) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    result = _with_ports(raw)
    for name in _PROBES:
        if isinstance(result.get(name), Mapping):
            result[name] = _with_service(result[name])
    readiness = result.get("readinessProbe")
    if readiness is None and (is_alone or result.get("ports")):
        readiness = {}
    if isinstance(readiness, Mapping):
        is_serving = is_alone or bool(result.get("ports"))
        result["readinessProbe"] = _readiness(readiness, is_serving=is_serving)
    if isinstance(result.get("volumeMounts"), list):
        result["volumeMounts"] = [_mount(each, writable) for each in result["volumeMounts"]]
    return result


def _readiness(raw: Raw, *, is_serving: bool) -> dict[str, Any]:
    result = dict(raw)
    if is_serving and all(result.get(name) is None for name in HANDLERS):
        result["tcpSocket"] = {"port": 0}  # 0 is the port that takes the requests
    if is_zero(result.get("successThreshold")):
        result["successThreshold"] = 1
    if not is_zero(result.get("periodSeconds")):
        if is_zero(result.get("failureThreshold")):
            result["failureThreshold"] = 3
        if is_zero(result.get("timeoutSeconds")):
            result["timeoutSeconds"] = 1
    return result


def _with_service(probe: Raw) -> Raw:
    """A gRPC probe that names no service asks about the one without a name."""
    grpc = probe.get("grpc")
    if isinstance(grpc, Mapping) and grpc.get("service") is None:
        return {**probe, "grpc": {**grpc, "service": ""}}
    return probe


def _mount(raw: Any, writable: set[str]) -> Any:
    """What can not be written is mounted read-only, whatever the mount says."""
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
        return raw
    is_open = raw.get("readOnly") is None or raw["readOnly"] is False
    return {**raw, "readOnly": True} if is_open and raw["name"] not in writable else raw


def _with_ports(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    result = dict(raw)
    if isinstance(result.get("ports"), list):
        result["ports"] = [_port(each) for each in result["ports"]]
    return result


def _port(raw: Any) -> Any:
    is_open = isinstance(raw, Mapping) and is_zero(raw.get("containerPort"))
    return {**raw, "containerPort": DEFAULT_PORT} if is_open else raw


def is_zero(value: object) -> bool:
    """Whether a number is absent or 0, which in Go are the same."""
    return value is None or (type(value) is int and value == 0)
