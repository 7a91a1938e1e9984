"""Every field, annotation and label of Knative's kinds, and what becomes of it here.

For: a page that tells users before they try, from the tables that validation itself reads.
Must not know: how the page looks, or what one machine can not do: that is laid over.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase

from api import domainmapping, keys, kinds, known_annotations, refusals, shapes
from api.annotations import camel_case
from api.kinds import Resource
from api.schemas import SCHEMAS
from api.shapes import Refusal, Refusals

KINDS = (
    kinds.SERVICES,
    kinds.CONFIGURATIONS,
    kinds.REVISIONS,
    kinds.ROUTES,
    kinds.DOMAINMAPPINGS,
    kinds.PODAUTOSCALERS,
)
# What Knative has among the fields of a Pod.
NOT_OF_PODS = frozenset(
    {"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"}
)
# Where the fields of a Pod stand in each kind.
POD_PATHS: Mapping[Resource, str] = {
    kinds.SERVICES: "spec.template.spec",
    kinds.CONFIGURATIONS: "spec.template.spec",
    kinds.REVISIONS: "spec",
}


class Fate(Enum):
    """What becomes of a field."""

    SERVED = "served"
    PARTLY = "served; on one machine in part"
    CLUSTER = "served on clusters only"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One field, annotation or label, by its path; any entry of a list is `[*]`."""

    kind: Resource
    path: str
    fate: Fate
    reason: str = ""  # why it is not served, or not everywhere
    pod_path: str = ""  # from the Pod's spec, if it is below one


@dataclass(frozen=True, slots=True, kw_only=True)
class OneMachine:
    """What is not served on one machine, by paths from the Pod's spec; `*` is any name.

    With `whole` goes everything below; `partly` is a remark on the field alone.
    """

    whole: Mapping[str, str]
    partly: Mapping[str, str]


def entries(resource: Resource, one_machine: OneMachine | None = None) -> list[Entry]:
    """Everything that may stand in an object of the kind, and all that is refused by name."""
    found = [*_fields(resource), *_annotations(resource), *_labels(resource)]
    if one_machine is not None:
        found = [laid_over(each, one_machine) for each in found]
    return sorted(found, key=lambda each: each.path)


def laid_over(entry: Entry, one_machine: OneMachine) -> Entry:
    """What becomes of it where some things are not served on one machine."""
    if not entry.pod_path or entry.fate is not Fate.SERVED:
        return entry
    for pattern, why in one_machine.whole.items():
        if _matches(entry.pod_path, pattern) or _matches(entry.pod_path, f"{pattern}[.[]*"):
            return replace(entry, fate=Fate.CLUSTER, reason=why)
    for pattern, why in one_machine.partly.items():
        if _matches(entry.pod_path, pattern):
            return replace(entry, fate=Fate.PARTLY, reason=why)
    return entry


def _matches(path: str, pattern: str) -> bool:
    # Brackets are signs of lists here, but classes of letters to fnmatch.
    return fnmatchcase(path, pattern.replace("[*]", "[[][*][]]"))


def _fields(resource: Resource) -> Iterator[Entry]:
    schema = SCHEMAS[resource]["properties"]["spec"]
    shape = shapes.compiled(schema, _refusals_in(resource))
    root = POD_PATHS.get(resource, "")
    for path, how in shapes.walk(shape, "spec"):
        where = path.replace("[]", "[*]")
        pod_path = where.removeprefix(f"{root}.") if root and where.startswith(f"{root}.") else ""
        pod_path = "" if pod_path in NOT_OF_PODS else pod_path
        yield Entry(
            kind=resource,
            path=where,
            fate=Fate.REFUSED if how else Fate.SERVED,
            reason=_reason(how),
            pod_path=pod_path,
        )


def _reason(how: tuple[Refusal, ...]) -> str:
    return next((each.why or each.details for each in how if each.why or each.details), "")


def _refusals_in(resource: Resource) -> Refusals:
    """What is refused, by paths from the spec."""
    found: dict[str, Mapping[str, tuple[Refusal, ...]]] = {}
    root = POD_PATHS.get(resource)
    if root is not None:
        inner = root.removeprefix("spec").removeprefix(".")
        for path, group in refusals.REVISION_SPEC.items():
            found[".".join(filter(None, (inner, path)))] = group
    if resource in (kinds.SERVICES, kinds.CONFIGURATIONS):
        no_object = (Refusal(why="objects have it, templates of objects have not"),)
        names = refusals.DISALLOWED_TEMPLATE_METADATA
        found["template.metadata"] = dict.fromkeys(names, no_object)
    if resource in (kinds.SERVICES, kinds.ROUTES):
        found["traffic[]"] = {"url": (Refusal(why="only a status has it"),)}
    if resource == kinds.SERVICES:
        one = (Refusal(why="a Service has one Configuration"),)
        found["traffic[]"] = {**found["traffic[]"], "configurationName": one}
    if resource == kinds.DOMAINMAPPINGS:
        found[""] = {name: (Refusal(details=why),) for name, why in domainmapping.REFUSED.items()}
        never = (Refusal(why="Knative never takes it here"),)
        found["ref"] = dict.fromkeys(domainmapping.REFUSED_OF_REFERENCES, never)
    return found


def _annotations(resource: Resource) -> Iterator[Entry]:
    if resource == kinds.PODAUTOSCALERS:
        yield from _named(resource, "metadata.annotations", _scaling_keys(), Fate.SERVED)
        return
    places: list[tuple[Resource | str, str]] = [(resource, "metadata.annotations")]
    if resource in (kinds.SERVICES, kinds.CONFIGURATIONS):
        places.append((known_annotations.TEMPLATE, "spec.template.metadata.annotations"))
    for place, path in places:
        read = known_annotations.READ[place]
        yield from _named(resource, path, read, Fate.SERVED)
        is_scaled = place in (known_annotations.TEMPLATE, kinds.REVISIONS)
        fate, why = (Fate.SERVED, "") if is_scaled else (Fate.REFUSED, "belongs on the template")
        yield from _named(resource, path, _scaling_keys(), fate, why)
        for key, refusal in known_annotations.REFUSED.items():
            but = f"; let pass: {', '.join(sorted(refusal.harmless))}" if refusal.harmless else ""
            yield from _named(resource, path, [key], Fate.REFUSED, refusal.reason + but)


def _scaling_keys() -> list[str]:
    named = {value for name, value in vars(keys).items() if name.isupper()}
    prefix = keys.AUTOSCALING_PREFIX
    found = {each for each in named if isinstance(each, str) and each.startswith(prefix)}
    return sorted({*found, *map(camel_case, found)} - {prefix})


def _named(
    resource: Resource, path: str, names: Iterable[str], fate: Fate, reason: str = ""
) -> Iterator[Entry]:
    for name in names:
        yield Entry(kind=resource, path=f'{path}["{name}"]', fate=fate, reason=reason)


def _labels(resource: Resource) -> Iterator[Entry]:
    if resource in (kinds.SERVICES, kinds.ROUTES):
        yield from _named(resource, "metadata.labels", [keys.VISIBILITY], Fate.SERVED)
