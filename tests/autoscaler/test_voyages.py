"""Class relight keeps what it promises, over generated voyages; and these judges can fail."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.autoscaler.voyage_mutations import MUTATIONS, hunted
from tests.autoscaler.voyages import Knobs, Leg, Voyage


def texts(*words: object) -> st.SearchStrategy[str]:
    return st.sampled_from([str(word) for word in words])


ANNOTATIONS = {
    "keep-alive": texts("cheap", "balanced", "fast"),
    "window": texts("6s", "20s", "60s"),
    "max-scale": texts(0, 3, 10),
    "min-scale": texts(0, 1, 2),
    "activation-scale": texts(3),
    "target-utilization-percentage": texts(30, 100),
    "panic-threshold-percentage": texts(110, 1000),
    "panic-window-percentage": texts(1, 50),
    "scale-to-zero-pod-retention-period": texts("7s", "40s"),
    "scale-down-delay": texts("0s", "15s"),
}


@st.composite
def knobs(draw: st.DrawFn) -> Knobs:
    names = draw(st.sets(st.sampled_from(sorted(ANNOTATIONS)), max_size=4))
    annotations = {name: draw(ANNOTATIONS[name]) for name in sorted(names)}
    if draw(st.booleans()):
        annotations |= {"max-scale": draw(ANNOTATIONS["max-scale"])}
    return Knobs(
        annotations=annotations,
        concurrency=draw(st.sampled_from((1, 4, 10, 0))),
        up_rate=draw(st.sampled_from((1000.0, 1000.0, 2.0))),
        down_rate=draw(st.sampled_from((2.0, 2.0, 1.2, 5.0))),
    )


LOADS = st.sampled_from((0.0, 0.0, 1.0, 0.25, 3.0, 12.0, 40.0, 150.0))


@st.composite
def legs(draw: st.DrawFn) -> Leg:
    rest = draw(st.sampled_from((0, 0, 1, 2, 10, 40, 150, 300)))
    loads = tuple(draw(st.lists(LOADS, min_size=1, max_size=4)))
    seconds = draw(st.sampled_from((1, 3, 20, 70, len(loads) + rest, 6 * (len(loads) + rest))))
    return Leg(
        seconds=min(seconds, 1500),
        loads=loads,
        rest=rest,
        restart=draw(st.sampled_from(("", "", "", "", "kept", "lost"))),
        knobs=draw(st.one_of(st.none(), st.none(), st.none(), knobs())),
        seed=draw(st.integers(0, 100)),
    )


@st.composite
def voyages(draw: st.DrawFn) -> tuple[Knobs, int, list[Leg]]:
    start_s = draw(st.sampled_from((1, 1, 4, 15)))
    return draw(knobs()), start_s, draw(st.lists(legs(), min_size=1, max_size=6))


def flown(voyage: tuple[Knobs, int, list[Leg]], **changes: Any) -> Voyage:
    wanted, start_s, route = voyage
    flight = Voyage(wanted, start_s)
    for leg in route:
        flight.fly(replace(leg, **changes))
    return flight


PLAIN = Knobs(annotations={}, concurrency=1, up_rate=1000.0, down_rate=2.0)
CHEAP = replace(PLAIN, annotations={"activation-scale": "3", "keep-alive": "cheap"})


@given(voyages())
@example(  # zero was decided, and is kept over a restart; silence after that is not known yet
    (
        PLAIN,
        1,
        [
            Leg(seconds=20, loads=(0.0, 0.0, 0.0, 1.0), rest=40, restart="", knobs=CHEAP, seed=0),
            Leg(seconds=1, loads=(0.0,), rest=0, restart="kept", knobs=None, seed=0),
        ],
    )
)
def test_class_relight_keeps_what_it_promises(voyage: Any) -> None:
    flown(voyage).land()


@given(voyages())
def test_looking_more_often_changes_no_decision(voyage: Any) -> None:
    """But for the first look after a restart, which is a turn."""
    often, plain = (flown(voyage, looks=looks, restart="") for looks in (2, 0))
    assert often.told == plain.told


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_break_of_class_relight_is_found(name: str) -> None:
    # The hardest is caught by voyage 491; another Hypothesis draws others.
    assert hunted(name, voyages(), examples=5000) is not None
