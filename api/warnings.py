"""What is stored all the same, and is worth a word to whoever wrote it.

For: the warnings that kubectl prints, in Knative's words.
Must not know: how they reach the caller. Nothing here refuses anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api import errors, keys, kinds
from api.kinds import Resource
from api.objects import Raw

INSECURE = (
    "Kubernetes default value is insecure, Knative may default this to secure in a future release"
)
NOT_HERE = 'this label must be put under "metadata.labels" to work'

_POD_AT: Mapping[Resource, tuple[str, ...]] = {
    kinds.SERVICES: ("spec", "template", "spec"),
    kinds.CONFIGURATIONS: ("spec", "template", "spec"),
    kinds.REVISIONS: ("spec",),
}


def warnings(resource: Resource, new: Raw, old: Raw | None) -> tuple[str, ...]:
    """One sentence for each thing to warn of in an object that was admitted.

    `old` is what it replaces, None on create: a Revision, which never changes, is warned of
    only then, as in Knative.
    """
    steps = _POD_AT.get(resource)
    if steps is None or (resource == kinds.REVISIONS and old is not None):
        return ()
    pod: Any = new
    for step in steps:
        pod = pod.get(step) if isinstance(pod, Mapping) else None
    if not isinstance(pod, Mapping):
        return ()  # older than a rule that would refuse it now
    found = [*_insecure(pod, ".".join(steps))]
    if resource != kinds.REVISIONS:
        found += _misplaced(new["spec"]["template"])
    return tuple(str(each).replace("\n", " ") for each in errors.merged(found))


def _misplaced(template: Raw) -> Iterator[errors.FieldError]:
    labels = (template.get("metadata") or {}).get("labels") or {}
    if keys.VISIBILITY in labels:
        path = f"spec.template.metadata.labels.{keys.VISIBILITY}"
        yield errors.FieldError(message=NOT_HERE, paths=(path,))


def _insecure(pod: Raw, path: str) -> Iterator[errors.FieldError]:
    shared = pod.get("securityContext") or {}
    for what in ("containers", "initContainers"):
        given: Sequence[Raw] = pod.get(what) or ()
        for index, container in enumerate(given):
            own = container.get("securityContext") or {}
            here = f"{path}.{what}[{index}].securityContext"
            missing = tuple(f"{here}.{name}" for name in _unset(own, shared))
            if missing:
                yield errors.FieldError(message=INSECURE, paths=missing)
            # Spelled so, it takes nothing away.
            if ((own.get("capabilities") or {}).get("drop") or [""])[0] == "all":
                yield errors.FieldError(
                    message="invalid value: all",
                    paths=(f"{here}.capabilities.drop",),
                    details="Must be spelled as 'ALL'",
                )


def _unset(own: Raw, shared: Raw) -> Iterator[str]:
    """The fields of a securityContext whose defaults in Kubernetes are insecure."""
    if own.get("runAsNonRoot") is None and shared.get("runAsNonRoot") is None:
        yield "runAsNonRoot"
    if own.get("allowPrivilegeEscalation") is None:
        yield "allowPrivilegeEscalation"
    profiles = [each.get("seccompProfile") for each in (own, shared)]
    if profiles == [None, None]:
        yield "seccompProfile"
    elif not any((each or {}).get("type") for each in profiles):
        yield "seccompProfile.type"
    if own.get("capabilities") is None:
        yield "capabilities"
    elif own["capabilities"].get("drop") is None:
        yield "capabilities.drop"
