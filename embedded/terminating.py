"""What a Namespace that is going says about what still stands in its way.

For: the conditions that Kubernetes puts on such a Namespace, which `kubectl describe` shows.
Must not know: how anything is deleted, or where objects are kept.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from api.kinds import Resource
from api.objects import Raw


def conditions(
    left: Iterable[tuple[Resource, Raw]], before: Iterable[Raw], *, now: str
) -> list[dict[str, Any]]:
    """The conditions of a Namespace in which `left` is left; a status that stays keeps its time."""
    kinds: Counter[str] = Counter()
    finalizers: Counter[str] = Counter()
    for resource, obj in left:
        kinds[f"{resource.plural}.{resource.group}"] += 1
        finalizers.update(obj["metadata"].get("finalizers") or ())
    since = {each["type"]: each for each in before}
    found = []
    for type_, status, reason, message in (
        *_FINE,
        _remaining(
            "NamespaceContentRemaining",
            [f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items())],
            ("SomeResourcesRemain", "Some resources are remaining: "),
            ("ContentRemoved", "All content successfully removed"),
        ),
        _remaining(
            "NamespaceFinalizersRemaining",
            [f"{name} in {count} resource instances" for name, count in sorted(finalizers.items())],
            ("SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: "),
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    ):
        old = since.get(type_)
        is_same = old is not None and old["status"] == status
        time = old["lastTransitionTime"] if old is not None and is_same else now
        condition = {"type": type_, "status": status, "lastTransitionTime": time}
        found.append(condition | {"reason": reason, "message": message})
    return found


def _remaining(
    type_: str, listed: list[str], some: tuple[str, str], none: tuple[str, str]
) -> tuple[str, str, str, str]:
    if not listed:
        return (type_, "False", *none)
    return type_, "True", some[0], some[1] + ", ".join(listed)


_FINE = (
    (
        "NamespaceDeletionDiscoveryFailure",
        "False",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "False",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "False",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)
