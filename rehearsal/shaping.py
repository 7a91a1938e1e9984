"""A part of a trace, a faster or a busier one; and a trace in a few numbers.

For: fitting a recording to what is asked of it.
Must not know: how it was recorded, what it is for.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rehearsal.terms import fraction
from rehearsal.traces import Trace

GAP_MIN_S = 60.0  # of the gaps that are counted: as long as the default stable window


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A trace in numbers."""

    requests: int
    models: int
    span_s: float
    rate_mean: float  # requests a second over the span
    rate_peak: int  # most in one whole second
    gaps: int  # longer than `GAP_MIN_S`
    gap_max_s: float
    gap_variation: float  # standard deviation of the gaps by their mean; 1 if they are chance

    @property
    def sentence(self) -> str:
        """For a person."""
        of = f" of {self.models} models" if self.models > 1 else ""
        return (
            f"{self.requests:,} requests{of} in {self.span_s:,.0f} s: {self.rate_mean:.2f} a "
            f"second, at most {self.rate_peak} in one; {self.gaps} gaps over {GAP_MIN_S:.0f} s, "
            f"the longest {self.gap_max_s:,.0f} s"
        )


def describe(trace: Trace) -> Description:
    """Return a trace in numbers; linear."""
    arrivals = trace.arrivals
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    span_s = arrivals[-1] if arrivals else 0.0
    return Description(
        requests=len(arrivals),
        models=len(trace.by_model()),
        span_s=span_s,
        rate_mean=len(arrivals) / span_s if span_s else 0.0,
        rate_peak=max(Counter(int(each) for each in arrivals).values(), default=0),
        gaps=sum(1 for gap_s in gaps if gap_s > GAP_MIN_S),
        gap_max_s=max(gaps, default=0.0),
        gap_variation=_variation(gaps),
    )


def compress(trace: Trace, factor: float) -> Trace:
    """Let the same requests come so many times as fast; each takes as long as it did."""
    if not 0 < factor < math.inf:
        raise ValueError(f"a trace can not run {factor:g} times as fast")
    return replace(
        trace,
        arrivals=[each / factor for each in trace.arrivals],
        notes=(*trace.notes, f"Compressed: it runs {factor:g} times as fast."),
    )


def cut(trace: Trace, from_s: float, to_s: float) -> Trace:
    """Take what arrived from `from_s` on and before `to_s`; the first of it arrives at 0."""
    until = f"to {to_s:g} s" if to_s < math.inf else "on"
    first, end = bisect_left(trace.arrivals, from_s), bisect_left(trace.arrivals, to_s)
    if first >= end:
        raise ValueError(f"nothing arrived from {from_s:g} s {until}")
    shift_s = trace.arrivals[first]
    return Trace(
        arrivals=[each - shift_s for each in trace.arrivals[first:end]],
        durations=None if trace.durations is None else trace.durations[first:end],
        models=None if trace.models is None else trace.models[first:end],
        began_s=None if trace.began_s is None else trace.began_s + shift_s,
        notes=(*trace.notes, f"Cut: from {from_s:g} s {until}."),
    )


def rescale(trace: Trace, factor: float, *, seed: int = 0) -> Trace:
    """Let so many times as many requests come, in the same rhythm and the same time.

    Each comes `factor` times on average: the whole part of that always, the rest by a draw. What
    comes beside the original is spread over the gap that follows it.
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"a trace can not have {factor:g} times as many requests")
    arrivals = trace.arrivals
    drawn: list[tuple[float, int]] = []
    for number, arrival_s in enumerate(arrivals):
        gap_s = arrivals[number + 1] - arrival_s if number + 1 < len(arrivals) else 0.0
        count = int(factor) + (fraction(seed, number) < factor - int(factor))
        drawn.extend((arrival_s + gap_s * copy / count, number) for copy in range(count))
    if not drawn:
        raise ValueError(f"nothing is left of {len(arrivals)} requests times {factor:g}")
    shift_s = drawn[0][0]
    numbers = [number for _, number in drawn]
    return Trace(
        arrivals=[arrival_s - shift_s for arrival_s, _ in drawn],
        durations=None if trace.durations is None else [trace.durations[n] for n in numbers],
        models=None if trace.models is None else [trace.models[n] for n in numbers],
        began_s=None if trace.began_s is None else trace.began_s + shift_s,
        notes=(*trace.notes, f"Rescaled: {factor:g} times as many requests."),
    )


def _variation(gaps: Sequence[float]) -> float:
    mean_s = math.fsum(gaps) / len(gaps) if gaps else 0.0
    if not mean_s:
        return 0.0
    return math.sqrt(math.fsum((each - mean_s) ** 2 for each in gaps) / len(gaps)) / mean_s
