"""What is kept of one Revision for the autoscaler that comes after this one.

For: named sections of plain values as bytes and back; what becomes of a state of some seconds ago.
Must not know: who keeps the bytes, clocks, Kubernetes objects.

A blob is JSON: {"version", "uid", "at" (epoch seconds), "sections": {name: values}}. Every part
of a pilot that outlives a restart has a section of its own name; a section that a reader does not
know is left alone, one that is missing was empty. Instants inside are epoch seconds: whoever
dumps adds what its own clock lacks (`shift_s`), whoever restores takes its own away.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from autoscaler.decider import DELAY_SLOT_S, State, bounded
from autoscaler.idling import Life, Phase
from autoscaler.spec import Spec
from autoscaler.window import MaxWindow

VERSION = 1
# An hour of windows, the longest that can be asked for, is 2 × 3,600 numbers of up to 20 bytes, and
# all that can be learned of rests 40 × 137 rows of up to 45.
BLOB_BYTES_MAX = 512 * 1024

Sections = dict[str, Any]
FAULTS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)  # of values not ours


class DumpError(Exception):
    """These bytes are no blob of ours; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One Revision as it was at `at_s`, epoch seconds. `uid`: of its PodAutoscaler."""

    uid: str
    at_s: float
    sections: Mapping[str, Any]


def pack(kept: Kept) -> bytes:
    """The bytes to keep; DumpError when they are more than anybody would read again."""
    blob = orjson.dumps(
        {"version": VERSION, "uid": kept.uid, "at": kept.at_s, "sections": kept.sections}
    )
    if len(blob) > BLOB_BYTES_MAX:
        raise DumpError(f"{len(blob)} bytes, at most {BLOB_BYTES_MAX} are kept")
    return blob


def unpack(blob: bytes) -> Kept:
    """What was packed, or DumpError."""
    if len(blob) > BLOB_BYTES_MAX:
        raise DumpError(f"{len(blob)} bytes, at most {BLOB_BYTES_MAX} are read")
    try:
        raw = orjson.loads(blob)
        version, uid, at_s, sections = raw["version"], raw["uid"], raw["at"], raw["sections"]
    except (orjson.JSONDecodeError, *FAULTS) as error:
        raise DumpError(f"not a blob of an autoscaler: {error!r}") from error
    if version != VERSION:
        raise DumpError(f"version {version!r}, this one reads {VERSION}")
    is_sound = isinstance(uid, str) and isinstance(at_s, float | int) and isinstance(sections, dict)
    if not is_sound:
        raise DumpError("uid, at or sections is of another kind")
    return Kept(uid=uid, at_s=float(at_s), sections=sections)


def dump_state(state: State, *, shift_s: float) -> Sections:
    """The section of a decider's state, without the window behind scale-down-delay."""
    since_s = state.panic_since_s
    return {
        "recommended": state.recommended,
        "panic_since": None if since_s is None else since_s + shift_s,
        "panic_scale": state.panic_scale,
        "excess_burst_capacity": state.excess_burst_capacity,
    }


def restore_state(raw: Mapping[str, Any], *, shift_s: float) -> State:
    """The state that was dumped; one of FAULTS when it is none."""
    since_s = _number(raw["panic_since"])
    return State(
        recommended=count(raw["recommended"]),
        panic_since_s=None if since_s is None else since_s - shift_s,
        panic_scale=count(raw["panic_scale"]) or 0,
        excess_burst_capacity=_whole(raw["excess_burst_capacity"]),
    )


def dump_delay(delay: MaxWindow, *, shift_s: float) -> list[tuple[int, int]]:
    """The section of the window behind scale-down-delay."""
    slots = int(shift_s // DELAY_SLOT_S)
    return [(slot + slots, value) for slot, value in delay.entries]


def restore_delay(raw: Any, *, delay_s: float, shift_s: float, now_s: float) -> MaxWindow:
    """What of that window still counts; one of FAULTS when it is none.

    It lives as long as the delay, whatever else is too old.
    """
    slots, newest = int(shift_s // DELAY_SLOT_S), int(now_s // DELAY_SLOT_S)
    span = math.ceil(delay_s / DELAY_SLOT_S)
    entries = sorted((min(int(slot) - slots, newest), int(value)) for slot, value in raw)
    kept = MaxWindow()
    for slot, value in entries:
        if value >= 0 and slot > newest - span:
            kept = kept.record(slot, value, span=span)
    return kept


def dump_life(life: Life, *, shift_s: float) -> Sections:
    """The section of a life."""
    proxy_s = life.proxy_since_s
    return {
        "phase": life.phase.value,
        "since": life.since_s + shift_s,
        "is_initialized": life.is_initialized,
        "proxy_since": None if proxy_s is None else proxy_s + shift_s,
    }


def restore_life(raw: Mapping[str, Any], life: Life, *, shift_s: float) -> Life:
    """`life`, as the API server told it, with what only the dump knows: since when.

    A phase that changed after the dump is the API server's: it was written then, and the dump
    was not. One of FAULTS when `raw` is no life.
    """
    phase, since_s, proxy_s = (
        Phase(raw["phase"]),
        _number(raw["since"]),
        _number(raw["proxy_since"]),
    )
    if phase is not life.phase or since_s is None:
        return life
    return Life(
        phase=phase,
        since_s=min(life.since_s, since_s - shift_s),
        is_initialized=life.is_initialized or raw["is_initialized"] is True,
        proxy_since_s=None if proxy_s is None else min(life.since_s, proxy_s - shift_s),
    )


def caught_up(
    spec: Spec, state: State, life: Life, *, replicas: int | None, ready: int, now_s: float
) -> State:
    """A state of some seconds ago beside what the Deployment says now.

    What is saved is behind what is written: the last seconds before a death are missing. So where
    the two differ the Deployment is newer, and nothing is scaled by a number of before. More
    replicas than were known of are those of a burst: they are held as in panic.
    """
    known = state.recommended
    if replicas is None or known is None:
        return state
    wanted, _ = bounded(
        spec,
        known,
        is_initialized=life.is_initialized,
        is_activating=life.phase is Phase.ACTIVATING,
    )
    if wanted == replicas or (known == 0 and replicas <= 1):  # the last one waits for its time
        return state
    if replicas < known:
        return replace(state, recommended=replicas, panic_scale=min(state.panic_scale, replicas))
    mark = max(state.panic_scale, replicas, ready)
    return replace(state, recommended=replicas, panic_since_s=now_s, panic_scale=mark)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, float | int) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _whole(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"{value!r} is no whole number")
    return value


def count(value: Any) -> int | None:
    """A number of replicas, or None; ValueError when it is neither."""
    number = _whole(value)
    if number is not None and number < 0:
        raise ValueError(f"{value!r} is below zero")
    return number
