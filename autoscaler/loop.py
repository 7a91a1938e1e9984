"""Tick or poke → observe → decide → apply, for every Revision that is awake.

For: turning changes, reports and time into looks at the right Revision, cheapest first.
Must not know: how a number is decided, or how it is written.

A Revision at zero without requests is asleep: no tick visits it, so ten thousand of them
cost nothing. A report, or a change of its objects, wakes it.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api import conditions
from api.autoscaling import PodAutoscaler
from api.conditions import Condition
from api.errors import InvalidObjectError
from api.objects import rfc3339
from api.stats import Stat
from autoscaler import bursting, podautoscalers, spec
from autoscaler.announcing import announcements
from autoscaler.config import Settings
from autoscaler.journal import Entry, Shelf
from autoscaler.memory import Memory
from autoscaler.paths import InStatus, Path
from autoscaler.pilot import Outcome, Pilot, Scale
from autoscaler.sampling import Measured
from autoscaler.scaler import Key, Scaler
from cluster.events import EventRecorder

_LOG = logging.getLogger(__name__)
_TURNS_AT_ONCE = 16  # then others on this event loop have a go: requests, in one process
_NO_DEPLOYMENT = Scale(replicas=None, ready=0)
_SPECS_MAX = 1024  # different ones remembered; then begun anew
_NEVER_S = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts of now, and since the start."""

    revisions: int
    awake: int
    refused: int  # PodAutoscalers whose annotations make no sense
    turns: int
    pokes: int
    faults: int  # our own errors, each logged with its traceback


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One Revision, for who asks about it."""

    pilot: Pilot
    scale: Scale
    raw: Mapping[str, Any]  # its PodAutoscaler


@dataclass(slots=True, kw_only=True)
class _Watched:
    """A PodAutoscaler of ours: its pilot, and its object as last seen."""

    pilot: Pilot
    raw: Mapping[str, Any]
    deployment: str
    ordered: Mapping[str, Any] | None = None  # status on its way; None: what is stored counts
    # Conditions, wanted and ready number and mode that the stored status is known to say.
    settled: tuple[tuple[Condition, ...], int | None, int, bursting.Mode] | None = None


class Loop:
    """All Revisions. Everything here runs on one event loop, and nothing waits but `run`."""

    def __init__(
        self,
        scaler: Scaler,
        recorder: EventRecorder,
        settings: Settings,
        *,
        clock: Callable[[], float],
        memory: Memory | None = None,
        path: Path | None = None,
    ) -> None:
        """With a `memory`, pilots go on from what it was taught, and are marked as they change.

        `path` is the way of callers; else the mode is told in the status.
        """
        self._path: Path = path or InStatus()
        self._scaler = scaler
        self._recorder = recorder
        self._settings = settings
        self._clock = clock
        self._watched: dict[Key, _Watched] = {}
        self._awake: dict[Key, _Watched] = {}  # ordered, so every tick visits in one order
        self._shelf = Shelf(length_max=settings.shelf_length_max)
        self._alarms: list[tuple[float, Key]] = []  # heap: when sleepers want a look
        self._refused: set[Key] = set()
        self._by_deployment: dict[Key, Key] = {}
        self._scales: dict[Key, Scale] = {}  # of every Deployment, by namespace and name
        self._specs: dict[spec.Spec, spec.Spec] = {}
        self._listening_since_s = _NEVER_S
        self._memory = memory
        self._turns = self._pokes = self._faults = 0

    async def run(self) -> None:
        """Tick until cancelled; a tick that takes long is not made up for."""
        loop = asyncio.get_running_loop()
        self.listen(now_s=loop.time())
        while True:
            started_s = loop.time()
            await self.tick()
            await asyncio.sleep(max(0.0, started_s + self._settings.tick_s - loop.time()))

    async def tick(self) -> None:
        """Decide for every Revision that is awake, letting others on in between."""
        loop = asyncio.get_running_loop()
        self._ring(loop.time())
        for count, (key, watched) in enumerate(list(self._awake.items()), start=1):
            if self._awake.get(key) is watched:
                watched.ordered = None  # not stored after a whole tick: order it again
                self._look(key, watched, now_s=loop.time(), is_turn=True)
            if count % _TURNS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _ring(self, now_s: float) -> None:
        """Wake the sleepers whose next use is due: a replica is started ahead of it."""
        while self._alarms and self._alarms[0][0] <= now_s:
            _, key = heapq.heappop(self._alarms)
            watched = self._watched.get(key)
            due_s = None if watched is None else watched.pilot.wake_s
            if watched is not None and due_s is not None and due_s <= now_s:
                self._wake(key, watched)

    def listen(self, *, now_s: float) -> None:
        """Take silence before `now_s` for nothing: stats may have been missed until then."""
        self._listening_since_s = now_s

    def exposed(self, *, now_s: float) -> list[tuple[Key, Pilot]]:
        """Revisions whose replicas are to be measured, or whose Service is to be probed."""
        pilots = ((key, watched.pilot) for key, watched in self._awake.items())
        return [each for each in pilots if each[1].exposure.wants_look(now_s=now_s)]

    def measured(self, key: Key, load: Measured, *, now_s: float) -> None:
        """Take in what replicas counted; where it presses it is decided before this returns."""
        watched = self._watched.get(key)
        if watched is not None and watched.pilot.measured(load, now_s=now_s):
            self._look(key, watched, now_s=now_s, is_turn=True)

    def receive(self, stats: Iterable[Stat], *, now_s: float) -> None:
        """Take in reports; a poke is decided and ordered before this returns."""
        pressing: dict[Key, _Watched] = {}
        for stat in stats:
            key = (stat.namespace, stat.revision)
            watched = self._watched.get(key)
            if watched is None:
                continue  # not ours, or not yet known: pokes repeat while requests wait
            if watched.pilot.receive(stat, now_s=now_s):
                pressing[key] = watched
            if self._memory is not None:
                self._memory.touch(key)
            self._wake(key, watched)
        for key, watched in pressing.items():
            self._pokes += 1
            self._look(key, watched, now_s=now_s, is_turn=True)

    async def reconfigure(
        self, settings: Settings, autoscalers: Mapping[Key, Mapping[str, Any]]
    ) -> None:
        """Read every PodAutoscaler anew by other settings, letting others on in between."""
        self._settings = settings
        loop = asyncio.get_running_loop()
        for count, key in enumerate(list(autoscalers), start=1):
            raw = autoscalers.get(key)
            if raw is not None:
                self.autoscaler_changed(raw, now_s=loop.time(), is_read_anew=True)
            if count % _TURNS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def autoscaler_changed(
        self, raw: Mapping[str, Any], *, now_s: float, is_read_anew: bool = False
    ) -> None:
        """Follow a PodAutoscaler that appeared or changed; foreign classes are left alone."""
        metadata = raw["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        annotations = metadata.get("annotations") or {}
        defaults = self._settings.defaults
        if metadata.get("deletionTimestamp") or not spec.is_ours(annotations, self._settings):
            self.autoscaler_gone(raw)
            return
        watched = self._watched.get(key)
        is_same = watched is not None and podautoscalers.inputs(
            watched.raw
        ) == podautoscalers.inputs(raw)
        if watched is not None:
            watched.raw, watched.ordered, watched.settled = raw, None, None
        if is_same and not is_read_anew:
            return  # an echo of our own status
        try:
            parsed = PodAutoscaler.parse(raw, defaults=defaults.permissive)
            wanted = self._shared(spec.build(parsed, self._settings))
        except InvalidObjectError as error:
            _LOG.warning("PodAutoscaler %s/%s: %s", *key, error)
            self._recorder.warning(podautoscalers.about(raw), "InvalidAnnotations", str(error))
            self._refused.add(key)
            return
        self._refused.discard(key)
        self._follow(key, raw, parsed.scale_target_name, wanted, now_s)

    def _shared(self, wanted: spec.Spec) -> spec.Spec:
        """The same object for equal Specs: journals are full of them."""
        if len(self._specs) >= _SPECS_MAX:
            self._specs.clear()
        return self._specs.setdefault(wanted, wanted)

    def _follow(
        self, key: Key, raw: Mapping[str, Any], deployment: str, wanted: spec.Spec, now_s: float
    ) -> None:
        watched = self._watched.get(key)
        target = (key[0], deployment)
        if watched is None:
            scale = self._scales.get(target, _NO_DEPLOYMENT)
            uid = podautoscalers.uid(raw)
            exposure = self._path.exposure(key, uid, ready=scale.ready, now_s=now_s)
            pilot = podautoscalers.first_pilot(wanted, raw, scale, now_s, exposure)
            watched = _Watched(pilot=pilot, raw=raw, deployment=deployment)
            self._watched[key] = watched
            self.recall(key, now_s=now_s)
        else:
            self._by_deployment.pop((key[0], watched.deployment), None)
            watched.deployment = deployment
            watched.pilot.respec(wanted, now_s=now_s)
        self._by_deployment[target] = key
        self._look(key, watched, now_s=now_s)

    def autoscaler_gone(self, raw: Mapping[str, Any]) -> None:
        """Forget a PodAutoscaler that was deleted or is not ours any more."""
        key = (raw["metadata"].get("namespace", ""), raw["metadata"]["name"])
        self._refused.discard(key)
        self._awake.pop(key, None)
        self._shelf.drop(key)
        self._path.gone(key)
        watched = self._watched.pop(key, None)
        if watched is not None:
            self._by_deployment.pop((key[0], watched.deployment), None)
            self._scaler.forget(key)
            if self._memory is not None:
                self._memory.touch(key)

    def recall(self, key: Key, *, now_s: float) -> None:
        """Let a Revision go on from what an earlier autoscaler kept of it, if anything."""
        watched = self._watched.get(key)
        if watched is not None and self._memory is not None:
            self._memory.recall(
                key,
                podautoscalers.uid(watched.raw),
                watched.pilot,
                self._scales.get((key[0], watched.deployment), _NO_DEPLOYMENT),
                now_s=now_s,
                epoch_s=self._clock(),
            )

    def dump(self, key: Key, *, now_s: float) -> bytes | None:
        """The bytes to keep of a Revision; None when it has none, or is gone."""
        watched = self._watched.get(key)
        if watched is None or self._memory is None:
            return None
        uid = podautoscalers.uid(watched.raw)
        return self._memory.dump(key, uid, watched.pilot, now_s=now_s, epoch_s=self._clock())

    def deployment_changed(self, name: Key, raw: Mapping[str, Any] | None, *, now_s: float) -> None:
        """Follow the numbers of a Deployment; None when it is gone."""
        if raw is None:
            self._scales.pop(name, None)
        else:
            wanted = (raw.get("spec") or {}).get("replicas")
            ready = (raw.get("status") or {}).get("readyReplicas")
            scale = Scale(replicas=1 if wanted is None else int(wanted), ready=int(ready or 0))
            if self._scales.get(name) == scale:
                return
            self._scales[name] = scale
        key = self._by_deployment.get(name)
        if key is not None:
            self._look(key, self._watched[key], now_s=now_s)

    def path_changed(self, key: Key, *, now_s: float) -> None:
        """What is to be said of a Revision's way may have changed."""
        watched = self._watched.get(key)
        if watched is not None:
            watched.settled = None
            self._look(key, watched, now_s=now_s)

    def journal(self, key: Key) -> tuple[Entry, ...]:
        """The journal of one Revision, oldest first; empty when it is not ours."""
        watched = self._watched.get(key)
        return () if watched is None else watched.pilot.journal()

    def keys(self) -> list[Key]:
        """Every Revision that is decided for."""
        return list(self._watched)

    def known(self, key: Key) -> Known | None:
        """What is known of one Revision; None when it is not ours."""
        watched = self._watched.get(key)
        if watched is None:
            return None
        scale = self._scales.get((key[0], watched.deployment), _NO_DEPLOYMENT)
        return Known(pilot=watched.pilot, scale=scale, raw=watched.raw)

    def statistics(self) -> Statistics:
        """Counts of now, and since the start."""
        return Statistics(
            revisions=len(self._watched),
            awake=len(self._awake),
            refused=len(self._refused),
            turns=self._turns,
            pokes=self._pokes,
            faults=self._faults,
        )

    def _look(
        self,
        key: Key,
        watched: _Watched,
        *,
        now_s: float,
        is_turn: bool = False,
    ) -> None:
        """Look at one Revision; an error of ours costs that Revision one look, no other."""
        scale = self._scales.get((key[0], watched.deployment), _NO_DEPLOYMENT)
        if self._memory is not None:
            self._memory.touch(key)
        since_s = min(self._listening_since_s, now_s)
        try:
            if is_turn:
                self._turns += 1
                outcome = watched.pilot.turn(scale, now_s=now_s, listening_since_s=since_s)
            else:
                outcome = watched.pilot.look(scale, now_s=now_s, listening_since_s=since_s)
            self._apply(key, watched, scale, outcome)
        except Exception:  # noqa: BLE001 - a task boundary: logged, counted, others go on
            self._faults += 1
            _LOG.exception("deciding for %s/%s", *key)

    def _apply(self, key: Key, watched: _Watched, scale: Scale, outcome: Outcome) -> None:
        self._scaler.order(
            key,
            watched.deployment,
            replicas=outcome.replicas,
            status=self._new_status(key, watched, scale, outcome),
        )
        if outcome.begun is not None:
            for each in announcements(watched.raw, outcome.begun, now_s=self._clock()):
                self._recorder.normal(each.about, each.reason, each.message)
        if watched.pilot.is_asleep(scale) and watched.ordered is None:
            if self._awake.pop(key, None) is not None:
                if (due_s := watched.pilot.wake_s) is not None:
                    heapq.heappush(self._alarms, (due_s, key))
                self._shelf.put(key, watched.pilot.fall_asleep())
        else:
            self._wake(key, watched)

    def _wake(self, key: Key, watched: _Watched) -> None:
        self._shelf.drop(key)
        self._awake.setdefault(key, watched)

    def _new_status(
        self, key: Key, watched: _Watched, scale: Scale, outcome: Outcome
    ) -> dict[str, Any] | None:
        """The status to write; None when the stored one, or one on its way, says the same."""
        told = self._path.conditions(key, outcome.conditions)
        said = (told, outcome.want, scale.ready, outcome.mode)
        if said == watched.settled:  # quick, for unchanged conditions are the same object
            return None
        raw = watched.raw
        stored = watched.ordered or raw.get("status") or {}
        wanted = self._path.spelled(
            key,
            outcome.decision.spec,
            ready=scale.ready,
            mode=outcome.mode,
            capacity=self._settings.defaults.activator_capacity,
        )
        wanted["observedGeneration"] = raw["metadata"].get("generation", 0)
        wanted["conditions"] = conditions.merge(
            stored.get("conditions") or (), told, now=rfc3339(self._clock())
        )
        if outcome.want is not None:
            wanted["desiredScale"] = outcome.want
        if any(stored.get(name) != value for name, value in wanted.items()):
            watched.ordered = {**stored, **wanted}
            return wanted
        if watched.ordered is None:
            watched.settled = said
        return None
