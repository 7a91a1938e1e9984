"""What users write: Service, Configuration, Revision, Route.

For: turning the raw objects of serving.knative.dev/v1 into typed ones, or naming every
field that is wrong. Absent fields are read as their defaults.
Must not know: how objects are stored, or what is done about them.
"""

from dataclasses import dataclass, field
from typing import Self

from api import fields, keys, kinds, known_annotations, metadata
from api.autoscaler_config import Defaults
from api.objects import ObjectMeta, Raw
from api.templates import (
    RevisionSpec,
    RevisionTemplate,
    check_revision_annotations,
    progress_deadline_s,
)
from api.traffic import TrafficTarget, read_traffic

# The words of a spec have their home in templates.py and traffic.py.
__all__ = [
    "Configuration",
    "Revision",
    "RevisionSpec",
    "RevisionTemplate",
    "Route",
    "Service",
    "TrafficTarget",
    "progress_deadline_s",
]

_KNATIVES = Defaults()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the user writes: a template and traffic."""

    metadata: ObjectMeta
    template: RevisionTemplate
    traffic: tuple[TrafficTarget, ...]
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw, *, defaults: Defaults = _KNATIVES) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.SERVICES, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        metadata.check(meta, faults)
        metadata.check_serving_labels(meta, faults)
        known_annotations.check(meta.annotations, kinds.SERVICES, "metadata.annotations", faults)
        spec = source.child("spec")
        service = cls(
            metadata=meta,
            template=RevisionTemplate.read(spec.child("template"), parent=meta, defaults=defaults),
            traffic=read_traffic(spec, is_in_service=True),
            status=source.raw("status"),
        )
        spec.finish()
        source.finish()
        faults.raise_any()
        return service


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The current template; makes Revisions."""

    metadata: ObjectMeta
    template: RevisionTemplate
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw, *, defaults: Defaults = _KNATIVES) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.CONFIGURATIONS, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        metadata.check(meta, faults)
        metadata.check_serving_labels(
            meta,
            faults,
            allowed=frozenset({keys.ROUTE, keys.CONFIGURATION_UID, keys.SERVICE_UID}),
            owned={keys.SERVICE: "Service"},
        )
        known_annotations.check(
            meta.annotations, kinds.CONFIGURATIONS, "metadata.annotations", faults
        )
        spec = source.child("spec")
        configuration = cls(
            metadata=meta,
            template=RevisionTemplate.read(spec.child("template"), parent=meta, defaults=defaults),
            status=source.raw("status"),
        )
        spec.finish()
        source.finish()
        faults.raise_any()
        return configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """An immutable snapshot of a template."""

    metadata: ObjectMeta
    spec: RevisionSpec
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw, *, defaults: Defaults = _KNATIVES) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.REVISIONS, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        metadata.check(meta, faults)
        metadata.check_serving_labels(
            meta,
            faults,
            allowed=_REVISION_LABELS,
            owned={keys.CONFIGURATION: "Configuration"},
        )
        check_revision_annotations(
            meta.annotations, kinds.REVISIONS, "metadata.annotations", faults, defaults
        )
        revision = cls(
            metadata=meta,
            spec=RevisionSpec.read(source.child("spec")),
            status=source.raw("status"),
        )
        source.finish()
        faults.raise_any()
        return revision


_REVISION_LABELS = frozenset(
    {
        keys.CONFIGURATION_GENERATION,
        keys.CONFIGURATION_UID,
        keys.ROUTE,
        keys.ROUTING_STATE,
        keys.SERVICE,
        keys.SERVICE_UID,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which Revisions get what share of traffic."""

    metadata: ObjectMeta
    traffic: tuple[TrafficTarget, ...]
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.ROUTES, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        metadata.check(meta, faults)
        metadata.check_serving_labels(meta, faults, owned={keys.SERVICE: "Service"})
        known_annotations.check(meta.annotations, kinds.ROUTES, "metadata.annotations", faults)
        spec = source.child("spec")
        route = cls(
            metadata=meta,
            traffic=read_traffic(spec, is_in_service=False),
            status=source.raw("status"),
        )
        spec.finish()
        source.finish()
        faults.raise_any()
        return route
