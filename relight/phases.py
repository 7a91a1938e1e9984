"""What a deployment is doing right now, in one line for a person.

For: the progress of `relight deploy`, told from conditions and Pods alone.
Must not know: how objects arrive, or how a line is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api import conditions, keys

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What there is of one Service at one moment."""

    service: Raw
    generation: int  # the one that was stored by this command
    revisions: Mapping[str, Raw]
    pods: Iterable[Raw]

    @property
    def status(self) -> Raw:
        """The Service's status, empty while there is none."""
        status: Raw = self.service.get("status") or {}
        return status

    @property
    def is_current(self) -> bool:
        """Whether the status speaks of what was stored, not of what was before."""
        return int(self.status.get("observedGeneration") or 0) >= self.generation

    @property
    def latest(self) -> str:
        """Name of the newest revision, ready or not; empty while it is not known."""
        configuration = conditions.find(self.service, "ConfigurationsReady")
        is_stale = configuration is not None and configuration.reason == "OutOfDate"
        known = (
            "" if is_stale or not self.is_current else self.status.get("latestCreatedRevisionName")
        )
        return str(known or "")


def failure(seen: Seen) -> str | None:
    """Why the deployment failed, or None while it has not."""
    ready = conditions.find(seen.service, "Ready")
    if not seen.is_current or ready is None or ready.status != "False":
        return None
    made = conditions.find(seen.service, "ConfigurationsReady")
    if made is not None and made.status == "Unknown" and ready.reason == "RevisionMissing":
        return None  # the Route still speaks of the revision before, which failed
    revision = conditions.find(seen.revisions.get(seen.latest, {}), "Ready")
    if revision is not None and revision.status == "False":
        return f"Revision {seen.latest} failed: {_told(revision)}"
    return f"Service {seen.service['metadata']['name']} is not ready: {_told(ready)}"


def is_done(seen: Seen) -> bool:
    """Whether what was stored is ready and has its traffic."""
    return seen.is_current and conditions.is_ready(seen.service)


def phase(seen: Seen) -> str:
    """The line to show."""
    latest = seen.latest
    if not latest:
        return f"Service {seen.service['metadata']['name']}: making a revision"
    return f"Revision {latest}: {_revision_phase(seen, latest)}"


def _revision_phase(seen: Seen, latest: str) -> str:
    revision = seen.revisions.get(latest)
    ready = conditions.find(revision, "Ready") if revision else None
    if revision is None or ready is None:
        return "created"
    if ready.status == "True":
        return "ready" if is_done(seen) else "ready, moving traffic"
    if ready.status == "False":
        return f"failed: {_told(ready)}"
    healthy = conditions.find(revision, "ContainerHealthy")
    if healthy is not None and healthy.reason == "ResolvingDigests":
        return "reading the model's digest"
    if healthy is not None and healthy.reason == "Fetching":
        return f"fetching {healthy.message}"
    return _pods_phase([pod for pod in seen.pods if _is_of(pod, latest)])


def _is_of(pod: Raw, revision: str) -> bool:
    metadata = pod["metadata"]
    is_going = bool(metadata.get("deletionTimestamp"))
    return not is_going and (metadata.get("labels") or {}).get(keys.REVISION) == revision


def _pods_phase(pods: list[Raw]) -> str:
    if not pods:
        return "waiting for a replica"
    if any(conditions.is_ready(pod) for pod in pods):
        return "a replica is ready"
    for pod in pods:
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("message"):
                return f"{waiting.get('reason')}: {waiting['message']}"
    return "loading model…"


def _told(condition: conditions.Condition) -> str:
    return condition.message or condition.reason or "no reason is given"
