"""What is true of the objects, now and lately, read from every write to the store.

For: judging answers by what the Routes said at that moment; invariants of single writes.
Must not know: components, requests, or how anything comes to be written.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from api import keys
from api.conditions import READY, find, is_ready
from api.kinds import DEPLOYMENTS, EVENTS, PODAUTOSCALERS, PODS, REVISIONS, ROUTES, SERVICES
from api.objects import Raw
from embedded.history import Change
from tests.simulation.platform import bounds_of, terms_of
from tests.simulation.replicas import Machine
from tests.simulation.trace import Trace


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a Route said from a time on. `exists`: it was there."""

    since_s: float
    exists: bool
    main: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    is_public: bool = True  # else only callers inside the cluster find it


@dataclass(slots=True)
class Known:
    """A Revision, as long as anybody remembers it."""

    uid: str
    raw: Raw
    model: str
    was_ready: bool = False
    failed_s: list[float] = field(default_factory=list)  # when it was said to fail
    is_failed: bool = False
    gone_s: float | None = None
    born_s: float = 0.0


class Book:
    """Owned by one run; `observe` is called after each commit."""

    def __init__(self, machine: Machine, trace: Trace, now_s: Callable[[], float]) -> None:
        self._machine = machine
        self._trace = trace
        self._now_s = now_s
        self.routes: dict[str, list[Assignment]] = {}
        self.revisions: dict[str, Known] = {}
        self.pods_going: dict[str, None] = {}  # uids
        self.crowded: dict[str, None] = {}  # Revisions for which the machine had no room
        self._pod_uids: dict[str, str] = {}
        self._tellers = {
            ROUTES: self._route,
            REVISIONS: self._revision,
            DEPLOYMENTS: self._deployment,
            PODS: self._pod,
        }

    def observe(self, change: Change) -> None:
        if change.resource is EVENTS:
            return
        raw = change.object
        metadata, status = raw["metadata"], raw.get("status") or {}
        observed = status.get("observedGeneration", 0)
        said = find(raw, READY)
        is_ready_text = f" {said.status}/{said.reason}" if said is not None else ""
        name = metadata["name"]
        self._trace.note(
            f"{change.type.lower()} {change.resource.kind} {name} v{change.version}"
            f" g{observed}/{metadata.get('generation', 0)}{is_ready_text}{_detail(change)}"
        )
        if observed > metadata.get("generation", 0):
            self._trace.violate(f"{name}: observed a generation that does not exist")
        teller = self._tellers.get(change.resource)
        if teller is not None:
            teller(change, raw)

    def assignments(self, route: str, *, at_s: float, stale_s: float) -> list[Assignment]:
        """What the Route said at that time, or not longer ago than `stale_s`."""
        said = self.routes.get(route, [])
        found = [each for each in said if each.since_s <= at_s]
        recent = [each for each in found if each.since_s > at_s - stale_s]
        older = found[: len(found) - len(recent)][-1:]
        first = [] if older else [Assignment(0.0, exists=False)]
        return [*first, *older, *recent]

    def _route(self, change: Change, raw: Raw) -> None:
        name = raw["metadata"]["name"]
        said = self.routes.setdefault(name, [])
        if change.type == "DELETED":
            said.append(Assignment(self._now_s(), exists=False))
            return
        traffic = (raw.get("status") or {}).get("traffic") or ()
        main = tuple(each["revisionName"] for each in traffic if each.get("percent"))
        tags = {each["tag"]: each["revisionName"] for each in traffic if each.get("tag")}
        is_public = keys.VISIBILITY not in (raw["metadata"].get("labels") or {})
        now = Assignment(self._now_s(), exists=True, main=main, tags=tags, is_public=is_public)
        if said and replace(said[-1], since_s=now.since_s) == now:
            return
        said.append(now)
        total = sum(int(each.get("percent") or 0) for each in traffic)
        if traffic and total != 100:
            self._trace.violate(f"Route {name} assigns {total} %")
        for revision in (*main, *tags.values()):
            known = self.revisions.get(revision)
            if known is None or not known.was_ready:
                self._trace.violate(f"Route {name} points at {revision}, which was never ready")

    def _revision(self, change: Change, raw: Raw) -> None:
        name, now_s = raw["metadata"]["name"], self._now_s()
        known = self.revisions.get(name)
        if known is None or known.uid != raw["metadata"]["uid"]:
            words = raw["spec"]["containers"][0]["args"]
            model = words[words.index("--model") + 1]
            known = Known(uid=raw["metadata"]["uid"], raw=raw, model=model, born_s=now_s)
            self.revisions[name] = known
        known.raw = raw
        self._machine.limits[name] = terms_of(raw)[0]
        self._machine.timeouts.setdefault(name, []).append(terms_of(raw)[1])
        if change.type == "DELETED":
            known.gone_s = now_s
            return
        said = find(raw, READY)
        is_failed = said is not None and said.status == "False"
        if is_failed != known.is_failed:
            known.is_failed = is_failed
            known.failed_s.append(now_s)
        if is_ready(raw):
            known.was_ready = True
            if self._machine.models[known.model].fate != "good":
                self._trace.violate(f"Revision {name} is ready, but its model can not be")

    def was_failed(self, revision: str, *, at_s: float, stale_s: float) -> bool:
        """Whether it was said to fail at that time, or shortly before."""
        known = self.revisions.get(revision)
        return known is not None and (
            known.is_failed or any(each > at_s - stale_s for each in known.failed_s)
        )

    def _deployment(self, change: Change, raw: Raw) -> None:
        known = self.revisions.get(raw["metadata"]["labels"].get(keys.REVISION, ""))
        if known is None or change.type == "DELETED":
            return
        most = bounds_of(known.raw)[1]
        if most and raw["spec"]["replicas"] > most:
            name, count = raw["metadata"]["name"], raw["spec"]["replicas"]
            self._trace.violate(f"{name} has {count} replicas, at most {most} are allowed")

    def _pod(self, change: Change, raw: Raw) -> None:
        metadata = raw["metadata"]
        uid = self._pod_uids.setdefault(metadata["name"], metadata["uid"])
        if uid != metadata["uid"]:
            self._trace.violate(f"two Pods were called {metadata['name']}")
        scheduled = find(raw, "PodScheduled")
        if scheduled is not None and scheduled.status == "False":
            self.crowded[metadata["labels"][keys.REVISION]] = None
        if change.type == "DELETED" or metadata.get("deletionTimestamp"):
            self.pods_going[metadata["uid"]] = None


def _detail(change: Change) -> str:
    raw = change.object
    status: Any = raw.get("status") or {}
    if change.resource is ROUTES or change.resource is SERVICES:
        traffic = status.get("traffic") or ()
        return " " + ",".join(
            f"{each.get('revisionName')}:{each.get('percent', 0)}{each.get('tag') or ''}"
            for each in traffic
        )
    if change.resource is DEPLOYMENTS:
        return f" {status.get('readyReplicas', 0)}/{raw['spec']['replicas']}"
    if change.resource is PODAUTOSCALERS:
        active = find(raw, "Active")
        return (
            f" {status.get('actualScale')}/{status.get('desiredScale')}"
            f" {active.status if active else ''} {raw['spec'].get('reachability', '')}"
        )
    if change.resource is PODS:
        return " going" if raw["metadata"].get("deletionTimestamp") else ""
    return ""
