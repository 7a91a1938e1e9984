"""Questions about Revisions: what is wanted of each, why, and what was decided before.

For: `relight why`, through the API server's service proxy.
Must not know: how a decision is made, or who asks.
"""

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from api import keys
from autoscaler import telling
from autoscaler.idling import Phase
from autoscaler.journal import Entry
from autoscaler.loop import Known
from autoscaler.server import Autoscaler
from autoscaler.spec import FACTORS, Spec
from telemetry import asking
from telemetry.asking import Questions

_LIMIT: Final = 1_000
_KEEP_ALIVES: Final = {factor: word for word, factor in FACTORS.items()}
_PHASES: Final = {
    Phase.ACTIVATING: "activating",
    Phase.ACTIVE: "active",
    Phase.INACTIVE: "inactive",
}


def make_app(autoscaler: Autoscaler, leads: Callable[[], bool] | None = None) -> web.Application:
    """`GET /revisions`, `/revisions/NAMESPACE/NAME` and `…/journal`.

    `leads` says whether this is the one that knows, where there are several.
    """
    questions = Questions()
    if leads is not None:
        questions.only_while(leads)
    desk = _Desk(autoscaler)
    questions.get("/revisions", desk.all)
    questions.get("/revisions/{namespace}/{name}", desk.one)
    questions.get("/revisions/{namespace}/{name}/journal", desk.journal)
    return questions.app


class _Desk:
    def __init__(self, autoscaler: Autoscaler) -> None:
        self._autoscaler = autoscaler

    async def all(self, request: web.Request) -> web.Response:
        """Every Revision in a few words, by namespace and name."""
        asking.known(request.query, "namespace")
        wanted = request.query.get("namespace")
        found = [
            {"namespace": key[0], "name": key[1], **_brief(known)}
            for key in sorted(self._autoscaler.revisions())
            if (not wanted or key[0] == wanted) and (known := self._autoscaler.known(key))
        ]
        return asking.answer({"revisions": found})

    async def one(self, request: web.Request) -> web.Response:
        """How things stand with one Revision now."""
        asking.known(request.query)
        known = self._known(request)
        info = request.match_info
        head = {"namespace": info["namespace"], "name": info["name"], **_brief(known)}
        return asking.answer(head | _standing(known, _Times(self._autoscaler)))

    async def journal(self, request: web.Request) -> web.Response:
        """What was decided, oldest first: the newest, or up to what was in force `at` a time."""
        asking.known(request.query, "at", "limit")
        times = _Times(self._autoscaler)
        limit = asking.whole(request.query, "limit", _LIMIT, most=_LIMIT)
        kept = self._known(request).pilot.journal()
        at_s = times.read(request.query.get("at", ""))
        entries = [entry for entry in kept if at_s is None or entry.first_s <= at_s]
        told = [_entry(entry, times) for entry in entries[max(0, len(entries) - limit) :]]
        reaches_back_to = times.epoch(kept[0].first_s) if kept else None
        return asking.answer({"entries": told, "reaches_back_to": reaches_back_to})

    def _known(self, request: web.Request) -> Known:
        key = (request.match_info["namespace"], request.match_info["name"])
        known = self._autoscaler.known(key)
        if known is None:
            raise asking.UnknownError(
                f"revision {key[1][:253]!r} in namespace {key[0][:253]!r} is not scaled here: it "
                "does not exist, or its autoscaler class is another one's"
            )
        return known


class _Times:
    """The loop's time on one side, the time of day on the other."""

    def __init__(self, autoscaler: Autoscaler) -> None:
        # A loop's time is this clock's; uvloop's is of whole milliseconds, and a little late.
        self._epoch_s = autoscaler.wall_s() - time.monotonic()

    def epoch(self, at_s: float) -> float:
        """Seconds since the epoch."""
        return round(at_s + self._epoch_s, 6)

    def read(self, text: str) -> float | None:
        """The loop's time of an RFC 3339 timestamp or of seconds since the epoch."""
        if not text:
            return None
        try:
            if math.isfinite(at_s := float(text)):
                return at_s - self._epoch_s
        except ValueError:
            pass
        try:
            then = datetime.fromisoformat(text.replace(" ", "+"))  # a + in a query means a space
        except ValueError:
            then = None
        if then is None or then.tzinfo is None:
            raise asking.AskedWronglyError(
                f"at: {text[:80]!r}: want seconds since the epoch, or RFC 3339 with its zone"
            )
        return then.timestamp() - self._epoch_s


def _brief(known: Known) -> dict[str, Any]:
    pilot = known.pilot
    return {
        "class": keys.CLASS_KPA if pilot.spec.is_kpa else keys.CLASS_RELIGHT,
        "phase": _PHASES[pilot.phase],
        "wanted": pilot.wanted,
        "replicas": known.scale.replicas,
        "ready": known.scale.ready,
    }


def _standing(known: Known, times: _Times) -> dict[str, Any]:
    pilot = known.pilot
    entries = pilot.journal()
    raw: dict[str, Any] = {
        "service": (known.raw["metadata"].get("labels") or {}).get(keys.SERVICE, ""),
        "phase_since": times.epoch(pilot.life.since_s),
        "is_reachable": pilot.spec.is_reachable,
        "knobs": _knobs(pilot.spec),
        "set": _set(known.raw["metadata"].get("annotations") or {}),
        "journal": {
            "entries": len(entries),
            "reaches_back_to": times.epoch(entries[0].first_s) if entries else None,
        },
    }
    newest = pilot.newest
    if newest is None or not entries:
        return raw
    last = entries[-1]
    now = Entry(decision=newest, before=newest.desired, last_s=newest.at_s)
    raw["now"] = _entry(now, times) | {
        "first": times.epoch(last.first_s),
        "repeats": last.repeats,
        "before": last.before,
    }
    raw["learned"] = telling.learned(newest)
    change = next((each for each in reversed(entries) if each.is_change), None)
    raw["changed"] = _entry(change, times) if change is not None else None
    if pilot.phase is Phase.INACTIVE and not known.scale.ready and not pilot.wanted:
        raw["asleep"] = telling.asleep((change or last).decision)
    return raw


def _entry(entry: Entry, times: _Times) -> dict[str, Any]:
    decision = entry.decision
    seen = decision.seen
    next_s = None if decision.next_s is None else times.epoch(decision.next_s)
    template = telling.told(entry) + "."
    return {
        "first": times.epoch(entry.first_s),
        "last": times.epoch(entry.last_s),
        "repeats": entry.repeats,
        "before": entry.before,
        "wanted": decision.desired,
        "reason": decision.reason.value,
        "recommended": decision.recommended,
        "recommended_by": decision.recommended_by.value,
        "need": telling.need(decision),
        "is_change": entry.is_change,
        "is_refusal": telling.is_refusal(decision),
        "is_panicking": decision.is_panicking,
        "excess_burst_capacity": decision.excess_burst_capacity,
        "inputs": {
            "stable": seen.stable,
            "panic": seen.panic,
            "ready": seen.ready,
            "queued": seen.queued,
            "is_poke": seen.is_poke,
            "idle_s": round(seen.idle_s, 3),
            "target": decision.spec.target,
        },
        "next": next_s,
        "template": template,
        "text": template if next_s is None else template.replace(telling.NEXT, _utc(next_s)),
    }


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).strftime("%H:%M:%S UTC")


def _knobs(spec: Spec) -> dict[str, Any]:
    """What is in force, by the annotation that sets it."""
    own = {} if spec.is_kpa else {keys.KEEP_ALIVE: _KEEP_ALIVES[spec.keep_factor]}
    return {
        **own,
        keys.SCALING_METRIC: spec.metric,
        keys.SCALING_TARGET: spec.target,
        keys.MIN_SCALE: spec.min_scale,
        keys.MAX_SCALE: spec.max_scale,
        keys.INITIAL_SCALE: spec.initial_scale,
        keys.ACTIVATION_SCALE: spec.activation_scale,
        keys.STABLE_WINDOW: f"{spec.stable_window_s:g}s",
        keys.PANIC_WINDOW: 100 * spec.panic_window_s / spec.stable_window_s,
        keys.PANIC_THRESHOLD: 100 * spec.panic_threshold,
        keys.METRIC_AGGREGATION: "weighted-exponential" if spec.is_weighted else "linear",
        keys.SCALE_DOWN_DELAY: f"{spec.scale_down_delay_s:g}s",
        keys.POD_RETENTION: f"{spec.retention_s:g}s",
        keys.TARGET_BURST_CAPACITY: spec.target_burst_capacity,
    }


def _set(annotations: Mapping[str, str]) -> dict[str, str]:
    """Which annotations of scaling the Revision has."""
    ours = (keys.AUTOSCALING_PREFIX, keys.KEEP_ALIVE)
    return {name: value for name, value in annotations.items() if name.startswith(ours)}
