"""The rules for one container that its schema can not say.

For: checking a container of a Revision with Knative's complaints.
Must not know: the other containers, or who runs one.
"""

import re
from enum import Enum, auto

from api import fields, formats, images, keys, quantities
from api.objects import Raw

RESERVED_NAMES = frozenset({"queue-proxy"})
RESERVED_ENV = frozenset(
    {keys.ENV_PORT, keys.ENV_SERVICE, keys.ENV_CONFIGURATION, keys.ENV_REVISION}
)
RESERVED_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})

_STANDARD_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
_VALUE_SOURCES = ("configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef")
_FIELD_PATH = re.compile(
    r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['[^']+'\]|"
    r"spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)
_FILE_FIELD_PATH = re.compile(
    r"metadata\.(name|namespace|uid|labels|annotations)|metadata\.(labels|annotations)\['[^']+'\]"
)
_RESOURCE_FIELD = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")


class Role(Enum):
    """What a container is to a Revision."""

    SERVING = auto()  # takes the requests
    SIDECAR = auto()
    INIT = auto()


def check(container: Raw, role: Role, path: str, faults: fields.Faults) -> None:
    """Note what is wrong with a container, given as `shapes.read` leaves it."""
    name = container.get("name")
    if name:
        _check_name(name, f"{path}.name", faults)
    image = container.get("image")
    if image and not images.is_valid(image):
        details = f'image: "{image}", error: could not parse reference: {image}'
        faults.add("Failed to parse image reference", f"{path}.image", details=details)
    seen: set[str] = set()
    for index, variable in enumerate(container.get("env", ())):
        _check_env(variable, role, f"{path}.env[{index}]", faults)
        name = variable.get("name", "")
        if name in seen:
            # Knative's CRD has env by name; in Kubernetes' words, which its users see.
            faults.add(f'Duplicate value: "{name}"', f"{path}.env[{index}].name")
        seen.add(name)
    for index, source in enumerate(container.get("envFrom", ())):
        _check_env_from(source, f"{path}.envFrom[{index}]", faults)
    for index, port in enumerate(container.get("ports", ())):
        _check_port(port, f"{path}.ports[{index}]", faults)
        if role is not Role.INIT:
            _check_protocol(port, f"{path}.ports", index, faults)
    if "resources" in container:
        _check_resources(container["resources"], f"{path}.resources", faults)
    if container.get("securityContext", {}).get("privileged"):
        faults.disallowed(f"{path}.securityContext.privileged")


def _check_name(name: str, path: str, faults: fields.Faults) -> None:
    wrong = formats.dns_1123_label(name)
    if name in RESERVED_NAMES:
        faults.add(f'"{name}" is a reserved container name', path)
    elif wrong:
        faults.invalid(name, path, ", ".join(wrong))


def _check_env(variable: Raw, role: Role, path: str, faults: fields.Faults) -> None:
    name = variable.get("name")
    if name:
        wrong = formats.env_name(name)
        is_reserved = name in RESERVED_ENV and (role is Role.SERVING or name != keys.ENV_PORT)
        if is_reserved:
            faults.add(f'"{name}" is a reserved environment variable', f"{path}.name")
        elif wrong:
            faults.invalid(name, f"{path}.name", ", ".join(wrong))
    source = variable.get("valueFrom")
    if source is None:
        return
    if variable.get("value"):
        faults.add("expected exactly one, got both", f"{path}.value", f"{path}.valueFrom")
    check_one_of(source, _VALUE_SOURCES, f"{path}.valueFrom", faults)
    check_references(source, f"{path}.valueFrom", faults)


def check_one_of(
    found: Raw, names: tuple[str, ...], path: str, faults: fields.Faults
) -> tuple[str, ...]:
    """Exactly one of these fields must be there; answers which are."""
    given = tuple(name for name in names if name in found)
    if not given:
        faults.add("expected exactly one, got neither", *(f"{path}.{name}" for name in names))
    elif len(given) > 1:
        faults.add("expected exactly one, got both", *(f"{path}.{name}" for name in given))
    return given


def check_references(
    source: Raw, path: str, faults: fields.Faults, *, is_file: bool = False
) -> None:
    """What a `fieldRef` and a `resourceFieldRef` may name; as in Kubernetes, files differ."""
    where = source.get("fieldRef", {}).get("fieldPath")
    known = _FILE_FIELD_PATH if is_file else _FIELD_PATH
    if where and known.fullmatch(where) is None:
        faults.invalid(where, f"{path}.fieldRef.fieldPath", "not a field a container can be told")
    resource = source.get("resourceFieldRef", {}).get("resource")
    if resource and _RESOURCE_FIELD.fullmatch(resource) is None:
        details = "must be limits or requests, a dot, and cpu, memory or ephemeral-storage"
        faults.invalid(resource, f"{path}.resourceFieldRef.resource", details)


def _check_env_from(source: Raw, path: str, faults: fields.Faults) -> None:
    check_one_of(source, ("configMapRef", "secretRef"), path, faults)
    prefix = source.get("prefix")
    wrong = formats.env_name(prefix) if prefix else []
    if wrong:
        faults.invalid(prefix, f"{path}.prefix", ", ".join(wrong))


def _check_port(port: Raw, path: str, faults: fields.Faults) -> None:
    number = port.get("containerPort")
    if number in RESERVED_PORTS:
        reserved = f"{number} is a reserved port"
        details = f"{reserved}, please use a different value"
        faults.invalid(reserved, f"{path}.containerPort", details)


def _check_protocol(port: Raw, path: str, index: int, faults: fields.Faults) -> None:
    protocol, name = port.get("protocol"), port.get("name", "")
    if protocol not in (None, "", "TCP"):
        faults.invalid(protocol, f"{path}[{index}].protocol")
    if name not in ("", "h2c", "http1"):
        details = "Name must be empty, or one of: 'h2c', 'http1'"
        faults.add(f"Port name {name} is not allowed", path, details=details)


def _check_resources(resources: Raw, path: str, faults: fields.Faults) -> None:
    limits = resources.get("limits", {})
    for what in ("limits", "requests"):
        for name in resources.get(what, ()):
            _check_resource(name, f"{path}.{what}", faults)
    for name, requested in resources.get("requests", {}).items():
        limit = limits.get(name)
        if limit is not None and _exceeds(requested, limit):
            details = f"must be less than or equal to {name} limit of {limit}"
            faults.invalid(requested, f"{path}.requests.{name}", details)


def _check_resource(name: str, path: str, faults: fields.Faults) -> None:
    wrong = formats.qualified_name(name)
    is_standard = name in _STANDARD_RESOURCES or name.startswith("hugepages-")
    if not wrong and "/" not in name and not is_standard:
        wrong = ["must be a standard resource for containers"]
    if wrong:
        faults.invalid_key(name, path, ", ".join(wrong))


def _exceeds(requested: str, limit: str) -> bool:
    amounts = quantities.parse(requested), quantities.parse(limit)
    return amounts[0] is not None and amounts[1] is not None and amounts[0] > amounts[1]
