"""Revision templates: what a Revision runs, and how much of it at once.

For: reading the template of a Service or Configuration, and the spec of a Revision.
Must not know: which object a template stands in, beyond its parent's metadata.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from api import annotations, autoscaling, fields, formats, keys, metadata, refusals
from api.objects import ObjectMeta
from api.pods import Container, read_containers

TIMEOUT_S_DEFAULT = 300  # revision-timeout-seconds
TIMEOUT_S_MAX = 600  # max-revision-timeout-seconds
PROGRESS_DEADLINE_S_DEFAULT = 600  # config-deployment: progress-deadline

DEADLINE_ANNOTATIONS = frozenset(
    {keys.PROGRESS_DEADLINE, annotations.camel_case(keys.PROGRESS_DEADLINE)}
)
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
        source.finish(unsupported=refusals.UNSUPPORTED_POD, disallowed=refusals.DISALLOWED_POD)
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
        inner.finish(disallowed=refusals.DISALLOWED_TEMPLATE_METADATA)
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
    metadata.check_served(found, path, faults, served=DEADLINE_ANNOTATIONS)
    autoscaling.read_scaling(found, path, faults)
    read_progress_deadline(found, path, faults)
    for key in found:
        if key.startswith(_OUR_PREFIX) and key not in metadata.TEMPLATE_ANNOTATIONS:
            faults.invalid_key(key, path, "not an annotation that Relight reads here")


def progress_deadline_s(found: Mapping[str, str]) -> int:
    """How long a new Revision may take to get ready, by its annotations.

    Raises InvalidObjectError if the annotation is wrong.
    """
    faults = fields.Faults()
    deadline_s = read_progress_deadline(found, "metadata.annotations", faults)
    faults.raise_any()
    return deadline_s


def read_progress_deadline(found: Mapping[str, str], path: str, faults: fields.Faults) -> int:
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
