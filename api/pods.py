"""The part of a PodSpec that a Revision may set: one container.

For: reading containers, and refusing by name what is Kubernetes' and not served here.
Must not know: who runs a container, or how.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from api import fields, formats, images, keys, quantities, refusals

DEFAULT_CONTAINER_NAME = "user-container"
DEFAULT_PORT = 8080

RESERVED_CONTAINER_NAMES = frozenset({"queue-proxy"})
RESERVED_ENV = frozenset(
    {keys.ENV_PORT, keys.ENV_SERVICE, keys.ENV_CONFIGURATION, keys.ENV_REVISION}
)
RESERVED_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})
PORT_MAX = 65535

_STANDARD_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVar:
    """One variable of a container's environment."""

    name: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPort:
    """The port on which a container listens for requests."""

    name: str = ""  # "" or "http1"
    container_port: int = DEFAULT_PORT
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Amounts by resource name, as Kubernetes writes them ("500m", "1Gi")."""

    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What runs in a replica."""

    name: str = DEFAULT_CONTAINER_NAME
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()  # none or one
    resources: Resources = field(default_factory=Resources)


def read_containers(source: fields.Fields) -> tuple[Container, ...]:
    """The containers of a PodSpec: exactly one, for now."""
    path, faults = source.at("containers"), source.faults
    found = source.children("containers")
    containers = tuple(_read_container(each) for each in found)
    if not source.has("containers") or (not containers and source.is_list("containers")):
        faults.missing(path)
    if len(containers) > 1:
        message = f"multi-container is off, but found {len(containers)} containers"
        faults.add(message, path, details=fields.NOT_SUPPORTED)
    if sum(len(each.ports) for each in containers) > 1:
        faults.add(
            "more than one container port is set",
            f"{path}[*].ports",
            details="Only a single port is allowed across all containers",
        )
    return containers


def _read_container(source: fields.Fields) -> Container:
    container = Container(
        name=source.text("name") or DEFAULT_CONTAINER_NAME,
        image=source.text("image"),
        command=source.texts("command"),
        args=source.texts("args"),
        env=tuple(_read_env(each) for each in source.children("env")),
        ports=_read_ports(source),
        resources=_read_resources(source.child("resources")),
    )
    _check_name(container.name, source)
    _check_image(container.image, source)
    source.finish(
        unsupported=refusals.UNSUPPORTED_CONTAINER, disallowed=refusals.DISALLOWED_CONTAINER
    )
    return container


def _check_name(name: str, source: fields.Fields) -> None:
    wrong = formats.dns_1123_label(name)
    if name in RESERVED_CONTAINER_NAMES:
        source.faults.add(f'"{name}" is a reserved container name', source.at("name"))
    elif wrong:
        source.faults.invalid(name, source.at("name"), ", ".join(wrong))


def _check_image(image: str, source: fields.Fields) -> None:
    path = source.at("image")
    if not image:
        if not source.has("image") or source.is_text("image"):
            source.faults.missing(path)
    elif not images.is_valid(image):
        details = f'image: "{image}", error: could not parse reference: {image}'
        source.faults.add("Failed to parse image reference", path, details=details)


def _read_env(source: fields.Fields) -> EnvVar:
    variable = EnvVar(name=source.text("name"), value=source.text("value"))
    path, wrong = source.at("name"), formats.env_name(variable.name)
    if not variable.name:
        source.faults.missing(path)
    elif variable.name in RESERVED_ENV:
        source.faults.add(f'"{variable.name}" is a reserved environment variable', path)
    elif wrong:
        source.faults.invalid(variable.name, path, ", ".join(wrong))
    source.finish(unsupported=refusals.UNSUPPORTED_ENV)
    return variable


def _read_ports(source: fields.Fields) -> tuple[ContainerPort, ...]:
    return tuple(_read_port(each, source.at("ports")) for each in source.children("ports"))


def _read_port(source: fields.Fields, list_path: str) -> ContainerPort:
    port = ContainerPort(
        name=source.text("name"),
        container_port=source.integer("containerPort") or DEFAULT_PORT,
        protocol=source.text("protocol") or "TCP",
    )
    number, faults = port.container_port, source.faults
    if number in RESERVED_PORTS:
        reserved = f"{number} is a reserved port"
        details = f"{reserved}, please use a different value"
        faults.invalid(reserved, source.at("containerPort"), details)
    if not 0 <= number <= PORT_MAX:
        faults.out_of_bounds(number, 0, PORT_MAX, source.at("containerPort"))
    if port.protocol != "TCP":
        faults.invalid(port.protocol, source.at("protocol"))
    if port.name == "h2c":
        faults.invalid(port.name, source.at("name"), fields.NOT_SUPPORTED)
    elif port.name not in ("", "http1"):
        details = "Name must be empty, or one of: 'h2c', 'http1'"
        faults.add(f"Port name {port.name} is not allowed", list_path, details=details)
    source.finish(disallowed=refusals.DISALLOWED_PORT)
    return port


def _read_resources(source: fields.Fields) -> Resources:
    resources = Resources(
        limits=_read_amounts(source, "limits"), requests=_read_amounts(source, "requests")
    )
    for name, requested in resources.requests.items():
        limit = resources.limits.get(name)
        if limit is not None and _exceeds(requested, limit):
            details = f"must be less than or equal to {name} limit of {limit}"
            source.faults.invalid(requested, f"{source.at('requests')}.{name}", details)
    source.finish(disallowed=refusals.DISALLOWED_RESOURCES)
    return resources


def _read_amounts(source: fields.Fields, name: str) -> dict[str, str]:
    """A map of quantities; Kubernetes takes numbers for text here, and so do we."""
    amounts: dict[str, str] = {}
    for resource, value in source.raw(name).items():
        path = f"{source.at(name)}.{resource}"
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        text = str(value) if is_number or isinstance(value, str) else ""
        amount = quantities.parse(text)
        if amount is None:
            source.faults.invalid(fields.shown(value), path, quantities.FORM)
        elif amount < 0:
            source.faults.invalid(text, path, "must be greater than or equal to 0")
        _check_resource(resource, source.at(name), source.faults)
        amounts[resource] = text
    return amounts


def _check_resource(resource: str, path: str, faults: fields.Faults) -> None:
    wrong: Sequence[str] = formats.qualified_name(resource)
    if not wrong and "/" not in resource and resource not in _STANDARD_RESOURCES:
        wrong = ("must be a standard resource for containers",)
    if wrong:
        faults.invalid_key(resource, path, ", ".join(wrong))


def _exceeds(requested: str, limit: str) -> bool:
    amounts = quantities.parse(requested), quantities.parse(limit)
    return amounts[0] is not None and amounts[1] is not None and amounts[0] > amounts[1]
