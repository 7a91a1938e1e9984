"""What a CustomResourceDefinition says, as values.

For: reading a stored CRD once, for all who serve its kind.
Must not know: requests, or whether the CRD is well formed: `crds.py` has checked that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.kinds import Resource
from api.objects import Raw
from api.openapi import Schema, text
from api.schemas import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePaths:
    """Where a kind keeps what autoscaling/v1 Scale shows; paths begin with a dot."""

    replicas: str
    status_replicas: str
    selector: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A kind at one version."""

    resource: Resource
    schema: Schema
    columns: tuple[Column, ...] = ()
    has_status: bool = False
    scale: ScalePaths | None = None
    selectable: tuple[str, ...] = ()  # "spec.color"
    is_served: bool = True
    warning: str = ""  # what every request to a deprecated version is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A whole CRD. Versions stand in Kubernetes' order of preference."""

    name: str
    group: str
    plural: str
    kind: str
    storage: str
    versions: tuple[Version, ...]


def read(crd: Raw) -> Definition:
    """The definition in a CRD that was checked."""
    spec = crd["spec"]
    ordered = sorted(spec["versions"], key=lambda each: priority(each["name"]))
    return Definition(
        name=crd["metadata"]["name"],
        group=spec["group"],
        plural=spec["names"]["plural"],
        kind=spec["names"]["kind"],
        storage=next(each["name"] for each in ordered if each["storage"]),
        versions=tuple(_version(spec, each) for each in ordered),
    )


def priority(version: str) -> tuple[Any, ...]:
    """The key that sorts versions as Kubernetes does: v2, v1, v1beta2, v1alpha1, foo10, foo2."""
    body, level, minor = version.removeprefix("v"), 0, "0"
    for at, word in enumerate(("alpha", "beta"), start=1):
        major, found, rest = body.partition(word)
        if found:
            body, level, minor = major, at, rest
            break
    else:
        level = 3
    if not version.startswith("v") or not body.isdigit() or not minor.isdigit():
        return (1, version)
    return (0, -level, -int(body), -int(minor))


def _version(spec: Raw, raw: Raw) -> Version:
    names = spec["names"]
    parts = raw.get("subresources") or {}
    warning = ""
    if raw.get("deprecated"):
        default = f"{spec['group']}/{raw['name']} {names['kind']} is deprecated"
        warning = raw.get("deprecationWarning") or default
    return Version(
        resource=Resource(
            spec["group"],
            raw["name"],
            names["plural"],
            names["kind"],
            names.get("singular") or names["kind"].lower(),
            tuple(names.get("shortNames") or ()),
            tuple(names.get("categories") or ()),
            spec["scope"] == "Namespaced",
        ),
        schema=_whole((raw.get("schema") or {}).get("openAPIV3Schema") or {}),
        columns=tuple(map(_column, raw.get("additionalPrinterColumns") or ())),
        has_status="status" in parts,
        scale=_scale(parts.get("scale")),
        selectable=tuple(
            each["jsonPath"].removeprefix(".") for each in raw.get("selectableFields") or ()
        ),
        is_served=raw["served"],
        warning=warning,
    )


def _whole(schema: Schema) -> Schema:
    """The schema with the three fields that every object has."""
    if schema.get("x-kubernetes-preserve-unknown-fields") and "properties" not in schema:
        schema = {**schema, "properties": {}}
    metadata = schema.get("properties", {}).get("metadata") or {}
    properties = {
        "apiVersion": text("The group and version of this object's kind."),
        "kind": text("The kind of this object."),
        **schema.get("properties", {}),
        "metadata": {
            "description": "The name, namespace, labels and annotations of the object.",
            **metadata,
            "type": "object",
        },
    }
    return {**schema, "type": "object", "properties": properties}


def _column(raw: Raw) -> Column:
    return Column(
        name=raw["name"],
        type=raw["type"],
        json_path=raw["jsonPath"],
        priority=raw.get("priority") or 0,
    )


def _scale(raw: Any) -> ScalePaths | None:
    if not isinstance(raw, Mapping):
        return None
    return ScalePaths(
        replicas=raw["specReplicasPath"],
        status_replicas=raw["statusReplicasPath"],
        selector=raw.get("labelSelectorPath") or "",
    )
