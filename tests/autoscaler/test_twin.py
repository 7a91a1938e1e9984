"""Class kpa decides what Knative decides: our pilot against the twin, over generated histories."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.autoscaler.flights import LONG_AGO_S, Flight, Leg, Start
from tests.autoscaler.twin import UNKNOWN, Config, Knobs
from tests.autoscaler.twin_mutations import MUTATIONS, hunted


def usual(default: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The default half of the time, so that histories go far before something stops them."""
    return st.one_of(st.just(default), st.sampled_from(others))


configs = st.builds(
    Config,
    concurrency_target_percentage=usual(70.0, 0.5, 100.0),
    concurrency_target_default=usual(100.0, 10.0),
    rps_target_default=usual(200.0, 20.0),
    target_burst_capacity=usual(211.0, -1.0, 0.0, 20.0),
    stable_window=usual(60.0, 20.0),
    panic_window_percentage=usual(10.0, 25.0),
    panic_threshold_percentage=usual(200.0, 150.0),
    max_scale_up_rate=usual(1000.0, 1.1, 1.5, 2.0, 10.0),
    max_scale_down_rate=usual(2.0, 1.1, 1.5, 5.0),
    enable_scale_to_zero=usual(True, True, True, False),
    grace_period=usual(30.0, 5.0, 90.0),
    retention_period=usual(0.0, 15.0),
    initial_scale=usual(1, 3),
    allow_zero_initial_scale=st.booleans(),
    min_scale=usual(0, 1),
    max_scale=usual(0, 10),
    scale_down_delay=usual(0.0, 20.0),
    progress_deadline=usual(600.0, 20.0),
)


def seconds(*numbers: int) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{number}s" for number in numbers])


def texts(*words: object) -> st.SearchStrategy[str]:
    return st.sampled_from([str(word) for word in words])


KNOBS = {
    "target": texts(0.01, 0.5, 1, 3, 7.5, 20),
    "target-utilization-percentage": texts(1, 50, 70, 90, 100),
    "target-burst-capacity": texts(-1, 0, 1, 10, 211, 0.5),
    "min-scale": texts(0, 1, 2, 5),
    "max-scale": texts(0, 5, 6, 20),
    "initial-scale": texts(0, 1, 2, 4),
    "activation-scale": texts(5),
    "window": seconds(6, 7, 25, 60, 180),
    "panic-window-percentage": texts(1, 10, 12.5, 50, 100),
    "panic-threshold-percentage": texts(110, 200, 350, 1000),
    "scale-to-zero-pod-retention-period": seconds(0, 10, 40, 100),
    "scale-down-delay": seconds(0, 1, 15, 60),
    "progress-deadline": seconds(4, 30),
}
LOADS = {
    "metric": texts("concurrency", "rps"),
    "metric-aggregation-algorithm": texts("linear", "weighted-exponential", "weightedExponential"),
}
CONCURRENCIES = st.sampled_from((0, 1, 2, 4, 10, 50))
REACHABILITIES = st.sampled_from(("Reachable", "Reachable", "Unreachable", ""))


@st.composite
def some(draw: st.DrawFn, choices: dict[str, st.SearchStrategy[str]]) -> dict[str, str]:
    names = draw(st.sets(st.sampled_from(sorted(choices)), max_size=5))
    return {name: draw(choices[name]) for name in sorted(names)}


@st.composite
def legs(draw: st.DrawFn, knobs: Knobs) -> Leg:
    changed = None
    if draw(st.integers(0, 3)) == 0:
        load = {name: text for name, text in knobs.annotations.items() if name in LOADS}
        changed = replace(
            knobs,
            annotations=draw(some(KNOBS)) | draw(st.one_of(st.just(load), some(LOADS))),
            reachability=draw(REACHABILITIES),
            config=draw(st.one_of(st.just(knobs.config), configs)),
        )
    seed = draw(st.integers(0, 1000))
    if draw(st.integers(0, 7)) == 0:  # somebody came, left again, and nothing ever started
        ticks = draw(st.integers(10, 40))
        return Leg(ticks=ticks, is_poked=True, ready="lost", knobs=changed, seed=seed)
    silence = st.sampled_from(((), (0.0,)))
    load = st.one_of(st.just(0.0), st.integers(0, 400).map(lambda n: n / 8), st.just(300.0))
    return Leg(
        ticks=draw(st.integers(1, 45)),
        loads=draw(st.one_of(silence, st.lists(load, max_size=3).map(tuple))),
        rps=draw(st.sampled_from((1.0, 0.25, 10.0))),
        ready=draw(st.sampled_from(("all", "all", "all", "none", "some", "lost"))),
        is_gappy=draw(st.booleans()),
        is_poked=draw(st.integers(0, 3)) == 0,
        knobs=changed,
        seed=seed,
    )


@st.composite
def starts(draw: st.DrawFn) -> Start:
    replicas = draw(st.integers(0, 6))
    active = draw(st.sampled_from(("True", "False", "Unknown") if replicas else ("False",)))
    return Start(
        replicas=replicas,
        ready=draw(st.integers(0, replicas)),
        active=active,
        initialized=draw(st.booleans()),
        wanted=draw(st.sampled_from((UNKNOWN, 0, replicas))),
        listening_s=draw(st.sampled_from((LONG_AGO_S, 0.0, 25.0))),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[Knobs, Start, list[Leg]]:
    knobs = Knobs(
        annotations=draw(some(KNOBS)) | draw(some(LOADS)),
        container_concurrency=draw(CONCURRENCIES),
        reachability=draw(REACHABILITIES),
        config=draw(configs),
    )
    return knobs, draw(starts()), draw(st.lists(legs(knobs), min_size=1, max_size=12))


@given(histories())
def test_class_kpa_decides_what_the_twin_decides(history: Any) -> None:
    knobs, start, route = history
    flight = Flight(knobs, start)
    for leg in route:
        flight.fly(leg)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_break_of_class_kpa_is_found(name: str) -> None:
    assert hunted(name, histories(), examples=2000) is not None
