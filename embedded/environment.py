"""A container's environment: its own words, and what it takes from elsewhere. Pure.

For: Kubernetes' `env`, `envFrom`, `valueFrom` and `$(NAME)`, in its order and its words.
Must not know: how objects are read, or what starts with the environment.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from api import quantities
from api.keys import ENV_PORT
from api.objects import Raw

SourceKind = Literal["ConfigMap", "Secret"]
Lookup = Callable[[SourceKind, str], Raw | None]  # of the Pod's namespace; None: there is none
_REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")
_INDEXED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_MAP_FIELDS = ("metadata.labels", "metadata.annotations")


class MissingError(Exception):
    """Something that is referred to is not there; the message is Kubernetes'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downward:
    """What a container may learn of its Pod and of the machine."""

    pod: Raw
    node_name: str = "localhost"
    address: str = "127.0.0.1"
    capacity: Mapping[str, Decimal] = field(default_factory=dict)


def environment(
    container: Raw, about: Downward, lookup: Lookup, *, port: int | None = None
) -> dict[str, str]:
    """What a container finds in its environment; MissingError.

    `port` replaces what `PORT` is said to be: replicas on one machine share its ports.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        found |= _all_of(source, lookup)
    for entry in container.get("env") or ():
        name = str(entry["name"])
        if name == ENV_PORT and port is not None:
            found[name] = str(port)
        elif entry.get("valueFrom"):
            value = _taken(entry["valueFrom"], container, about, lookup)
            if value is not None:
                found[name] = value
        else:
            found[name] = expanded(str(entry.get("value") or ""), found)
    if port is not None:
        found[ENV_PORT] = str(port)
    return found


def expanded(word: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value; `$$` is a dollar; an unknown name stays."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return _REFERENCE.sub(value, word)


def data_of(obj: Raw) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret and what is under each."""
    found: dict[str, bytes] = {}
    is_secret = obj.get("kind") == "Secret"
    encoded = obj.get("data" if is_secret else "binaryData") or {}
    plain = obj.get("stringData" if is_secret else "data") or {}
    for key, text in encoded.items():
        try:
            found[key] = base64.b64decode(str(text))
        except binascii.Error as error:
            name = obj["metadata"]["name"]
            raise MissingError(f'key {key} of {obj["kind"]} "{name}" is no base64') from error
    return found | {key: str(text).encode() for key, text in plain.items()}


def references(spec: Raw) -> set[tuple[SourceKind, str]]:
    """Every ConfigMap and Secret that a Pod's containers and volumes speak of."""
    found: set[tuple[SourceKind, str]] = set()
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            _note(found, source.get("configMapRef"), source.get("secretRef"))
        for entry in container.get("env") or ():
            value = entry.get("valueFrom") or {}
            _note(found, value.get("configMapKeyRef"), value.get("secretKeyRef"))
    for volume in spec.get("volumes") or ():
        sources = (volume, *((volume.get("projected") or {}).get("sources") or ()))
        for source in sources:
            _note(found, source.get("configMap"), source.get("secret"))
    return found


def _note(found: set[tuple[SourceKind, str]], config_map: Raw | None, secret: Raw | None) -> None:
    if config_map:
        found.add(("ConfigMap", str(config_map.get("name", ""))))
    if secret:
        found.add(("Secret", str(secret.get("secretName") or secret.get("name", ""))))


def _all_of(source: Raw, lookup: Lookup) -> dict[str, str]:
    prefix = str(source.get("prefix") or "")
    kinds: Sequence[tuple[SourceKind, str]] = (
        ("ConfigMap", "configMapRef"),
        ("Secret", "secretRef"),
    )
    for kind, field_name in kinds:
        reference = source.get(field_name)
        if reference is None:
            continue
        obj = read(kind, reference, lookup, name=str(reference.get("name", "")))
        data = {} if obj is None else data_of(obj)
        return {prefix + key: data[key].decode(errors="replace") for key in sorted(data)}
    return {}


def read(kind: SourceKind, reference: Raw, lookup: Lookup, *, name: str) -> Raw | None:
    """The object; None if it need not be there; MissingError."""
    obj = lookup(kind, name)
    if obj is None and not reference.get("optional"):
        raise MissingError(f'{kind.lower()} "{name}" not found')
    return obj


def _taken(source: Raw, container: Raw, about: Downward, lookup: Lookup) -> str | None:
    """The value of one variable; None: optional, and not there."""
    if source.get("configMapKeyRef"):
        return _key("ConfigMap", source["configMapKeyRef"], about, lookup)
    if source.get("secretKeyRef"):
        return _key("Secret", source["secretKeyRef"], about, lookup)
    if source.get("fieldRef"):
        return pod_field(str(source["fieldRef"].get("fieldPath", "")), about)
    return resource_field(source.get("resourceFieldRef") or {}, container, about)


def _key(kind: SourceKind, reference: Raw, about: Downward, lookup: Lookup) -> str | None:
    name, key = str(reference.get("name", "")), str(reference.get("key", ""))
    obj = read(kind, reference, lookup, name=name)
    data = {} if obj is None else data_of(obj)
    if key in data:
        return data[key].decode(errors="replace")
    if reference.get("optional"):
        return None
    namespace = about.pod["metadata"].get("namespace", "default")
    raise MissingError(f"couldn't find key {key} in {kind} {namespace}/{name}")


def is_pod_field(path: str, *, is_file: bool = False) -> bool:
    """Whether a container may learn this of its Pod; whole maps only in a file."""
    return path in _FIELDS or bool(_INDEXED.fullmatch(path)) or (is_file and path in _MAP_FIELDS)


def pod_field(path: str, about: Downward) -> str:
    """What `fieldRef` gives."""
    metadata: Raw = about.pod["metadata"]
    indexed = _INDEXED.fullmatch(path)
    if indexed:
        return str((metadata.get(indexed[1]) or {}).get(indexed[2], ""))
    if path in _MAP_FIELDS:
        items = sorted((metadata.get(path.partition(".")[2]) or {}).items())
        return "\n".join(f"{key}={_quoted(str(value))}" for key, value in items)
    read_field = _FIELDS.get(path)
    if read_field is None:
        raise MissingError(f"unsupported fieldPath: {path}")
    return read_field(about)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


_FIELDS: Mapping[str, Callable[[Downward], str]] = {
    "metadata.name": lambda about: str(about.pod["metadata"]["name"]),
    "metadata.namespace": lambda about: str(about.pod["metadata"].get("namespace", "default")),
    "metadata.uid": lambda about: str(about.pod["metadata"].get("uid", "")),
    "spec.nodeName": lambda about: about.node_name,
    "spec.serviceAccountName": lambda about: str(
        about.pod["spec"].get("serviceAccountName") or "default"
    ),
    "status.hostIP": lambda about: about.address,
    "status.hostIPs": lambda about: about.address,
    "status.podIP": lambda about: about.address,
    "status.podIPs": lambda about: about.address,
}


def resource_field(reference: Raw, container: Raw, about: Downward) -> str:
    """What `resourceFieldRef` gives: rounded up, and of the machine where nothing bounds it."""
    name = reference.get("containerName")
    for each in about.pod["spec"].get("containers") or ():
        if name and each["name"] == name:
            container = each
    part, _, resource = str(reference.get("resource", "")).partition(".")
    resources: Mapping[str, Any] = container.get("resources") or {}
    text = (resources.get(part) or {}).get(resource)
    if text is None and part == "requests":
        text = (resources.get("limits") or {}).get(resource, "0")
    amount = quantities.parse(str(text)) if text is not None else about.capacity.get(resource)
    divisor = quantities.parse(str(reference.get("divisor") or "1")) or Decimal(1)
    return str(math.ceil((amount or Decimal(0)) / divisor))
