"""The Pod that finds a Revision's model on a cluster: what it is, and what it says.

For: pinning a Revision to bytes that only a Pod of its own can reach: a claim, a Secret, a node.
Must not know: clients, or when a Pod is made or removed.

It sees all that the Revision's own container sees, and no secret comes back: a digest does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from api import keys
from api.conditions import FALSE, find
from api.kinds import PODS
from api.model_reports import (
    FETCH_FAILED,
    MODEL_UNREADABLE,
    PROGRESS_PORT,
    FoundModel,
    parse,
)
from api.naming import child_name
from api.objects import Raw
from api.pods import serving_index
from api.storage_uris import shown
from controller.children import annotations_of, make_child
from controller.failures import Fault
from controller.phases import PULLING, UNSCHEDULABLE, missing_claim
from controller.pinning import Digest, ModelFile, Problem, Underway
from controller.plan import status_of
from controller.pod_events import is_lasting
from controller.predictor_pods import (
    STEP,
    PredictorPods,
    is_remote,
    model_of,
    resolved,
    step,
    with_cache,
)
from controller.workload import child_labels

_RETRY_FIRST_S = 10.0
_RETRY_MAX_S = 300.0
LOOK_AGAIN_S = 3.0  # at a Pod that waits for what somebody has to change
_DEADLINE_S = 7 * 3600  # longer than any fetch takes
_GRACE_S = 5
_NEVER_READY = "relight.dev/serves"  # a condition that nobody sets: no Service sends requests to it
# Of a Pod's spec, what says where and as whom it runs.
_KEPT = (
    *("serviceAccountName", "automountServiceAccountToken", "imagePullSecrets"),
    *("nodeSelector", "tolerations", "runtimeClassName", "priorityClassName", "schedulerName"),
    *("securityContext", "dnsPolicy", "dnsConfig", "hostAliases", "enableServiceLinks"),
)
_NOT_LABELS = frozenset({keys.APP, keys.REVISION, keys.REVISION_UID})
_UNSTARTABLE = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
_UNFETCHED = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """It is over, without a digest."""

    problem: Problem
    at_s: float  # epoch
    attempt: int

    @property
    def due_s(self) -> float | None:
        """When it is tried again; None: it would end the same."""
        if self.problem.retry_s is None:
            return None
        return self.at_s + min(_RETRY_MAX_S, _RETRY_FIRST_S * 2.0 ** min(self.attempt, 10))


State = Digest | Underway | Problem | Ended  # a Problem may pass while the Pod is there


def name_of(revision: Raw) -> str:
    """The name of a Revision's Pod."""
    return child_name(str(revision["metadata"]["name"]), "-model")


def asked_of(revision: Raw) -> ModelFile | None:
    """The model that a Revision names, if a Pod can find it."""
    containers = revision["spec"]["containers"]
    return model_of(containers[serving_index(containers)])


def make_pod(revision: Raw, asked: ModelFile, pods: PredictorPods, *, attempt: int = 0) -> Raw:
    """The Pod."""
    spec = revision["spec"]
    container = spec["containers"][serving_index(spec["containers"])]
    cached = with_cache(container, spec, str(revision["metadata"]["namespace"]), pods)
    first = step(cached.container, asked, name=STEP, form="json")
    first["args"] = [*first["args"], "--progress-port", str(PROGRESS_PORT)]
    before = _before(spec, container, asked)
    mounted = {
        mount.get("name") for each in (first, *before) for mount in each.get("volumeMounts") or ()
    }
    made: dict[str, Any] = {
        **{name: spec[name] for name in _KEPT if spec.get(name) is not None},
        "containers": [first],
        "volumes": [each for each in cached.volumes if each.get("name") in mounted],
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _DEADLINE_S,
        "terminationGracePeriodSeconds": _GRACE_S,
        "readinessGates": [{"conditionType": _NEVER_READY}],
    }
    if before:
        made["initContainers"] = before
    nodes = (spec.get("affinity") or {}).get("nodeAffinity")
    if nodes:
        made["affinity"] = {"nodeAffinity": nodes}
    own = str(revision["metadata"]["name"])
    # Labels of the user's stay: network policies may ask for them.
    kept = {key: text for key, text in child_labels(revision).items() if key not in _NOT_LABELS}
    metadata = {
        "labels": {**kept, keys.MODEL_OF: own},
        "annotations": {keys.ATTEMPT: str(attempt)},
    }
    return make_child(PODS, revision, name_of(revision), metadata, resolved(made, pods))


def _before(spec: Raw, container: Raw, asked: ModelFile) -> list[Any]:
    """The user's own first steps, where one may be what puts the model there."""
    if is_remote(asked):
        return []
    path = PurePosixPath(asked.path)
    volumes = {
        mount.get("name")
        for mount in container.get("volumeMounts") or ()
        if path.is_relative_to(str(mount.get("mountPath")))
    }
    starting = list(spec.get("initContainers") or ())
    fills = any(
        mount.get("name") in volumes
        for each in starting
        for mount in each.get("volumeMounts") or ()
    )
    return starting if fills else []


def read(pod: Raw, asked: ModelFile, mishap: Fault | None = None) -> State:
    """What a Pod has come to; `mishap` is what Events say of one that does not start."""
    name = shown(asked.path)
    if ended := _ended(pod, name):
        return ended
    scheduled = find(pod, "PodScheduled")
    if scheduled is not None and scheduled.status == FALSE:
        of = _waiting if missing_claim(scheduled.message) else _underway
        return of(UNSCHEDULABLE, scheduled.message)
    status = status_of(pod)
    for each in (*(status.get("initContainerStatuses") or ()), *_own(status)):
        if found := _of_container(each, name):
            return found
    if mishap is not None:
        of = _waiting if is_lasting(mishap) else _underway
        return of(mishap.reason, mishap.message)
    return Underway(message=f"asking {name}", has_begun=False)


def _of_container(status: Mapping[str, Any], name: str) -> Underway | Problem | None:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if reason in _UNSTARTABLE:
        return _waiting(reason, message)
    if reason in _UNFETCHED:
        return _waiting(reason, message or f"{status.get('image', '')} can not be pulled")
    if reason == "ErrImagePull":
        return _underway(PULLING, message)
    if "running" in state and status.get("name") == STEP:
        return Underway(message=f"fetching {name}", has_begun=True)
    return None


def _own(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = status.get("containerStatuses") or ()
    return [each for each in found if each.get("name") == STEP]


def _underway(reason: str, message: str) -> Underway:
    return Underway(message=message, has_begun=False, reason=reason)


def _waiting(reason: str, message: str) -> Problem:
    return Problem(reason=reason, message=message, retry_s=LOOK_AGAIN_S, is_of_resources=True)


def _ended(pod: Raw, name: str) -> Digest | Ended | None:
    status = status_of(pod)
    terminated = next(((each.get("state") or {}).get("terminated") for each in _own(status)), None)
    if terminated is None and status.get("phase") not in ("Failed", "Succeeded"):
        return None
    said = parse(str((terminated or {}).get("message") or ""))
    if isinstance(said, FoundModel):
        return Digest(text=said.digest, told=f"Fetched {name} ({said.digest})")
    if said is not None:
        retry_s = None if said.is_final else _RETRY_FIRST_S
        problem = Problem(reason=said.reason, message=said.message, retry_s=retry_s)
    else:
        problem = _unsaid(pod, terminated or {}, name)
    return Ended(
        problem=problem,
        at_s=_at_s(terminated or {}, pod),
        attempt=_attempt(pod),
    )


def _unsaid(pod: Raw, terminated: Mapping[str, Any], name: str) -> Problem:
    """It ended without a word of its own."""
    status = status_of(pod)
    reason = str(terminated.get("reason") or "")
    if reason == "OOMKilled":
        limit = _memory_limit(pod)
        message = f"{name}: the step that finds it was killed for want of memory{limit}"
        return Problem(reason=reason, message=message)
    if status.get("reason"):  # Evicted, DeadlineExceeded, Shutdown ...
        message = f"{name}: {status.get('message') or status['reason']}"
        return Problem(reason=str(status["reason"]), message=message, is_of_resources=True)
    for each in status.get("initContainerStatuses") or ():
        before = (each.get("state") or {}).get("terminated") or {}
        if before.get("exitCode"):
            words = before.get("message") or before.get("reason") or "it ended without a message"
            message = f'Init container "{each.get("name", "")}" failed with: {words}'
            return Problem(reason=f"ExitCode{before['exitCode']}", message=message)
    code = terminated.get("exitCode", 0)
    words = str(terminated.get("message") or reason or "without a message").strip()
    remote = "://" in name
    return Problem(
        reason=FETCH_FAILED if remote else MODEL_UNREADABLE,
        message=f"{name}: the step that finds it ended with code {code}: {words}",
    )


def _memory_limit(pod: Raw) -> str:
    limits = (pod["spec"]["containers"][0].get("resources") or {}).get("limits") or {}
    return f" (limit {limits['memory']})" if "memory" in limits else ""


def _attempt(pod: Raw) -> int:
    text = annotations_of(pod).get(keys.ATTEMPT, "")
    return int(text) if text.isdigit() and len(text) < 6 else 0


def _at_s(terminated: Mapping[str, Any], pod: Raw) -> float:
    text = terminated.get("finishedAt") or pod["metadata"].get("creationTimestamp")
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0


def next_attempt(pod: Raw) -> int:
    """The number of the Pod after this one."""
    return _attempt(pod) + 1
