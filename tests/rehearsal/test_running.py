"""A policy over a trace, of one model or of several."""

from dataclasses import replace

import pytest

from rehearsal.policies import parse
from rehearsal.running import rehearse, run_of, services_of
from rehearsal.terms import Terms
from rehearsal.traces import Trace

TRACE = Trace(arrivals=[0.0, 0.1, 30.0, 200.0], durations=[1.0, 2.0, 3.0, 4.0])
TWO = Trace(arrivals=[0.0, 0.1, 30.0, 200.0], models=["a", "b", "a", "b"])
TERMS = Terms(service_s=(1.0,), cold_starts_s=(2.0,))


@pytest.mark.parametrize("policy", ["kpa", "relight", "keep-alive=600s", "always-on", "oracle"])
def test_every_kind_of_policy_is_rehearsed(policy: str) -> None:
    result = rehearse(TRACE, parse(policy), TERMS)
    assert result.policy.name == policy
    assert result.score.requests == 4
    assert result.score.span_s == 320.0
    assert result.score.busy_s > 0
    assert len(result.timeline().waits) == 4


def test_policies_differ_as_they_should() -> None:
    scores = {
        name: rehearse(TRACE, parse(name), TERMS).score
        for name in ("relight", "keep-alive=600s", "always-on", "oracle")
    }
    assert scores["relight"].cold_waits > scores["keep-alive=600s"].cold_waits > 0
    assert scores["relight"].replica_s < scores["keep-alive=600s"].replica_s
    assert scores["oracle"].replica_s < scores["relight"].replica_s
    assert scores["always-on"].waits == scores["oracle"].waits == 0


def test_each_model_is_a_revision_of_its_own_and_numbers_add_up() -> None:
    both = rehearse(TWO, parse("relight"), TERMS).score
    assert both.requests == 4
    alone = [
        run_of(
            Trace(arrivals=arrivals),
            parse("relight"),
            Terms(service_s=(1.0,), cold_starts_s=(2.0,)),
        )
        for arrivals in ([0.0, 30.0], [0.1, 200.0])
    ]
    assert both.starts == sum(len(run.lives) for run in alone)
    assert both.cold_starts == sum(run.cold_starts for run in alone)
    assert both.cold_waits == sum(sum(run.found) for run in alone)


def test_a_phase_delays_everything_but_the_ticks() -> None:
    run = run_of(TWO, parse("relight"), replace(TERMS, phase_s=0.5))
    assert sorted(run.arrivals) == [0.5, 0.6, 30.5, 200.5]
    assert run.end_s == 320.5
    assert run_of(TRACE, parse("oracle"), replace(TERMS, phase_s=0.5)).arrivals[0] == 0.5


def test_service_times_are_given_drawn_or_recorded() -> None:
    assert services_of(TRACE, Terms(service_s=(0.5,))) == [0.5] * 4
    assert services_of(TRACE, Terms(uses_durations=True)) == [1.0, 2.0, 3.0, 4.0]
    assert services_of(TWO, Terms(uses_durations=True)) == [0.2] * 4
    terms = Terms(service_s=(0.5, 1.5), seed=3)
    drawn = services_of(Trace(arrivals=[0.0] * 100), terms)
    assert set(drawn) == {0.5, 1.5}
    assert drawn == services_of(Trace(arrivals=[0.0] * 100), terms)


def test_a_request_of_more_than_a_week_is_a_slip() -> None:
    trace = Trace(arrivals=[0.0, 1.0], durations=[1.0, 700_000.0])
    with pytest.raises(ValueError, match="takes 700,000 s, over a week"):
        rehearse(trace, parse("oracle"), Terms(uses_durations=True))


def test_a_trace_of_nothing_costs_nothing() -> None:
    result = rehearse(Trace(arrivals=[]), parse("relight"), TERMS)
    assert (result.score.requests, result.score.replica_s) == (0, 0.0)
