"""What a rehearsal assumes of the model: given by flags, measured, of the trace, or by default.

For: the Terms of every policy, and the sentences that say where each number is from.
Must not know: how anything is measured, or what is rehearsed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rehearsal.terms import Terms
from rehearsal.traces import Trace
from relight import spans
from relight.simulate_arguments import Wanted

SERVICE_S, COLD_START_S, CONCURRENCY = 0.2, 0.5, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a live revision told. Empty tuples: not asked, for a flag says it."""

    revision: str
    service_s: tuple[float, ...]
    cold_starts_s: tuple[float, ...]
    cold_starts_from: str  # where they are from, in words
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Terms and the sentences about them."""

    terms: Terms
    notes: tuple[str, ...]


def assume(wanted: Wanted, trace: Trace, measured: Measured | None) -> Assumptions:
    """A flag counts before what was measured, that before the trace, the default last."""
    service_s, of_service, uses_durations = _service(wanted, trace, measured)
    cold_s, of_cold = _cold_start(wanted, measured)
    if wanted.concurrency is not None:
        concurrency, of_concurrency = wanted.concurrency, ""
    elif measured is not None:
        concurrency, of_concurrency = measured.concurrency, f" (of {measured.revision})"
    else:
        concurrency, of_concurrency = CONCURRENCY, " (assumed)"
    terms = Terms(
        service_s=service_s,
        uses_durations=uses_durations,
        cold_starts_s=cold_s,
        concurrency=concurrency,
        frozen_max=wanted.frozen_max,
        resume_s=wanted.resume_s,
        seed=wanted.seed,
    )
    notes = [f"service time {of_service}", f"cold start {of_cold}"]
    notes.append(f"concurrency {concurrency or 'unlimited'}{of_concurrency}")
    if wanted.frozen_max:
        notes.append(f"{wanted.frozen_max} kept frozen, resumed in {spans.human(wanted.resume_s)}")
    if wanted.compress != 1:
        notes.append(f"{wanted.compress:g} times as fast")
    if wanted.rescale != 1:
        notes.append(f"{wanted.rescale:g} times as many requests")
    return Assumptions(terms=terms, notes=tuple(notes))


def _service(
    wanted: Wanted, trace: Trace, measured: Measured | None
) -> tuple[tuple[float, ...], str, bool]:
    if wanted.service_s is not None:
        return (wanted.service_s,), spans.human(wanted.service_s), False
    if measured is not None:
        samples = spans.counted(len(measured.service_s), "request")
        told = f"{_summary(measured.service_s)} ({samples} of {measured.revision})"
        return measured.service_s, told, False
    if trace.durations is not None:
        return (SERVICE_S,), f"{_summary(trace.durations)} (of the trace)", True
    return (SERVICE_S,), f"{spans.human(SERVICE_S)} (assumed)", False


def _cold_start(wanted: Wanted, measured: Measured | None) -> tuple[tuple[float, ...], str]:
    if wanted.cold_start_s is not None:
        return (wanted.cold_start_s,), spans.human(wanted.cold_start_s)
    if measured is not None:
        told = f"{_summary(measured.cold_starts_s)} ({measured.cold_starts_from})"
        return measured.cold_starts_s, told
    return (COLD_START_S,), f"{spans.human(COLD_START_S)} (assumed)"


def _summary(values: Sequence[float]) -> str:
    """`200 ms`, or `median 212 ms, 190 ms to 1.3 s`."""
    least, middle, most = min(values), median(values), max(values)
    if spans.human(least) == spans.human(most):
        return spans.human(middle)
    return f"median {spans.human(middle)}, {spans.human(least)} to {spans.human(most)}"
