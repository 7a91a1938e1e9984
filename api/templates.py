"""Revision templates: what a Revision runs, and how much of it at once.

For: reading the template of a Service or Configuration, and the spec of a Revision.
Must not know: which object a template stands in, beyond its parent's metadata.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from api import (
    autoscaling,
    fields,
    formats,
    keys,
    known_annotations,
    metadata,
    payload_logs,
    pods,
    refusals,
)
from api.autoscaler_config import Defaults
from api.kinds import Resource
from api.objects import ObjectMeta, Raw
from api.pod_schemas import LIMITS

_KNATIVES = Defaults()
TIMEOUT_S_DEFAULT = 300  # revision-timeout-seconds
TIMEOUT_S_MAX = LIMITS["timeoutSeconds"]["maximum"]  # max-revision-timeout-seconds
RESPONSE_START_TIMEOUT_S_DEFAULT = 300  # revision-response-start-timeout-seconds
PROGRESS_DEADLINE_S_DEFAULT = 600  # config-deployment: progress-deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSpec:
    """What a Revision runs, and how much of it at once."""

    pod: Raw  # all of it, as it was written
    container_concurrency: int = 0  # hard limit of requests in one replica; 0: none
    timeout_s: int = TIMEOUT_S_DEFAULT

    @classmethod
    def read(cls, source: fields.Fields) -> Self:
        """Read from `source`, noting errors in its faults."""
        spec = pods.read_revision_spec(source.whole, source.path, source.faults)
        return cls(
            pod={name: value for name, value in spec.items() if name not in LIMITS},
            container_concurrency=spec.get("containerConcurrency", 0),
            timeout_s=spec.get("timeoutSeconds") or TIMEOUT_S_DEFAULT,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionTemplate:
    """What each new Revision of a Configuration is made from."""

    name: str = ""  # of the next Revision; "": one is made from the generation
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: RevisionSpec

    @classmethod
    def read(
        cls, source: fields.Fields, *, parent: ObjectMeta, defaults: Defaults = _KNATIVES
    ) -> Self:
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
        _check_template_annotations(template.annotations, inner, defaults)
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


def _check_template_annotations(
    found: Mapping[str, str], source: fields.Fields, defaults: Defaults
) -> None:
    path, faults = source.at("annotations"), source.faults
    metadata.check_annotations(found, path, faults)
    check_revision_annotations(found, known_annotations.TEMPLATE, path, faults, defaults)


def check_revision_annotations(
    found: Mapping[str, str],
    place: Resource | str,
    path: str,
    faults: fields.Faults,
    defaults: Defaults = _KNATIVES,
) -> None:
    """What holds for the annotations of a Revision and of its template."""
    known_annotations.check(found, place, path, faults)
    autoscaling.read_scaling(found, path, faults, defaults)
    known_annotations.read_progress_deadline(found, path, faults)
    payload_logs.check(found, path, faults)


def progress_deadline_s(
    found: Mapping[str, str], default_s: int = PROGRESS_DEADLINE_S_DEFAULT
) -> int:
    """How long a new Revision may take to get ready, by its annotations.

    Raises InvalidObjectError if the annotation is wrong.
    """
    faults = fields.Faults()
    deadline_s = known_annotations.read_progress_deadline(found, "metadata.annotations", faults)
    faults.raise_any()
    return default_s if deadline_s is None else deadline_s
