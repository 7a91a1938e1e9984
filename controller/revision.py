"""Revision → Deployment and PodAutoscaler, and the Revision's status from what becomes of them.

For: planning one Revision.
Must not know: which requests it gets, how many replicas it should have, or how a model is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from api import keys
from api.autoscaler_config import Defaults
from api.conditions import FALSE, INFO, READY, TRUE, UNKNOWN, Condition, find, is_true
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS, REVISIONS
from api.objects import Raw
from api.storage_uris import shown
from api.templates import PROGRESS_DEADLINE_S_DEFAULT, progress_deadline_s
from controller.children import (
    annotations_of,
    as_admitted,
    is_controlled_by,
    is_going,
    labels_of,
    rewrite,
    update_to,
    with_metadata,
)
from controller.directness import is_direct
from controller.failures import LASTING, Failures, Fault, failures_of
from controller.phases import Phase, phase_of
from controller.pinning import (
    FETCHING,
    Digest,
    Problem,
    Resolution,
    Underway,
    is_predictor,
    needs_digest,
    serving_container,
)
from controller.plan import Note, Plan, Write, new_status, quoted, status_of
from controller.pod_events import is_lasting
from controller.predictor_pods import STEP, PredictorPods, model_of
from controller.revision_status import ACTIVE, NOT_OURS, fields_of, not_owned, notes_of
from controller.workload import initial_scale, make_deployment, make_podautoscaler

CONTAINER_HEALTHY = "ContainerHealthy"
RESOURCES_AVAILABLE = "ResourcesAvailable"
SCALE_TARGET_INITIALIZED = "ScaleTargetInitialized"

_DEPLOYING = Fault(reason="Deploying", message="")
_RESOLVING = Fault(reason="ResolvingDigests", message="")
_NEVER_ACHIEVED = Fault(
    reason="ProgressDeadlineExceeded", message="Initial scale was never achieved"
)
_FETCHING_S = 1.0  # how often to look how far it is
NOT_OWNED_RETRY_S = 30.0  # whoever has the name may give it up


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A Revision, its children and what runs under it."""

    revision: Raw
    deployment: Raw | None
    podautoscaler: Raw | None
    pods: Sequence[Raw]
    model: Resolution = None  # only read while the Revision is not pinned
    defaults: Defaults = field(default_factory=Defaults)
    deadline_default_s: int = PROGRESS_DEADLINE_S_DEFAULT
    predictor: PredictorPods | None = None  # of a cluster: its Pods say what they wait for
    lost_names: Sequence[str] = ()  # of core Services that it should have, and somebody else has
    mishaps: Mapping[str, Fault] = field(default_factory=dict)  # what Events say of Pods, by uid


def plan(seen: Observed, *, now: str) -> Plan:
    """The next step for a Revision; `now` is RFC 3339."""
    if is_going(seen.revision):
        return Plan()
    if needs_digest(seen.revision):
        return _plan_pin(seen, now=now)
    # Not before: pinning writes the Revision, which must stay as it is stored.
    seen = replace(seen, revision=as_admitted(REVISIONS, seen.revision))
    creates, updates = [], []
    failures = Failures()
    foreign = _foreign(seen)
    phase = _phase(seen)
    if seen.deployment is None:
        made = make_deployment(
            seen.revision,
            replicas=initial_scale(seen.revision, seen.defaults),
            deadline_default_s=seen.deadline_default_s,
            predictor=seen.predictor,
        )
        creates.append(Write(resource=DEPLOYMENTS, object=made))
    elif foreign is None:
        updates.append(_deployment_update(seen.deployment, seen))
        is_paused = phase is not None and phase.pauses
        failures = failures_of(seen.deployment, seen.pods, is_paused=is_paused)
        failures = replace(failures, resources=failures.resources or _lasting(seen))
    told = phase if failures.container is None else None  # what failed before will again
    conditions = _conditions(seen, failures, foreign, told)
    is_broken = _is_failing(conditions) and (_is_hopeless(seen) or _is_given_up(seen, now=now))
    waits = phase.reason if phase is not None and phase.pauses and not is_broken else ""
    lingers = seen.predictor is not None and seen.predictor.linger_s > 0
    podautoscaler = make_podautoscaler(
        seen.revision,
        is_broken=is_broken,
        waits=waits,
        is_direct=lingers and is_direct(seen.revision),
    )
    if seen.podautoscaler is None and foreign is None:
        # Not before: autoscaling would be sent to a Deployment that is somebody else's.
        creates.append(Write(resource=PODAUTOSCALERS, object=podautoscaler))
    elif seen.podautoscaler is not None and is_controlled_by(seen.podautoscaler, seen.revision):
        updates.append(update_to(PODAUTOSCALERS, seen.podautoscaler, podautoscaler))
    return Plan(
        creates=tuple(creates),
        updates=tuple(update for update in updates if update is not None),
        status=new_status(
            seen.revision, conditions, fields_of(seen.revision, seen.podautoscaler), now=now
        ),
        notes=(*notes_of(seen.revision, conditions), *not_owned(seen.revision, conditions)),
        requeue_after_s=NOT_OWNED_RETRY_S if foreign is not None else None,
    )


def _phase(seen: Observed) -> Phase | None:
    """What the Pods that are wanted wait for; None where no cluster tells."""
    if seen.predictor is None or not _wants_replicas(seen):
        return None
    container = serving_container(seen.revision)
    asked = model_of(container) if is_predictor(container) else None
    return phase_of(
        seen.pods,
        seen.mishaps,
        step=STEP,
        serving=str(container.get("name") or ""),
        model=shown(asked.path) if asked is not None else "",
    )


def _lasting(seen: Observed) -> Fault | None:
    """What Events say that only ends when somebody changes something."""
    return next(filter(is_lasting, seen.mishaps.values()), None)


def _plan_pin(seen: Observed, *, now: str) -> Plan:
    """Nothing is made of a Revision before it is pinned to the bytes of its model."""
    revision = seen.revision
    if isinstance(seen.model, Digest):
        annotations = {**annotations_of(revision), keys.MODEL_DIGEST: seen.model.text}
        pinned = with_metadata(revision, annotations=annotations)
        notes = [Note(type="Normal", reason="Fetched", message=seen.model.told)]
        write = Write(resource=REVISIONS, object=pinned)
        return Plan(updates=(write,), notes=tuple(notes if seen.model.told else ()))
    again_s, is_of_resources = None, False
    if isinstance(seen.model, Problem):
        status, reason, message = FALSE, seen.model.reason, seen.model.message
        again_s, is_of_resources = seen.model.retry_s, seen.model.is_of_resources
    elif isinstance(seen.model, Underway) and (seen.model.has_begun or not _is_unhealthy(revision)):
        status, reason, message = UNKNOWN, seen.model.reason, seen.model.message
        again_s, is_of_resources = _FETCHING_S, seen.model.reason != FETCHING
    elif _is_unhealthy(revision):
        # It is looked for again. Until that has an answer, what was said of it holds: saying
        # "unknown" in between would be a change, which causes a look, and so on for ever.
        return Plan()
    else:
        status, reason, message = UNKNOWN, _RESOLVING.reason, ""
    said = Condition(type=CONTAINER_HEALTHY, status=status, reason=reason, message=message)
    other = _unknown(RESOURCES_AVAILABLE, _RESOLVING if status == UNKNOWN else _DEPLOYING)
    if is_of_resources:
        said, other = (
            replace(said, type=RESOURCES_AVAILABLE),
            replace(other, type=CONTAINER_HEALTHY),
        )
    conditions = (
        said,
        other,
        Condition(type=ACTIVE, status=UNKNOWN, reason=_DEPLOYING.reason, severity=INFO),
    )
    return Plan(
        status=new_status(revision, conditions, {}, now=now),
        notes=notes_of(revision, conditions),
        requeue_after_s=again_s,
    )


def _is_unhealthy(revision: Raw) -> bool:
    found = (find(revision, each) for each in (CONTAINER_HEALTHY, RESOURCES_AVAILABLE))
    return any(each is not None and each.status == FALSE for each in found)


def _foreign(seen: Observed) -> Condition | None:
    """The condition that says a child's name is somebody else's; None if it is not."""
    for child in (seen.deployment, seen.podautoscaler):
        if child is not None and not is_controlled_by(child, seen.revision):
            name = quoted(child["metadata"]["name"])
            return Condition(
                type=RESOURCES_AVAILABLE,
                status=FALSE,
                reason="NotOwned",
                message=f"There is an existing {child['kind']} {name}{NOT_OURS}",
            )
    for lost in seen.lost_names:
        return Condition(
            type=RESOURCES_AVAILABLE,
            status=FALSE,
            reason="NotOwned",
            message=f"There is an existing Service {quoted(lost)}{NOT_OURS}",
        )
    return None


def _deployment_update(existing: Raw, seen: Observed) -> Write | None:
    """Compare by hash: an API server may write a template's defaults and units differently."""
    wanted = make_deployment(
        seen.revision,
        replicas=existing["spec"].get("replicas", 1),
        deadline_default_s=seen.deadline_default_s,
        predictor=seen.predictor,
    )
    hash_ = wanted["metadata"]["labels"][keys.DEPLOYMENT_HASH]
    if labels_of(existing).get(keys.DEPLOYMENT_HASH) == hash_:
        return None
    annotations = {**annotations_of(existing), **annotations_of(wanted)}
    wanted = with_metadata(wanted, annotations=annotations)
    metadata = existing["spec"].get("template", {}).get("metadata") or {}
    restarted = (metadata.get("annotations") or {}).get(keys.RESTARTED_AT)
    if restarted is not None:  # somebody's `kubectl rollout restart`: undone, it would be another
        template = with_metadata(
            wanted["spec"]["template"],
            annotations={
                **annotations_of(wanted["spec"]["template"]),
                keys.RESTARTED_AT: restarted,
            },
        )
        wanted = {**wanted, "spec": {**wanted["spec"], "template": template}}
    return rewrite(DEPLOYMENTS, existing, wanted)


def _wants_replicas(seen: Observed) -> bool:
    return seen.deployment is not None and bool(seen.deployment["spec"].get("replicas", 1))


def _is_hopeless(seen: Observed) -> bool:
    """Whether replicas are wanted and none serves. One that failed only in part is left alone."""
    return _wants_replicas(seen) and not status_of(seen.deployment or {}).get("readyReplicas", 0)


def _is_given_up(seen: Observed, *, now: str) -> bool:
    """Whether it has failed for longer than a Revision may take to get ready.

    Until then a minimum of replicas makes it be tried again after each failure.
    """
    before = find(seen.revision, READY)
    if before is None or before.status != FALSE or not before.last_transition_time:
        return False
    since = datetime.fromisoformat(before.last_transition_time)
    failed_s = (datetime.fromisoformat(now) - since).total_seconds()
    return failed_s > progress_deadline_s(annotations_of(seen.revision), seen.deadline_default_s)


def _conditions(
    seen: Observed, failures: Failures, foreign: Condition | None, phase: Phase | None
) -> tuple[Condition, ...]:
    """ContainerHealthy first: of two complaints it is the one that says more."""
    active = _active(seen, failures, phase)
    if foreign is not None:
        return (_unknown(CONTAINER_HEALTHY, _DEPLOYING), foreign, active)
    if _was_ready(seen):
        # For good: at scale zero nothing is available, and that is not a failure.
        return (
            Condition(type=CONTAINER_HEALTHY, status=TRUE),
            Condition(type=RESOURCES_AVAILABLE, status=TRUE),
            active,
        )
    resources = failures.resources or (_NEVER_ACHIEVED if _gave_up(seen) else None)
    waits = _DEPLOYING if phase is None else Fault(reason=phase.reason, message=phase.message)
    container = _judged(seen.revision, CONTAINER_HEALTHY, failures.container)
    available = _judged(seen.revision, RESOURCES_AVAILABLE, resources, else_=waits)
    if phase is not None and container.status != FALSE:
        return (available, container, active)  # what is waited for says more
    return (container, available, active)


def _was_ready(seen: Observed) -> bool:
    initialized = seen.podautoscaler is not None and is_true(
        seen.podautoscaler, SCALE_TARGET_INITIALIZED
    )
    return initialized or is_true(seen.revision, READY)


def _gave_up(seen: Observed) -> bool:
    """Whether the autoscaler stopped trying before the first replicas ever served."""
    if seen.deployment is None or seen.podautoscaler is None or _wants_replicas(seen):
        return False
    active = find(seen.podautoscaler, ACTIVE)
    return (
        active is not None
        and active.status == FALSE
        and initial_scale(seen.revision, seen.defaults) > 0
    )


def _judged(
    revision: Raw, type_: str, fault: Fault | None, *, else_: Fault = _DEPLOYING
) -> Condition:
    """False for a fault; a fault once seen stays until the Revision serves.

    Its Pods, and with them the evidence, go when the autoscaler gives up; that it did so says
    less than why.
    """
    before = find(revision, type_)
    is_lasting = (
        before is not None
        and before.status == FALSE
        and (
            before.reason in LASTING
            or before.reason.startswith(("ExitCode", _NEVER_ACHIEVED.reason))
        )
    )
    if before is not None and is_lasting and fault in (None, _NEVER_ACHIEVED):
        return before
    if fault is not None:
        return Condition(type=type_, status=FALSE, reason=fault.reason, message=fault.message)
    return _unknown(type_, else_)


def _unknown(type_: str, why: Fault) -> Condition:
    return Condition(type=type_, status=UNKNOWN, reason=why.reason, message=why.message)


def _active(seen: Observed, failures: Failures, phase: Phase | None) -> Condition:
    """Whether replicas serve now, and else what they wait for.

    A start that fails is told here even after the first success.
    """
    below = find(seen.podautoscaler, ACTIVE) if seen.podautoscaler is not None else None
    if below is not None and below.status == TRUE:
        return Condition(type=ACTIVE, status=TRUE, severity=INFO)
    fault = failures.container or failures.resources
    if fault is not None and _was_ready(seen) and _is_hopeless(seen):
        return Condition(
            type=ACTIVE,
            status=FALSE,
            severity=INFO,
            reason=fault.reason,
            message=fault.message,
        )
    if phase is not None:
        return Condition(
            type=ACTIVE,
            status=UNKNOWN,
            severity=INFO,
            reason=phase.reason,
            message=phase.message,
        )
    if below is None:
        return Condition(type=ACTIVE, status=UNKNOWN, severity=INFO, reason=_DEPLOYING.reason)
    return Condition(
        type=ACTIVE,
        status=below.status,
        severity=INFO,
        reason=below.reason,
        message=below.message,
    )


def _is_failing(conditions: Sequence[Condition]) -> bool:
    return any(each.status == FALSE and each.severity != INFO for each in conditions)
