"""What every object has: metadata, owners, time stamps.

For: reading and writing `metadata` once, for all kinds.
Must not know: any particular kind, or what its names may look like.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from api import fields

Raw = Mapping[str, Any]  # a JSON object from the wire

# Written by API servers, or by none any more; nothing here reads them.
_UNREAD = ("managedFields", "selfLink", "deletionGracePeriodSeconds", "clusterName")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReference:
    """The object whose deletion deletes this one."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False

    def to_raw(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": self.controller,
            "blockOwnerDeletion": self.block_owner_deletion,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMeta:
    """The `metadata` of an object, of any kind."""

    name: str = ""
    namespace: str = ""
    generate_name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    creation_timestamp: str = ""  # RFC 3339
    deletion_timestamp: str | None = None  # RFC 3339; None unless being deleted
    finalizers: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """Read the value of a `metadata` field (not the whole object).

        Raises InvalidObjectError naming every field of the wrong type and every unknown one.
        """
        faults = fields.Faults()
        metadata = cls.read(fields.Fields(raw, "metadata", faults))
        faults.raise_any()
        return metadata

    @classmethod
    def read(cls, source: fields.Fields) -> Self:
        """Read from `source`, noting errors in its faults."""
        metadata = cls(
            name=source.text("name"),
            namespace=source.text("namespace"),
            generate_name=source.text("generateName"),
            uid=source.text("uid"),
            resource_version=source.text("resourceVersion"),
            generation=source.integer("generation") or 0,
            labels=source.string_map("labels"),
            annotations=source.string_map("annotations"),
            owner_references=tuple(map(_read_owner, source.children("ownerReferences"))),
            creation_timestamp=source.text("creationTimestamp"),
            deletion_timestamp=source.text("deletionTimestamp") or None,
            finalizers=source.texts("finalizers"),
        )
        source.skip(*_UNREAD)
        source.finish()
        return metadata

    def to_raw(self) -> dict[str, Any]:
        """The JSON form; empty fields are left out, and so is what `parse` does not read."""
        named: dict[str, Any] = {
            "name": self.name,
            "namespace": self.namespace,
            "generateName": self.generate_name,
            "uid": self.uid,
            "resourceVersion": self.resource_version,
            "generation": self.generation,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "ownerReferences": [each.to_raw() for each in self.owner_references],
            "creationTimestamp": self.creation_timestamp,
            "deletionTimestamp": self.deletion_timestamp,
            "finalizers": list(self.finalizers),
        }
        return {name: value for name, value in named.items() if value}


def _read_owner(source: fields.Fields) -> OwnerReference:
    for name in ("apiVersion", "kind", "name", "uid"):
        if not source.has(name):
            source.faults.missing(source.at(name))
    owner = OwnerReference(
        api_version=source.text("apiVersion"),
        kind=source.text("kind"),
        name=source.text("name"),
        uid=source.text("uid"),
        controller=source.boolean("controller") or False,
        block_owner_deletion=source.boolean("blockOwnerDeletion") or False,
    )
    source.finish()
    return owner


def owner_reference_to(raw_owner: Raw, *, controller: bool = True) -> dict[str, Any]:
    """An entry for `metadata.ownerReferences` of a child of this stored object.

    Raises KeyError if the owner was never stored (it has no uid).
    """
    metadata = raw_owner["metadata"]
    return OwnerReference(
        api_version=raw_owner["apiVersion"],
        kind=raw_owner["kind"],
        name=metadata["name"],
        uid=metadata["uid"],
        controller=controller,
        block_owner_deletion=controller,
    ).to_raw()


def rfc3339(epoch_s: float) -> str:
    """A time stamp in Kubernetes' form, cut to whole seconds: "2026-11-22T21:00:00Z"."""
    return datetime.fromtimestamp(int(epoch_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
