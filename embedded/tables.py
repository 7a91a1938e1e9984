"""What `kubectl get` prints: the columns of each kind, and a row for an object.

For: Kubernetes' Table form, with the columns that Kubernetes and Knative print.
Must not know: HTTP, or where objects come from.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from api.kinds import DEPLOYMENTS, EVENTS, NAMESPACES, PODS, Resource
from api.objects import Raw
from api.schemas import Column
from embedded import core_tables
from embedded.printing import age, json_path

_Cells = Callable[[Raw, float], list[Any]]
_NAME: Final = Column(name="Name", type="string", json_path=".metadata.name")
_AGE: Final = Column(name="Age", type="string", json_path=".metadata.creationTimestamp")


def table(
    resource: Resource,
    objects: Sequence[Raw],
    *,
    now_s: float,
    include: str = "Metadata",
    columns: Sequence[Column] | None = None,
) -> dict[str, Any]:
    """A Table of objects; `include` is how much of each goes with its row.

    `columns` are those of a kind that is not built in, after the name; None: its age.
    """
    shown = _COLUMNS.get(resource) or (_NAME, *((_AGE,) if columns is None else columns))
    cells = _CELLS.get(resource) or _cells_of(shown)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [_definition(column) for column in shown],
        "rows": [
            {"cells": cells(obj, now_s), "object": _included(obj, include)} for obj in objects
        ],
    }


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": "name" if column.name == _NAME.name else "",
        "description": column.name,
        "priority": column.priority,
    }


def _included(obj: Raw, include: str) -> Any:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def _cells_of(columns: Sequence[Column]) -> _Cells:
    def cells(obj: Raw, now_s: float) -> list[Any]:
        return [_cell(column, json_path(obj, column.json_path), now_s) for column in columns]

    return cells


def _cell(column: Column, value: Any, now_s: float) -> Any:
    if column.type == "date" or column is _AGE:
        return age(value, now_s)
    if value is None:
        return None if column.type == "integer" else ""
    return value


def _namespace(obj: Raw, now_s: float) -> list[Any]:
    return [obj["metadata"]["name"], _at(obj, "status").get("phase", ""), _age(obj, now_s)]


def _pod(obj: Raw, now_s: float) -> list[Any]:
    spec, status = _at(obj, "spec"), _at(obj, "status")
    states = _states(obj)
    ready = sum(1 for state in states if state.get("ready"))
    counted = (
        _at(obj, "status").get("initContainerStatuses") or [] if _initializing(obj) else states
    )
    restarts = sum(state.get("restartCount") or 0 for state in counted)
    return [
        obj["metadata"]["name"],
        f"{ready}/{len(spec.get('containers') or ())}",
        pod_status(obj),
        str(restarts),
        _age(obj, now_s),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        "<none>",
    ]


def pod_status(pod: Raw) -> str:
    """The word that says best how a Pod is, as Kubernetes' printer chooses it."""
    status = _at(pod, "status")
    word = _initializing(pod)
    if not word:
        word = str(status.get("reason") or status.get("phase") or "Pending")
        states = _states(pod)
        for state in reversed(states):
            word = _word(_at(state, "state")) or word
        if word == "Completed" and any(_at(state, "state").get("running") for state in states):
            word = "Running" if all(state.get("ready") for state in states) else "NotReady"
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else word


def _initializing(pod: Raw) -> str:
    """The word while something runs that is to end before the containers start; else ""."""
    states = _at(pod, "status").get("initContainerStatuses") or []
    for at, state in enumerate(states):
        now = _at(state, "state")
        ended = _at(now, "terminated")
        if ended and ended.get("exitCode") == 0:
            continue
        word = _word(now)
        is_begun = bool(word) and word != "PodInitializing"
        return f"Init:{word}" if is_begun else f"Init:{at}/{len(states)}"
    return ""


def _word(state: Mapping[str, Any]) -> str:
    waiting, ended = _at(state, "waiting"), _at(state, "terminated")
    if ended:
        code = f"Signal:{ended['signal']}" if ended.get("signal") else ""
        return str(ended.get("reason") or code or f"ExitCode:{ended.get('exitCode')}")
    return str(waiting.get("reason") or "")


def _states(pod: Raw) -> list[Raw]:
    return _at(pod, "status").get("containerStatuses") or []


def _deployment(obj: Raw, now_s: float) -> list[Any]:
    spec, status = _at(obj, "spec"), _at(obj, "status")
    containers = _at(_at(spec, "template"), "spec").get("containers") or []
    wanted = _at(_at(spec, "selector"), "matchLabels")
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(obj, now_s),
        ",".join(str(each.get("name")) for each in containers),
        ",".join(str(each.get("image")) for each in containers),
        ",".join(f"{key}={value}" for key, value in sorted(wanted.items())) or "<none>",
    ]


def _event(obj: Raw, now_s: float) -> list[Any]:
    involved = _at(obj, "involvedObject")
    first = obj.get("firstTimestamp") or obj["metadata"].get("creationTimestamp")
    component = _at(obj, "source").get("component") or obj.get("reportingComponent") or ""
    return [
        age(obj.get("lastTimestamp") or first, now_s),
        obj.get("type") or "",
        obj.get("reason") or "",
        f"{str(involved.get('kind') or '').lower()}/{involved.get('name') or ''}",
        involved.get("fieldPath") or "",
        component,
        str(obj.get("message") or "").strip(),
        age(first, now_s),
        obj.get("count") or 1,
        obj["metadata"]["name"],
    ]


def _at(obj: Raw, field: str) -> Mapping[str, Any]:
    value = obj.get(field)
    return value if isinstance(value, Mapping) else {}


def _age(obj: Raw, now_s: float) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now_s)


def _named(*names: str) -> tuple[Column, ...]:
    """Columns by name; one that begins with + is printed only with `-o wide`."""
    return tuple(
        _NAME
        if name == "Name"
        else Column(
            name=name.removeprefix("+"),
            type="integer"
            if name in ("Up-to-date", "Available", "+Count", "Data", "Secrets")
            else "string",
            json_path="",
            priority=int(name.startswith("+")),
        )
        for name in names
    )


_COLUMNS: Final[Mapping[Resource, tuple[Column, ...]]] = {
    **{resource: _named(*names) for resource, names in core_tables.COLUMNS.items()},
    NAMESPACES: _named("Name", "Status", "Age"),
    PODS: _named(
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
        "+IP",
        "+Node",
        "+Nominated Node",
        "+Readiness Gates",
    ),
    DEPLOYMENTS: _named(
        "Name",
        "Ready",
        "Up-to-date",
        "Available",
        "Age",
        "+Containers",
        "+Images",
        "+Selector",
    ),
    EVENTS: (
        *_named("Last Seen", "Type", "Reason", "Object", "+Subobject", "+Source"),
        *_named("Message", "+First Seen", "+Count"),
        Column(name="Name", type="string", json_path="", priority=1),
    ),
}
_CELLS: Final[Mapping[Resource, _Cells]] = {
    **core_tables.CELLS,
    NAMESPACES: _namespace,
    PODS: _pod,
    DEPLOYMENTS: _deployment,
    EVENTS: _event,
}
