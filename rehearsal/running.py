"""One policy over one trace: what a caller asks for.

For: each model of a trace as a Revision of its own, their records added up, scored and binned.
Must not know: files, tables, charts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.errors import InvalidObjectError
from rehearsal import oracle, runs, scores, timelines
from rehearsal.deciding import Decider, Fixed, KeepAlive, Production, spec_of
from rehearsal.engine import Engine
from rehearsal.policies import Kind, Policy, told
from rehearsal.runs import Run
from rehearsal.terms import Terms, drawn
from rehearsal.traces import Trace

_SERVICES = 1 << 31  # draws of service times and of cold starts are kept apart
SERVICE_MAX_S = 604_800.0  # a week


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a policy did."""

    policy: Policy
    score: scores.Score
    run: Run

    def timeline(self) -> timelines.Timeline:
        """What a chart of it is drawn from."""
        return timelines.timeline(self.run)


def rehearse(trace: Trace, policy: Policy, terms: Terms) -> Result:
    """Run one policy over a trace.

    ValueError names an annotation that does not go with the terms, or who would wait for ever.
    The time it takes is linear in requests and in seconds with load or with `min-scale`.
    """
    run = run_of(trace, policy, terms)
    return Result(policy=policy, score=scores.score(run), run=run)


def run_of(trace: Trace, policy: Policy, terms: Terms) -> Run:
    """Return everything that happened, of all models together."""
    services = services_of(trace, terms)
    if (longest_s := max(services, default=0.0)) > SERVICE_MAX_S:
        raise ValueError(f"a request that takes {longest_s:,.0f} s, over a week: in which unit?")
    phase_s = terms.phase_s
    arrivals = [each + phase_s for each in trace.arrivals] if phase_s else trace.arrivals
    until_s = (arrivals[-1] if arrivals else 0.0) + terms.tail_s
    parts = []
    for name, numbers in trace.by_model().items():
        if numbers is None:
            parts.append(_run(name, arrivals, services, policy, terms, until_s))
            continue
        own = [arrivals[number] for number in numbers]
        took = [services[number] for number in numbers]
        parts.append(_run(name, own, took, policy, terms, until_s))
    return runs.merged(parts)


def services_of(trace: Trace, terms: Terms) -> Sequence[float]:
    """How long each request executes."""
    if terms.uses_durations and trace.durations is not None:
        return trace.durations
    if len(terms.service_s) == 1:
        return list(terms.service_s) * len(trace.arrivals)
    return [
        drawn(terms.service_s, terms.seed, _SERVICES + number)
        for number in range(len(trace.arrivals))
    ]


def _run(
    name: str,
    arrivals: Sequence[float],
    services: Sequence[float],
    policy: Policy,
    terms: Terms,
    until_s: float,
) -> Run:
    if policy.kind is Kind.ORACLE:
        return oracle.foresee(arrivals, services, terms, until_s=until_s)
    decider = _decider(name, arrivals, services, policy, terms)
    return Engine(arrivals, services, decider, terms, until_s=until_s, name=name).run()


def _decider(
    name: str, arrivals: Sequence[float], services: Sequence[float], policy: Policy, terms: Terms
) -> Decider:
    if policy.kind is Kind.ALWAYS_ON:
        return Fixed(oracle.peak(arrivals, services, terms.concurrency))
    try:
        spec = spec_of(policy.annotations, terms.concurrency, terms.settings, name=name)
    except InvalidObjectError as error:
        raise ValueError(f"policy {policy.name!r}: {told(error)}") from None
    if policy.kind is Kind.KEEP_ALIVE:
        return KeepAlive(spec, keep_s=policy.keep_s)
    return Production(spec)
