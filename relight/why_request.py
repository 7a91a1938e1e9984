"""Where the time of one request went, as a page for a person.

For: `relight why REQUEST_ID`: the activator's timeline, joined with what the autoscaler decided
meanwhile and with how its replica started.
Must not know: how any of these was asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relight.moments import span
from relight.why_revision import Reader, paragraph, sentence

Raw = Mapping[str, Any]
_SHOWN_S_MIN = 0.00005  # shorter parts are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One stretch of a request's time."""

    name: str
    seconds: float
    note: str = ""


def page(
    timeline: Raw,
    decision: Raw | None,
    start: Raw | None,
    reader: Reader,
    *,
    fault: Mapping[str, str] | None = None,
) -> str:
    """`start` is the annotation of the Pod it ran on; None: the Pod is gone.

    `fault` is why its Revision does not come up now.
    """
    lines = [_headline(timeline, reader)]
    found = parts(timeline, start)
    whole_s = sum(part.seconds for part in found)
    if found:
        lines += ["", *_table(found, whole_s)]
    if decision is not None:
        told = f"At {reader.clock(decision['first'])}: {sentence(decision, reader)}"
        lines += ["", *paragraph("", told, reader)]
    elif timeline.get("cold"):
        lines += ["", "No decision was made for it while it was held: replicas were on their way."]
    if fault:
        told = f"Its revision does not come up: {fault['reason']}: {fault['message']}"
        lines += ["", *paragraph("", told, reader)]
    return "\n".join(lines)


def parts(timeline: Raw, start: Raw | None) -> list[Part]:
    """The stretches in order; together they are all of its time."""
    return [part for part in _all_parts(timeline, start) if part.seconds >= _SHOWN_S_MIN]


def _all_parts(timeline: Raw, start: Raw | None) -> Iterator[Part]:
    held_s = float(timeline["held_s"])
    at_s = 0.0
    for name, end_s, note in _held_steps(timeline, start):
        end_s = min(max(end_s, at_s), held_s)
        yield Part(name=name, seconds=end_s - at_s, note=note)
        at_s = end_s
    executing_s, first_s = timeline.get("executing_s"), timeline.get("first_byte_s")
    if executing_s is None:
        return
    if first_s is None or first_s >= held_s + executing_s:
        yield Part(name="executing", seconds=executing_s)
        return
    yield Part(name="executing", seconds=first_s - held_s, note="until the first byte")
    rest_s = held_s + executing_s - first_s
    yield Part(name="answering", seconds=rest_s, note=f"{timeline['bytes_out']} bytes")


def _held_steps(timeline: Raw, start: Raw | None) -> Iterator[tuple[str, float, str]]:
    """What it waited for, with the end of each wait in seconds since the arrival."""
    held_s = float(timeline["held_s"])
    slot_s = float(timeline.get("slot_s") or held_s)
    if not timeline["is_held"]:
        yield "passing on", slot_s, ""
    elif timeline.get("cold"):
        if "poked_s" in timeline:
            queued = timeline["poked_queue"]
            note = f"with others of its burst; {queued} waited when it ended"
            yield "gathering", timeline["poked_s"], note
        ready_s = timeline.get("replica_ready_s")
        seen_s = timeline.get("replica_seen_s")
        replica = timeline.get("replica")
        if replica is None:
            yield "waiting", held_s, "for a replica; none was ready"
        else:
            assert seen_s is not None
            assert ready_s is not None
            yield "ordering", seen_s, _ordered(start)
            yield "starting", ready_s, _started(start)
            yield "queueing", slot_s, "for a slot: others were before it"
    else:
        yield "queueing", slot_s, "for a slot: every replica was full"
    if timeline.get("executing_s") is not None:
        yield "connecting", held_s, "to the replica"


def _ordered(start: Raw | None) -> str:
    if start is not None and "claim_ms" in start:
        return f"the decision, and a warm Pod (claim {start['claim_ms']:.1f} ms)"
    return "the decision, and a Pod with a socket"


def _started(start: Raw | None) -> str:
    if start is None:
        return "the replica (its Pod is gone, and its timing with it)"
    if "resumed_ms" in start:
        return f"the replica, which was frozen (resumed in {start['resumed_ms']:.1f} ms)"
    known = [
        f"{name} {start[f'{name}_ms']:.1f}" for name in ("fork", "load") if f"{name}_ms" in start
    ]
    return "the replica" + (f" ({', '.join(known)} ms)" if known else "")


def _headline(timeline: Raw, reader: Reader) -> str:
    revision = timeline.get("revision")
    to = f" to {revision}" if revision else ""
    head = f"request {timeline['id']}{to}, {reader.clock(timeline['time'])}: "
    whole = span(timeline["held_s"] + (timeline.get("executing_s") or 0.0))
    state = timeline["state"]
    if state == "held":
        ahead = timeline["ahead"]
        return head + f"still held after {whole}; {ahead} wait before it"
    if state == "executing":
        return head + f"still executing at {timeline['replica']} after {whole}"
    return head + _ended(timeline, whole)


def _ended(timeline: Raw, whole: str) -> str:
    status, replica = timeline["status"], timeline.get("replica")
    says = f" ({timeline['says']})" if timeline.get("says") else ""
    match timeline["ending"]:
        case "refused":
            return f"refused with {status} {timeline['refusal']} after {whole}{says}"
        case "client-left":
            where = f"while {replica} worked on it" if replica else "while it was held"
            return f"the client left after {whole}, {where}"
        case "cut":
            return f"{replica} broke off its answer ({status}) after {whole}{says}"
        case _:
            failed = f" {timeline['grpc_status']}" if timeline.get("grpc_status") else ""
            return f"{status}{failed} by {replica} in {whole}"


def _table(found: Sequence[Part], whole_s: float) -> list[str]:
    wide = max(len(part.name) for part in found)
    lines = [f"  {'':<{wide}}  {'ms':>9}  {'%':>4}"]
    for part in found:
        share = 100 * part.seconds / whole_s
        line = f"  {part.name:<{wide}}  {part.seconds * 1000:>9.1f}  {share:>4.0f}  {part.note}"
        lines.append(line.rstrip())
    return [*lines, f"  {'in all':<{wide}}  {whole_s * 1000:>9.1f}  {100:>4}"]
