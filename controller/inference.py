"""InferenceService → a Knative Service for each component, and its status from theirs.

For: planning one InferenceService.
Must not know: how a Service becomes replicas, or how a request finds one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from api import keys, kinds
from api.conditions import FALSE, READY, TRUE, Condition, find, is_true
from api.defaulting import defaulted
from api.errors import InvalidObjectError
from api.inference import InferenceService
from api.inference_components import Component, Kind
from api.kinds import SERVICES
from api.naming import cluster_local_host, url
from api.objects import Raw
from api.runtime_selection import NoRuntime, select
from api.runtimes import Runtime
from controller.children import annotations_of, is_controlled_by, is_going, labels_of, rewrite
from controller.inference_children import Wanted, make_service
from controller.inference_models import Replicas, model_status
from controller.inference_pods import (
    INVALID_SPEC,
    PodError,
    Surroundings,
    child_name,
    pod_of,
)
from controller.inference_status import (
    PREDICTOR_READY,
    Trouble,
    component_conditions,
    component_status,
    stopped,
    summed_up,
)
from controller.plan import Delete, Note, Plan, Write, new_status, quoted, status_of

KINDS: tuple[Kind, ...] = ("predictor", "transformer", "explainer")
MODE = "Knative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """An InferenceService and what stands under the names of its children."""

    service: Raw
    children: Mapping[Kind, Raw] = field(default_factory=dict)  # those that exist
    runtimes: Sequence[Raw] = ()  # of its namespace and of the cluster
    latest: Replicas = field(default_factory=Replicas)  # of the predictor's newest Revision
    active: Replicas = field(default_factory=Replicas)  # of its newest ready one
    refused: Mapping[str, str] = field(default_factory=dict)  # by child: why nobody stores it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One component: what to write, and how it is."""

    kind: Kind
    writes: tuple[Write, ...] = ()
    is_new: bool = False
    child: Raw | None = None  # ours, as it stands
    trouble: Trouble | None = None
    failure: Mapping[str, Any] | None = None  # for modelStatus
    runtime: Runtime | None = None


def plan(seen: Observed, around: Surroundings, *, now: str) -> Plan:
    """The next step for an InferenceService; `now` is RFC 3339."""
    raw = seen.service
    if is_going(raw):
        return Plan()
    try:
        service = _parsed(raw)
    except InvalidObjectError as error:
        return _unreadable(seen, str(error), now=now)
    deletes = tuple(_unwanted(seen, service))
    if service.is_stopped:
        return _stopped(seen, service, deletes, now=now)
    parts = [_part(seen, service, each, around) for each in service.components()]
    writes = [(part.is_new, write) for part in parts for write in part.writes]
    status = _status(seen, service, parts, around, now=now)
    return Plan(
        creates=tuple(write for is_new, write in writes if is_new),
        updates=tuple(write for is_new, write in writes if not is_new),
        deletes=deletes,
        status=status,
        notes=tuple(_notes(raw, status, parts)),
    )


def refused(seen: Observed, messages: Mapping[str, str]) -> Observed:
    """The same, knowing that the API server will not have some children."""
    return replace(seen, refused=dict(messages))


def _parsed(raw: Raw) -> InferenceService:
    known = defaulted(kinds.INFERENCESERVICES, raw)
    return InferenceService.parse({name: each for name, each in known.items() if name != "status"})


def _own(seen: Observed, kind: Kind) -> Raw | None:
    child = seen.children.get(kind)
    return child if child is not None and is_controlled_by(child, seen.service) else None


def _unwanted(seen: Observed, service: InferenceService) -> list[Delete]:
    """Children of components that are gone or stopped."""
    wanted = set() if service.is_stopped else {each.kind for each in service.components()}
    found = [_own(seen, kind) for kind in KINDS if kind not in wanted]
    return [
        Delete.of(SERVICES, child) for child in found if child is not None and not is_going(child)
    ]


def _part(
    seen: Observed, service: InferenceService, component: Component, around: Surroundings
) -> _Part:
    kind, name = component.kind, child_name(service, component.kind)
    existing, child = seen.children.get(kind), _own(seen, kind)
    if existing is not None and child is None:
        sentence = f"There is an existing Service {quoted(name)} that we do not own."
        return _Part(kind=kind, trouble=Trouble(reason="NotOwned", sentence=sentence))
    if child is not None and is_going(child):
        return _Part(kind=kind, child=child)  # the next is made when it is gone
    runtime: Runtime | None = None
    try:
        if component.model is not None:
            runtime = _runtime(seen, component)
        pod = pod_of(service, component, runtime, around)
    except PodError as error:
        return _Part(
            kind=kind,
            child=child,
            runtime=runtime,
            trouble=Trouble(reason=error.reason, sentence=error.sentence),
            failure={"reason": error.reason, "message": error.message},
        )
    before = _component_before(seen, kind)
    wanted = make_service(
        seen.service,
        service,
        Wanted(component=component, runtime=runtime, pod=pod),
        around,
        rolled_out=component_status(before, child).get("latestRolledoutRevision", ""),
    )
    part = _Part(kind=kind, child=child, runtime=runtime)
    if name in seen.refused:
        message = seen.refused[name]
        return replace(
            part,
            trouble=Trouble(reason="ReconcileFailed", sentence=message),
            failure={"reason": INVALID_SPEC, "message": message},
            writes=_difference(child, wanted),
            is_new=child is None,
        )
    return replace(part, writes=_difference(child, wanted), is_new=child is None)


def _difference(child: Raw | None, wanted: dict[str, Any]) -> tuple[Write, ...]:
    """Other people's annotations on a child stay: Knative's and kubectl's are among them."""
    if child is None:
        return (Write(resource=SERVICES, object=wanted),)
    managed = (keys.ROLLOUT_DURATION,)
    kept = {k: each for k, each in annotations_of(child).items() if k not in managed}
    wanted["metadata"]["annotations"] = {**kept, **annotations_of(wanted)}
    is_alike = (
        child.get("spec") == wanted["spec"]
        and labels_of(child) == labels_of(wanted)
        and annotations_of(child) == annotations_of(wanted)
    )
    return () if is_alike else (rewrite(SERVICES, child, wanted),)


def _runtime(seen: Observed, component: Component) -> Runtime:
    assert component.model is not None
    known: list[Runtime] = []
    for raw in seen.runtimes:
        is_of_cluster = raw["kind"] == kinds.CLUSTERSERVINGRUNTIMES.kind
        resource = kinds.CLUSTERSERVINGRUNTIMES if is_of_cluster else kinds.SERVINGRUNTIMES
        try:
            known.append(Runtime.parse(raw, resource=resource))
        except InvalidObjectError:
            continue  # stored by a server that does not check; it serves nobody
    found = select(component.model, known)
    if isinstance(found, NoRuntime):
        raise PodError(found.reason, found.message, found.sentence)
    return found


def _component_before(seen: Observed, kind: Kind) -> Raw:
    components = status_of(seen.service).get("components")
    before = components.get(kind) if isinstance(components, Mapping) else None
    return before if isinstance(before, Mapping) else {}


def _status(
    seen: Observed,
    service: InferenceService,
    parts: Sequence[_Part],
    around: Surroundings,
    *,
    now: str,
) -> dict[str, Any] | None:
    found = [
        condition
        for part in parts
        for condition in component_conditions(
            part.kind, part.child, part.trouble, is_behind=bool(part.writes) and not part.trouble
        )
    ]
    components = {
        part.kind: component_status(_component_before(seen, part.kind), part.child)
        for part in parts
    }
    predictor = components["predictor"]
    runtime = parts[0].runtime
    fields: dict[str, Any] = {
        "components": components,
        "modelStatus": model_status(
            seen.latest,
            seen.active,
            is_same=predictor.get("latestCreatedRevision") == predictor.get("latestReadyRevision"),
            failure=parts[0].failure,
        ),
        "deploymentMode": MODE,
        **_addresses(service, components, around),
    }
    if runtime is not None:
        name = "clusterServingRuntimeName" if runtime.is_of_cluster else "servingRuntimeName"
        fields[name] = runtime.metadata.name
    return new_status(seen.service, summed_up([p.kind for p in parts], found), fields, now=now)


def _addresses(
    service: InferenceService, components: Mapping[Kind, Raw], around: Surroundings
) -> dict[str, Any]:
    """Its own, once what answers there has one."""
    first = components.get("transformer", components["predictor"])
    if not first.get("url"):
        return {}
    name, namespace = service.metadata.name, service.metadata.namespace
    internal = url(cluster_local_host(name, namespace))
    public = url(f"{name}-{namespace}.{around.domain}", around.port)
    return {
        "url": internal if service.is_cluster_local else public,
        "address": {"url": internal},
    }


def _stopped(
    seen: Observed, service: InferenceService, deletes: tuple[Delete, ...], *, now: str
) -> Plan:
    conditions = stopped([each.kind for each in service.components()])
    fields = {"deploymentMode": MODE}
    status = new_status(seen.service, conditions, fields, now=now)
    return Plan(deletes=deletes, status=status, notes=tuple(_notes(seen.service, status, ())))


def _unreadable(seen: Observed, message: str, *, now: str) -> Plan:
    """An object that no admission looked at: nothing is touched, and it says why."""
    predictor = Condition(type=PREDICTOR_READY, status=FALSE, reason=INVALID_SPEC, message=message)
    before = status_of(seen.service)
    kept = {name: before.get(name) for name in ("components", "url", "address")}
    failure = {"reason": INVALID_SPEC, "message": message}
    fields = {
        **kept,
        "modelStatus": model_status(seen.latest, seen.active, is_same=False, failure=failure),
        "deploymentMode": MODE,
    }
    return Plan(status=new_status(seen.service, [predictor], fields, now=now))


def _notes(raw: Raw, status: Mapping[str, Any] | None, parts: Sequence[_Part]) -> list[Note]:
    """What is news to people: ready, no longer ready, or why a component can not be made."""
    if status is None:
        return []
    name = raw["metadata"]["name"]
    was_ready, after = is_true(raw, READY), {"status": status}
    now_ready = find(after, READY)
    notes: list[Note] = []
    if now_ready is not None and now_ready.status == TRUE and not was_ready:
        message = f"InferenceService [{name}] is Ready"
        notes.append(Note(type="Normal", reason="InferenceServiceReady", message=message))
    elif now_ready is not None and now_ready.status == FALSE and was_ready:
        failed = [each["type"] for each in status["conditions"] if each["status"] == FALSE]
        because = ", ".join(each for each in failed if each not in (READY, "Stopped"))
        message = f"InferenceService [{name}] is no longer Ready because of: {because}"
        notes.append(Note(type="Warning", reason="InferenceServiceNotReady", message=message))
    for part in parts:
        if part.trouble is not None and part.trouble.sentence not in _told(raw):
            sentence = f"fails to reconcile {part.kind}: {part.trouble.sentence}"
            notes.append(Note(type="Warning", reason="InternalError", message=sentence))
    return notes


def _told(raw: Raw) -> set[str]:
    conditions = status_of(raw).get("conditions")
    return {str(each.get("message")) for each in conditions or ()}
