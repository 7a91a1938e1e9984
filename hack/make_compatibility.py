"""Write `docs/compatibility.md` from what the code serves and refuses: `make manifests`.

The prose is `hack/compatibility.md`; a test proves that the page is what this makes of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from api import coverage, inference_coverage, kinds
from api.annotations import camel_case
from api.coverage import Entry, Fate, OneMachine
from api.kinds import Resource
from embedded.capabilities import HELD, TABLE
from hack.folding import Row, fold
from tests.conformance.exceptions import EXCEPTIONS

ROOT = Path(__file__).parent.parent
PAGE = "docs/compatibility.md"
FATES: Mapping[Fate, str] = {
    Fate.SERVED: "served",
    Fate.PARTLY: "in part on one machine",
    Fate.CLUSTER: "clusters only",
    Fate.REFUSED: "refused",
}
KINDS = (*coverage.KINDS, *inference_coverage.KINDS)
# Fields of a status that upstream has and that are never written here, by kind.
_CALLABLE = "part of an Addressable of Knative Eventing; the URL is all there is"
_MODE = "Standard mode only"
NOT_WRITTEN: Mapping[str, str] = {
    "address.{CACerts,audience,name}": _CALLABLE,
    "components[*].address.{CACerts,audience,name}": _CALLABLE,
    "traffic[*].configurationName": "a status names Revisions",
    "components[*].traffic[*].configurationName": "a status names Revisions",
    "logUrl": "there is no server of logs: `kubectl logs`",
    "canaryStatuses": f"{_MODE}; a canary is a Revision here",
    "components[*].{grpcUrl,restUrl}": "`url` is both KServe's and ours",
}


def one_machine() -> OneMachine:
    """What one machine does not serve, as it is laid over what Relight serves."""
    return OneMachine(
        whole={row.path: row.why for row in TABLE if not row.is_partly},
        partly={row.path: row.why for row in TABLE if row.is_partly},
    )


def entries(resource: Resource) -> list[Entry]:
    """Everything that may stand in an object of the kind."""
    if resource in coverage.KINDS:
        return coverage.entries(resource, one_machine())
    return inference_coverage.entries(resource, one_machine())


def is_field(entry: Entry) -> bool:
    """Whether it is a field, and not the key of an annotation or label."""
    return '"' not in entry.path


def pod_entries() -> list[Entry]:
    """The fields of a Pod's spec, by their paths from it."""
    return [replace(each, path=each.pod_path) for each in entries(kinds.REVISIONS) if each.pod_path]


def own_entries(resource: Resource) -> list[Entry]:
    """The fields of a kind, without those that fare as in every Pod's spec."""
    of_pods = {each.path: (each.fate, each.reason) for each in pod_entries()}
    return [
        each
        for each in entries(resource)
        if is_field(each) and of_pods.get(each.pod_path) != (each.fate, each.reason)
    ]


def page() -> str:
    """The text of the whole page."""
    texts = {resource.kind: _fields(own_entries(resource)) for resource in KINDS}
    template = (ROOT / "hack/compatibility.md").read_text()
    texts |= {
        "summary": _summary(),
        "pod": _fields(pod_entries()),
        "held": _table(("field", "because"), ((f"`{name}`", why) for name, why in HELD.items())),
        "annotations": _annotations(coverage.KINDS),
        "kserve_annotations": _annotations(inference_coverage.KINDS),
        "status": _table(
            ("field of `status`", "because"),
            ((f"`{name}`", why) for name, why in NOT_WRITTEN.items()),
        ),
        "exceptions": _exceptions(),
    }
    for name, text in texts.items():
        template = template.replace("{" + name + "}", text)
    return template


def _summary() -> str:
    def counted(name: str, found: Iterable[Entry]) -> tuple[str, ...]:
        fates = [each.fate for each in found]
        return (name, *(str(fates.count(fate)) for fate in FATES))

    rows = [counted("a Pod's spec", pod_entries())]
    rows += [counted(resource.kind, own_entries(resource)) for resource in KINDS]
    return _table(("fields of", *FATES.values()), rows)


def _fields(found: Iterable[Entry]) -> str:
    return _table(("in", "fields", "fate", "because"), map(_row, fold(found)))


def _row(row: Row) -> tuple[str, ...]:
    parent = f"`{row.parent}`" if row.parent else ""
    return (parent, ", ".join(f"`{text}`" for text in row.texts), FATES[row.fate], row.reason)


def _annotations(resources: Iterable[Resource]) -> str:
    """Keys that fare alike in the same places share a row."""
    fares: dict[str, dict[tuple[Fate, str], list[str]]] = {}
    for resource in resources:
        for entry in entries(resource):
            if is_field(entry) or "labels" in entry.path:
                continue
            path, key = entry.path.removesuffix('"]').split('["')
            place = "template" if "template" in path else resource.kind
            places = fares.setdefault(key, {}).setdefault((entry.fate, entry.reason), [])
            if place not in places:
                places.append(place)
    older = {camel_case(key) for key in fares} - {key for key in fares if "-" in key}
    alike: dict[tuple[str, ...], list[str]] = {}
    for key in sorted(fares):
        if key in older and any(camel_case(each) == key != each for each in fares):
            continue
        for (fate, reason), places in fares[key].items():
            told = (", ".join(places), FATES[fate], reason)
            alike.setdefault(told, []).append(f"`{key}`")
    rows = ((", ".join(names), *told) for told, names in alike.items())
    return _table(("annotation", "on", "fate", "because"), rows)


def _exceptions() -> str:
    rows = ((f"`{name}`", why) for name, why in sorted(EXCEPTIONS.items()))
    return _table(("exception", "what differs"), rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(_lines(tuple(heads), rows))


def _lines(heads: tuple[str, ...], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page())
    print(PAGE)
