"""The Service object that `relight deploy` sends.

For: building it from what was typed and from the Service there is, if any.
Must not know: files on disk, how the object is sent, or what becomes of it.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from api import keys, kinds
from api.pods import serving_index
from relight import containers, splitting
from relight.errors import UsageError

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was typed. What is None stays as it is in the Service there is."""

    name: str
    namespace: str = "default"
    run: containers.Run = field(default_factory=containers.Run)
    concurrency: int | None = None
    timeout_s: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)  # of the template
    source_digest: str | None = None  # of the local file named in `run`
    revision_name: str | None = None
    canary_percent: int | None = None
    tag: str | None = None


def build(wanted: Wanted, old: Raw | None) -> dict[str, Any]:
    """The Service to store. Raises UsageError when it cannot be made from what was typed."""
    if old is None and not wanted.run.has_source:
        raise UsageError(
            f"{wanted.name} does not exist yet: say what to run with --model, --python, "
            "--repository or --image"
        )
    service = deepcopy(dict(old)) if old else _empty(wanted)
    service.pop("status", None)
    spec = service["spec"]
    spec["template"] = _template(wanted, spec.get("template") or {})
    traffic = _traffic(wanted, old)
    if traffic:
        spec["traffic"] = traffic
    return service


def _empty(wanted: Wanted) -> dict[str, Any]:
    return {
        "apiVersion": kinds.SERVICES.api_version,
        "kind": kinds.SERVICES.kind,
        "metadata": {"name": wanted.name, "namespace": wanted.namespace},
        "spec": {},
    }


def _template(wanted: Wanted, old: Raw) -> dict[str, Any]:
    """The template to store.

    A name chosen for an earlier revision is given up as soon as anything else changes:
    a revision is immutable, so its name cannot be used again.
    """
    metadata = dict(old.get("metadata") or {})
    old_name = metadata.pop("name", None)
    metadata["annotations"] = _annotations(wanted, metadata.get("annotations") or {})
    spec = _revision_spec(wanted, old.get("spec") or {})
    before = {k: v for k, v in (old.get("metadata") or {}).items() if k != "name"}
    is_same = _said(before) == _said(metadata) and spec == old.get("spec")
    name = _full_name(wanted) or (old_name if is_same else None)
    return {"metadata": _said({"name": name, **metadata}), "spec": spec}


def _said(metadata: Raw) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if value not in (None, "", {})}


def _full_name(wanted: Wanted) -> str | None:
    """Knative wants the Service's name in front; nobody wants to type it."""
    name, prefix = wanted.revision_name, f"{wanted.name}-"
    return name if name is None or name.startswith(prefix) else prefix + name


def _annotations(wanted: Wanted, old: Raw) -> dict[str, str]:
    annotations = {**old, **wanted.annotations}
    if wanted.run.model_name is not None:
        annotations[keys.MODEL_NAME] = wanted.run.model_name
    elif wanted.run.repository:
        annotations.pop(keys.MODEL_NAME, None)
    if wanted.run.has_source:
        annotations.pop(keys.SOURCE_DIGEST, None)
    if wanted.source_digest is not None:
        annotations[keys.SOURCE_DIGEST] = wanted.source_digest
    return annotations


def _revision_spec(wanted: Wanted, old: Raw) -> dict[str, Any]:
    spec = dict(old)
    if wanted.concurrency is not None:
        spec["containerConcurrency"] = wanted.concurrency
    if wanted.timeout_s is not None:
        spec["timeoutSeconds"] = wanted.timeout_s
    given = list(old.get("containers") or [{}])
    serving = serving_index(given)
    given[serving] = containers.build(wanted.run, given[serving] or None)
    spec["containers"] = given
    return spec


def _traffic(wanted: Wanted, old: Raw | None) -> list[dict[str, Any]]:
    """`spec.traffic`, or nothing where the server's default (all to the latest) is meant."""
    spec_traffic = (old or {}).get("spec", {}).get("traffic") or []
    if wanted.canary_percent is None and wanted.tag is None:
        return list(spec_traffic)
    split = splitting.parse(spec_traffic or [{"latestRevision": True, "percent": 100}])
    if wanted.canary_percent is not None:
        stable = splitting.stable_revision((old or {}).get("status") or {})
        if stable is None:
            raise UsageError(
                f"--canary: {wanted.name} has no ready revision to keep the other "
                f"{100 - wanted.canary_percent} % on; deploy it once without --canary"
            )
        split = splitting.canary(split, stable, wanted.canary_percent)
    if wanted.tag is not None:
        split = splitting.tag(split, {wanted.tag: splitting.LATEST})
    return splitting.to_traffic(split)
