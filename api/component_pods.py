"""The pod inside a component or a runtime of KServe's: a PodSpec that Knative must take.

For: finding at admission what the child Service would be refused for, by the path at which
the user wrote it.
Must not know: what components or runtimes are, or what the pod is merged with later.
"""

from collections.abc import Mapping
from typing import Any

from api import keys, pods
from api.errors import FieldError, InvalidObjectError
from api.fields import Faults
from api.objects import Raw

CONTAINER = "kserve-container"  # the one that answers, in KServe

# Fields of a Revision's spec that are not a pod's: KServe has other names for them.
_OF_REVISIONS = (
    "containerConcurrency",
    "idleTimeoutSeconds",
    "responseStartTimeoutSeconds",
    "timeoutSeconds",
)
_BLOCKED_ENV = ("PYTHONPATH",)
# What only the whole pod can tell, and a part of it can not.
_OF_THE_WHOLE = ("volumeMount has no matching volume", "not mounted", "container port")
_PORTS = "containers[*].ports"


def check(
    pod: Raw, path: str, faults: Faults, *, model: Raw | None = None, is_whole: bool = True
) -> None:
    """Note everything that Knative would refuse; `pod` has its `containers`.

    `model` is a container that stands in a field of that name, and may be a part of one.
    Not `is_whole`: what is missing may come from a runtime.
    """
    own = {name: value for name, value in pod.items() if name not in _OF_REVISIONS}
    for name in _OF_REVISIONS:
        if pod.get(name) is not None:
            faults.add("unknown field", f"{path}.{name}")
    containers = own.get("containers")
    listed: list[Any] = containers if isinstance(containers, list) else []
    if model is not None:
        own["containers"] = [_complete(model), *listed]
    for at, each in enumerate(listed):
        _check_env(each, f"{path}.containers[{at}]", faults)
    if model is not None:
        _check_env(model, f"{path}.model", faults)
    for error in _errors(own, path):
        paths = error.paths if is_whole else _of_the_part(error)
        if paths or not error.paths:
            shown = [_renamed(each, path, is_shifted=model is not None) for each in paths]
            faults.add(error.message, *shown, details=error.details)


def _complete(model: Raw) -> dict[str, Any]:
    return {"image": keys.PREDICTOR_IMAGE, **model, "name": CONTAINER}


def _errors(spec: Raw, path: str) -> tuple[FieldError, ...]:
    found = Faults()
    pods.read_revision_spec(spec, path, found)
    try:
        found.raise_any()
    except InvalidObjectError as error:
        return error.errors
    return ()


def _of_the_part(error: FieldError) -> tuple[str, ...]:
    """The paths that count although the rest of the pod is not known."""
    if any(text in error.message for text in _OF_THE_WHOLE):
        return ()
    return tuple(each for each in error.paths if not each.endswith(_PORTS))


def _renamed(found: str, path: str, *, is_shifted: bool) -> str:
    """The path as the user knows it: the model was put before the other containers."""
    if not is_shifted:
        return found
    prefix = f"{path}.containers["
    if not found.startswith(prefix) or found.startswith(f"{prefix}*"):
        return found
    number, _, rest = found[len(prefix) :].partition("]")
    return f"{path}.model{rest}" if number == "0" else f"{prefix}{int(number) - 1}]{rest}"


def _check_env(container: Any, path: str, faults: Faults) -> None:
    env = container.get("env") if isinstance(container, Mapping) else None
    for at, each in enumerate(env if isinstance(env, list) else ()):
        name = each.get("name") if isinstance(each, Mapping) else None
        if name in _BLOCKED_ENV:
            where = container.get("name", "")
            message = f'setting {name} in container "{where}" is not allowed for security reasons'
            faults.add(message, f"{path}.env[{at}].name")
