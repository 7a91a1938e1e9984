"""Which objects a label selector and a field selector name.

For: reading Kubernetes' selector grammar once, then matching objects cheaply.
Must not know: where objects come from.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.kinds import EVENTS, NAMESPACES, PODS, Resource
from cluster.errors import BadRequestError
from cluster.options import Selection

_Object = Mapping[str, Any]
_Test = Callable[[_Object], bool]

_KEY: Final = (
    r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_SET: Final = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_COMPARE: Final = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_ORDER: Final = re.compile(rf"({_KEY})\s*([<>])\s*(-?\d+)")
_EXISTS: Final = re.compile(rf"(!?)\s*({_KEY})")
_PLAIN_VALUE: Final = re.compile(_VALUE)

_FIELDS_OF_ALL: Final = ("metadata.name", "metadata.namespace")
_FIELDS_OF: Final[Mapping[Resource, tuple[str, ...]]] = {
    PODS: (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    ),
    NAMESPACES: ("status.phase",),
    EVENTS: (
        *(
            f"involvedObject.{key}"
            for key in (
                "apiVersion",
                "fieldPath",
                "kind",
                "name",
                "namespace",
                "resourceVersion",
                "uid",
            )
        ),
        "reason",
        "reportingComponent",
        "type",
        "source",
    ),
}


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed selection. It is true of an object of which every test is."""

    namespace: str | None
    tests: tuple[_Test, ...]
    name: str | None = None  # when metadata.name is asked to equal something

    def matches(self, obj: _Object) -> bool:
        """Whether the object is selected."""
        if self.namespace is not None and obj["metadata"].get("namespace") != self.namespace:
            return False
        return all(test(obj) for test in self.tests)


def parse(resource: Resource, selection: Selection, selectable: tuple[str, ...] = ()) -> Selector:
    """Read both selectors; BadRequestError names what is wrong.

    `selectable` are the fields that a CRD lets be selected by.
    """
    tests = [_label_test(part) for part in _split(selection.labels)]
    name: str | None = None
    for part in filter(None, (each.strip() for each in selection.fields.split(","))):
        field, is_equal, value = _field_requirement(resource, part, selectable)
        tests.append(_field_test(field, is_equal, value))
        if field == "metadata.name" and is_equal:
            name = value
    namespace = selection.namespace if resource.is_namespaced else None
    return Selector(namespace, tuple(tests), name)


def labels_match(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether every wanted label is there with that value."""
    return all(labels.get(key) == value for key, value in wanted.items())


def _split(text: str) -> list[str]:
    """Cut at the commas that are not inside parentheses."""
    parts: list[str] = []
    depth = start = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    stripped = [part.strip() for part in parts]
    if stripped == [""]:
        return []
    return stripped


def _label_test(part: str) -> _Test:
    if found := _SET.fullmatch(part):
        key, operator, listed = found.groups()
        values = frozenset(each.strip() for each in listed.split(","))
        if any(not _PLAIN_VALUE.fullmatch(value) for value in values):
            raise _bad_label_selector(part)
        if operator == "in":
            return lambda obj: _labels(obj).get(key) in values
        return lambda obj: _labels(obj).get(key) not in values
    if found := _COMPARE.fullmatch(part):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda obj: _labels(obj).get(key) != value
        return lambda obj: _labels(obj).get(key) == value
    if found := _ORDER.fullmatch(part):
        key, operator, bound = found.group(1), found.group(2), int(found.group(3))
        return lambda obj: _is_ordered(_labels(obj).get(key), operator, bound)
    if found := _EXISTS.fullmatch(part):
        negation, key = found.groups()
        if negation:
            return lambda obj: key not in _labels(obj)
        return lambda obj: key in _labels(obj)
    raise _bad_label_selector(part)


def _is_ordered(value: str | None, operator: str, bound: int) -> bool:
    try:
        number = int(value or "")
    except ValueError:
        return False
    return number > bound if operator == ">" else number < bound


def _labels(obj: _Object) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _bad_label_selector(part: str) -> BadRequestError:
    return BadRequestError(f"unable to parse requirement: {part!r} is not a label requirement")


def _field_requirement(
    resource: Resource, part: str, selectable: tuple[str, ...]
) -> tuple[str, bool, str]:
    field, operator, value = _cut(part)
    if not operator:
        raise BadRequestError(
            f"invalid selector: {part!r}; can't understand it: want field=value or field!=value"
        )
    if field not in (*_FIELDS_OF_ALL, *_FIELDS_OF.get(resource, ()), *selectable):
        raise BadRequestError(f"field label not supported: {field}")
    return field, operator != "!=", value


def _cut(part: str) -> tuple[str, str, str]:
    for operator in ("!=", "==", "="):
        field, found, value = part.partition(operator)
        if found:
            return field.strip(), operator, value.strip()
    return part, "", ""


def _field_test(field: str, is_equal: bool, value: str) -> _Test:
    # `source` on an Event is source.component, as in Kubernetes.
    path = ("source", "component") if field == "source" else tuple(field.split("."))

    def test(obj: _Object) -> bool:
        found: Any = obj
        for step in path:
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, bool):
            found = str(found).lower()
        return (str(found if found is not None else "") == value) is is_equal

    return test
