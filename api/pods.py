"""What a Revision runs: containers that agree with one another and with their volumes.

For: checking a whole PodSpec with Knative's complaints, and telling which container serves.
Must not know: who runs a container, or how.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api import containers, fields, formats, pod_schemas, probes, refusals, shapes, volumes
from api.containers import Role
from api.objects import Raw
from api.openapi import record

DEFAULT_PORT = 8080

# What a Revision's spec may hold: read by validation, and walked by the list of what is served.
REVISION_SHAPE = shapes.compiled(
    record(
        "What a Revision runs.",
        {**pod_schemas.POD_SPEC, **pod_schemas.LIMITS},
        required=("containers",),
    ),
    refusals.REVISION_SPEC,
    terse=refusals.TERSE,
)


def serving_index(given: Sequence[Mapping[str, Any]]) -> int:
    """Which of the containers takes the requests: the one with a port, or the only one."""
    return next((index for index, each in enumerate(given) if each.get("ports")), 0)


def speaks_h2c(given: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the container that takes the requests speaks HTTP/2, as its port's name says.

    Without TLS, and without an upgrade: its clients know.
    """
    if not given:
        return False
    ports: Sequence[Mapping[str, Any]] = given[serving_index(given)].get("ports") or ({},)
    return ports[0].get("name") == "h2c"


def read_revision_spec(raw: Any, path: str, faults: fields.Faults) -> dict[str, Any]:
    """The spec of a Revision with what is served in it; all that is wrong is noted."""
    spec: dict[str, Any] = shapes.read(raw, REVISION_SHAPE, path, faults)
    check(spec, path, faults)
    return spec


def check(pod: Raw, path: str, faults: fields.Faults) -> None:
    """Note what is wrong with a PodSpec, given as `shapes.read` leaves it."""
    running, starting = pod.get("containers", []), pod.get("initContainers", [])
    mounted = {
        mount.get("name", "")
        for each in (*running, *starting)
        for mount in each.get("volumeMounts", ())
    }
    known = volumes.check(pod.get("volumes", []), mounted, f"{path}.volumes", faults)
    _check_ports(running, path, faults)
    _check_names(running, starting, path, faults)
    serving = serving_index(running)
    for index, each in enumerate(running):
        role = Role.SERVING if index == serving or each.get("ports") else Role.SIDECAR
        here = f"{path}.containers[{index}]"
        containers.check(each, role, here, faults)
        port_name = _port_name(each) if role is Role.SERVING else None
        probes.check(each, port_name, here, faults)
        volumes.check_mounts(each.get("volumeMounts", ()), known, f"{here}.volumeMounts", faults)
    for index, each in enumerate(starting):
        here = f"{path}.initContainers[{index}]"
        containers.check(each, Role.INIT, here, faults)
        volumes.check_mounts(each.get("volumeMounts", ()), known, f"{here}.volumeMounts", faults)
    _check_pod_fields(pod, path, faults)


def _port_name(container: Raw) -> str:
    ports = container.get("ports") or [{}]
    return ports[0].get("name") or probes.DEFAULT_PORT_NAME


def _check_ports(running: Sequence[Raw], path: str, faults: fields.Faults) -> None:
    count = sum(len(each.get("ports", ())) for each in running)
    if count == 0 and len(running) > 1:
        faults.missing(f"{path}.containers[*].ports")
    elif count > 1:
        faults.add(
            "more than one container port is set",
            f"{path}.containers[*].ports",
            details="Only a single port is allowed across all containers",
        )


def _check_names(
    running: Sequence[Raw], starting: Sequence[Raw], path: str, faults: fields.Faults
) -> None:
    seen: set[str] = set()
    for what, given in (("containers", running), ("initContainers", starting)):
        for index, each in enumerate(given):
            name = each.get("name", "")
            if name and name in seen:
                message = f'duplicate container name "{name}"'
                faults.add(message, f"{path}.{what}[{index}].name")
            seen.add(name)


def _check_pod_fields(pod: Raw, path: str, faults: fields.Faults) -> None:
    if pod.get("automountServiceAccountToken"):
        faults.disallowed(f"{path}.automountServiceAccountToken")
    for name in ("serviceAccountName", "runtimeClassName", "priorityClassName"):
        text = pod.get(name)
        for wrong in formats.dns_1123_subdomain(text) if text else ():
            faults.invalid(text, f"{path}.{name}", wrong)
    for key, value in pod.get("nodeSelector", {}).items():
        wrong_key, wrong_value = formats.qualified_name(key), formats.label_value(value)
        if wrong_key:
            faults.invalid_key(key, f"{path}.nodeSelector", ", ".join(wrong_key))
        if wrong_value:
            faults.invalid(value, f"{path}.nodeSelector.{key}", ", ".join(wrong_value))
