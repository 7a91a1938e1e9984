"""The Revision that each line of a Route's traffic means, or why there is none.

For: turning what a Route's spec names into Revisions, as Knative does.
Must not know: addresses, conditions, or when requests move.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api import keys
from api.conditions import FALSE, READY, UNKNOWN, find, is_ready
from api.objects import Raw
from controller.children import labels_of
from controller.plan import is_observed, quoted, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a target can not be given requests. False is for good, Unknown is for now."""

    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A line of traffic with its Revision."""

    revision: str
    tag: str = ""
    percent: int = 0
    latest_of: str = ""  # the Configuration whose latest ready Revision is wanted; "": a fixed one
    kept: Mapping[str, Any]  # what the status shows of the line as it was written


class Known:
    """What a Route's targets name; what does not exist is absent from the mappings."""

    def __init__(
        self, route: Raw, configurations: Mapping[str, Raw], revisions: Mapping[str, Raw]
    ) -> None:
        """`revisions`: those named, and the latest ready ones of `configurations`."""
        self._route = route
        self._configurations = configurations
        self._revisions = revisions

    def assign(self) -> list[Assigned] | Obstacle:
        """Every line with its Revision; or the first obstacle, those for good before others."""
        targets = self._route["spec"].get("traffic") or ()
        found = [self._resolve(target) for target in targets]
        obstacle = _worst([each for each in found if isinstance(each, Obstacle)])
        if obstacle is not None:
            return obstacle
        return [each for each in found if isinstance(each, Assigned)]

    def is_usable(self, name: str) -> bool:
        """Whether a Revision can be given requests."""
        return name in self._revisions and self._unready(name) is None

    def _resolve(self, target: Raw) -> Assigned | Obstacle:
        follows = ""
        if target.get("revisionName"):
            found = self._named(str(target["revisionName"]))
        else:
            follows = str(target.get("configurationName", ""))
            found = self._latest(follows)
        if isinstance(found, Obstacle):
            return found
        return Assigned(
            revision=found,
            tag=str(target.get("tag") or ""),
            percent=int(target.get("percent") or 0),
            latest_of=follows,
            kept={
                key: target[key] for key in ("tag", "percent", "latestRevision") if key in target
            },
        )

    def _named(self, name: str) -> str | Obstacle:
        revision = self._revisions.get(name)
        if revision is None:
            return _missing("Revision", name)
        foreign = _foreign(self._route, revision)
        if foreign is not None:
            return foreign
        unready = self._unready(name)
        if unready is not None:
            return unready
        above = labels_of(revision).get(keys.CONFIGURATION, "")
        if above and above not in self._configurations:
            return _missing("Configuration", above)
        return name

    def _latest(self, name: str) -> str | Obstacle:
        configuration = self._configurations.get(name)
        if configuration is None:
            return _missing("Configuration", name)
        latest = str(status_of(configuration).get("latestReadyRevisionName") or "")
        if latest:
            if latest not in self._revisions:
                return _missing("Revision", latest)
            return self._unready(latest) or latest
        if _is_failed(configuration):
            return _revision_missing(
                FALSE, f"Configuration {quoted(name)} does not have any ready Revision."
            )
        return _revision_missing(
            UNKNOWN, f"Configuration {quoted(name)} is waiting for a Revision to become ready."
        )

    def _unready(self, name: str) -> Obstacle | None:
        revision = self._revisions[name]
        if is_ready(revision):
            return None
        if _is_failed(revision):
            return _revision_missing(FALSE, f"Revision {quoted(name)} failed to become ready.")
        return _revision_missing(UNKNOWN, f"Revision {quoted(name)} is not yet ready.")


def _worst(obstacles: Sequence[Obstacle]) -> Obstacle | None:
    for obstacle in obstacles:
        if obstacle.status == FALSE:
            return obstacle
    return obstacles[0] if obstacles else None


def _revision_missing(status: str, message: str) -> Obstacle:
    return Obstacle(status=status, reason="RevisionMissing", message=message)


def _missing(kind: str, name: str) -> Obstacle:
    return Obstacle(
        status=FALSE,
        reason=f"{kind}Missing",
        message=f"{kind} {quoted(name)} referenced in traffic not found.",
    )


def _foreign(route: Raw, revision: Raw) -> Obstacle | None:
    """A Service's Route may only name Revisions of that Service."""
    service = labels_of(route).get(keys.SERVICE)
    owner = labels_of(revision).get(keys.SERVICE)
    if service is None or service == owner:
        return None
    name = quoted(revision["metadata"]["name"])
    message = (
        f"Revision {name} belongs to Service {quoted(owner)}, not Service {quoted(service)}."
        if owner
        else f"Revision {name} does not belong to Service {quoted(service)}."
    )
    return Obstacle(status=FALSE, reason="RevisionNotOwned", message=message)


def _is_failed(raw: Raw) -> bool:
    """Whether the object says Ready=False of its present spec."""
    condition = find(raw, READY)
    return condition is not None and condition.status == FALSE and is_observed(raw)
