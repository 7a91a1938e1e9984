"""What users write: Service, Configuration, Revision, Route.

For: turning the raw objects of serving.knative.dev/v1 into typed ones, or naming every
field that is wrong. Absent fields are read as their defaults.
Must not know: how objects are stored, or what is done about them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from api import annotations, autoscaling, fields, formats, keys, kinds, metadata
from api.objects import ObjectMeta, Raw
from api.pods import (
    DISALLOWED_POD_FIELDS,
    UNSUPPORTED_POD_FIELDS,
    Container,
    ContainerPort,
    EnvVar,
    Resources,
    read_containers,
)
from api.traffic import TrafficTarget, read_traffic

# The words of a spec have their home in pods.py and traffic.py, and are read with it.
__all__ = [
    "Configuration",
    "Container",
    "ContainerPort",
    "EnvVar",
    "Resources",
    "Revision",
    "RevisionSpec",
    "RevisionTemplate",
    "Route",
    "Service",
    "TrafficTarget",
    "progress_deadline_s",
]

TIMEOUT_S_DEFAULT = 300  # revision-timeout-seconds
TIMEOUT_S_MAX = 600  # max-revision-timeout-seconds
PROGRESS_DEADLINE_S_DEFAULT = 600  # config-deployment: progress-deadline

_UNSUPPORTED_SPEC = UNSUPPORTED_POD_FIELDS | {
    "idleTimeoutSeconds",
    "loadBalancingPolicy",
    "responseStartTimeoutSeconds",
}
_TEMPLATE_METADATA = frozenset(
    [
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ]
)
_USERS = frozenset({keys.CREATOR, keys.LAST_MODIFIER})
_DEADLINE = frozenset({keys.PROGRESS_DEADLINE, annotations.camel_case(keys.PROGRESS_DEADLINE)})
_ROUTING = frozenset({keys.ROUTES, keys.ROUTING_STATE_MODIFIED})
_OUR_TEMPLATE_ANNOTATIONS = frozenset({keys.MODEL_NAME})
_OUR_PREFIX = "relight.dev/"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSpec:
    """What a Revision runs, and how much of it at once."""

    containers: tuple[Container, ...]
    container_concurrency: int = 0  # hard limit of requests in one replica; 0: none
    timeout_s: int = TIMEOUT_S_DEFAULT

    @classmethod
    def read(cls, source: fields.Fields) -> Self:
        """Read from `source`, noting errors in its faults."""
        spec = cls(
            containers=read_containers(source),
            container_concurrency=metadata.read_container_concurrency(source),
            timeout_s=source.integer("timeoutSeconds") or TIMEOUT_S_DEFAULT,
        )
        if not 0 <= spec.timeout_s <= TIMEOUT_S_MAX:
            path = source.at("timeoutSeconds")
            source.faults.out_of_bounds(spec.timeout_s, 0, TIMEOUT_S_MAX, path)
        if source.boolean("enableServiceLinks"):  # false is what always holds
            source.faults.unsupported(source.at("enableServiceLinks"))
        source.finish(unsupported=_UNSUPPORTED_SPEC, disallowed=DISALLOWED_POD_FIELDS)
        return spec


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionTemplate:
    """What each new Revision of a Configuration is made from."""

    name: str = ""  # of the next Revision; "": one is made from the generation
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: RevisionSpec

    @classmethod
    def read(cls, source: fields.Fields, *, parent: ObjectMeta) -> Self:
        """Read from `source`; the name must fit that of the parent."""
        inner = source.child("metadata")
        template = cls(
            name=inner.text("name"),
            labels=inner.string_map("labels"),
            annotations=inner.string_map("annotations"),
            spec=RevisionSpec.read(source.child("spec")),
        )
        inner.finish(disallowed=_TEMPLATE_METADATA)
        source.finish()
        if template.name:
            _check_revision_name(template.name, parent, inner)
        _check_template_labels(template.labels, inner)
        _check_template_annotations(template.annotations, inner)
        return template


def _check_revision_name(name: str, parent: ObjectMeta, source: fields.Fields) -> None:
    path, prefix = source.at("name"), f"{parent.name}-"
    wrong = formats.dns_1035_label(name)
    if wrong:
        source.faults.invalid(f"not a DNS 1035 label: [{' '.join(wrong)}]", path)
    elif parent.name and not name.startswith(prefix):
        source.faults.invalid(f'"{name}" must have prefix "{prefix}"', path)
    elif not parent.name and parent.generate_name:
        # The prefix is not known before the parent's name is made.
        source.faults.disallowed(path)


def _check_template_labels(labels: Mapping[str, str], source: fields.Fields) -> None:
    metadata.check_labels(labels, source.at("labels"), source.faults)
    for key in labels:
        if key.startswith(keys.SERVING_PREFIX):
            # Each of these is written by the controller: one from here would be lost.
            source.faults.invalid_key(key, source.at("labels"))


def _check_template_annotations(found: Mapping[str, str], source: fields.Fields) -> None:
    path, faults = source.at("annotations"), source.faults
    metadata.check_annotations(found, path, faults)
    metadata.check_served(found, path, faults, served=_DEADLINE)
    autoscaling.read_scaling(found, path, faults)
    _read_progress_deadline(found, path, faults)
    for key in found:
        if key.startswith(_OUR_PREFIX) and key not in _OUR_TEMPLATE_ANNOTATIONS:
            faults.invalid_key(key, path, "not an annotation that Relight reads here")


def progress_deadline_s(found: Mapping[str, str]) -> int:
    """How long a new Revision may take to get ready, by its annotations.

    Raises InvalidObjectError if the annotation is wrong.
    """
    faults = fields.Faults()
    deadline_s = _read_progress_deadline(found, "metadata.annotations", faults)
    faults.raise_any()
    return deadline_s


def _read_progress_deadline(found: Mapping[str, str], path: str, faults: fields.Faults) -> int:
    annotation = annotations.Annotations(found, path, faults).find(keys.PROGRESS_DEADLINE)
    if annotation is None:
        return PROGRESS_DEADLINE_S_DEFAULT
    duration = formats.duration_ns(annotation.text)
    if duration is None:
        faults.invalid(annotation.text, annotation.path)
        return PROGRESS_DEADLINE_S_DEFAULT
    if duration % annotations.NS_PER_S:
        message = f"progress-deadline={annotation.text} is not at second precision"
        faults.add(message, annotation.path)
    elif duration < 0:
        faults.add(f"progress-deadline={annotation.text} must be positive", annotation.path)
    return duration // annotations.NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the user writes: a template and traffic."""

    metadata: ObjectMeta
    template: RevisionTemplate
    traffic: tuple[TrafficTarget, ...]
    status: Raw = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """Raises InvalidObjectError naming every wrong and every unknown field."""
        faults = fields.Faults()
        source = metadata.open_object(raw, kinds.SERVICES, faults)
        meta = ObjectMeta.read(source.child("metadata"))
        metadata.check(meta, faults)
        metadata.check_serving_labels(meta, faults)
        metadata.check_no_scaling(meta, faults)
        metadata.check_served(meta.annotations, "metadata.annotations", faults, served=_USERS)
        spec = source.child("spec")
        service = cls(
            metadata=meta,
            template=RevisionTemplate.read(spec.child("template"), parent=meta),
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
    def parse(cls, raw: Raw) -> Self:
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
        metadata.check_no_scaling(meta, faults)
        served = _USERS | _ROUTING
        metadata.check_served(meta.annotations, "metadata.annotations", faults, served=served)
        spec = source.child("spec")
        configuration = cls(
            metadata=meta,
            template=RevisionTemplate.read(spec.child("template"), parent=meta),
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
    def parse(cls, raw: Raw) -> Self:
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
        path, served = "metadata.annotations", _USERS | _ROUTING | _DEADLINE
        metadata.check_served(meta.annotations, path, faults, served=served)
        autoscaling.read_scaling(meta.annotations, path, faults)
        _read_progress_deadline(meta.annotations, path, faults)
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
        metadata.check_no_scaling(meta, faults)
        metadata.check_served(meta.annotations, "metadata.annotations", faults, served=_USERS)
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
