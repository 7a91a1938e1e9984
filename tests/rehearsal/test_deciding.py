"""The production pilot handed through, and the yardsticks beside it."""

import pytest

from api import keys
from api.errors import InvalidObjectError
from api.stats import Stat
from autoscaler.config import Settings
from rehearsal.deciding import Fixed, KeepAlive, Production, spec_of
from rehearsal.policies import parse
from rehearsal.running import rehearse
from rehearsal.terms import Terms
from rehearsal.traces import Trace


def spec(concurrency: int = 1, **knobs: str):  # type: ignore[no-untyped-def]
    annotations = {
        keys.AUTOSCALING_PREFIX + name.replace("_", "-"): text for name, text in knobs.items()
    }
    return spec_of(annotations, concurrency, Settings())


def stat(now_s: float, load: float, *, queued: int = 0, is_poke: bool = False) -> Stat:
    return Stat(
        namespace="rehearsal",
        revision="revision",
        reporter="activator",
        time_s=now_s,
        average_concurrency=load,
        requests_per_s=load,
        queued=queued,
        is_poke=is_poke,
    )


def test_a_poke_at_zero_is_decided_at_once_from_its_queue() -> None:
    decider = Production(spec())
    assert decider.first == 0
    assert decider.turn(0, 0, 0.0) is None
    assert decider.is_asleep(0, 0)
    assert decider.receive(stat(1.0, 3.0, queued=3, is_poke=True), peak=3, now_s=1.0)
    assert decider.turn(0, 0, 1.0) == 3
    assert decider.look(3, 0, 1.0) is None
    assert not decider.is_asleep(3, 0)


def test_a_revision_with_a_minimum_is_up_from_the_beginning() -> None:
    decider = Production(spec(min_scale="2"))
    assert decider.first == 2
    assert decider.turn(2, 2, 0.0) is None
    assert not decider.is_asleep(2, 2)


def test_a_wrong_annotation_is_named() -> None:
    with pytest.raises(InvalidObjectError, match="window"):
        spec(window="1s")


def test_a_kept_replica_goes_when_it_was_not_needed_for_so_long() -> None:
    decider = KeepAlive(spec(), keep_s=100.0)
    assert decider.receive(stat(0.0, 2.0, queued=2, is_poke=True), peak=2, now_s=0.0)
    assert decider.turn(0, 0, 0.0) == 2
    assert not decider.receive(stat(50.0, 0.5), peak=1, now_s=50.0)  # the second is not needed
    assert decider.turn(2, 2, 99.0) is None
    assert decider.turn(2, 2, 100.0) == 1
    assert not decider.is_asleep(1, 1)
    assert decider.turn(1, 1, 150.0) is None  # a report is awaited
    assert not decider.receive(stat(150.0, 0.0), peak=0, now_s=150.0)
    assert (decider.is_asleep(1, 1), decider.wake_s) == (True, 150.0)
    assert decider.turn(1, 1, 150.0) == 0
    assert (decider.is_asleep(0, 0), decider.wake_s) == (True, None)


@pytest.mark.parametrize("keep_s", [0.0, 0.5])
def test_a_replica_is_never_taken_away_from_who_waits_for_it(keep_s: float) -> None:
    trace = Trace(arrivals=[0.0, 0.001, 30.0])
    terms = Terms(concurrency=1, cold_starts_s=(7.0,))
    score = rehearse(trace, parse(f"keep-alive={keep_s:g}s"), terms).score
    assert (score.cold_starts, score.starts, score.wait_max_s) == (
        2,
        3,
        pytest.approx(7.0, abs=0.1),
    )


def test_it_grows_with_what_is_in_flight_at_once_up_to_its_bound() -> None:
    decider = KeepAlive(spec(concurrency=4, max_scale="3"), keep_s=9.0)
    grown = []
    for now, peak in enumerate((4, 5, 8, 9, 40)):
        grown.append(decider.receive(stat(float(now), 1.0), peak=peak, now_s=float(now)))
    assert grown == [True, True, False, True, False]
    assert decider.turn(2, 2, 5.0) == 3
    assert decider.look(3, 2, 5.0) is None


def test_a_kept_minimum_never_goes() -> None:
    decider = KeepAlive(spec(concurrency=0, min_scale="1"), keep_s=1.0)
    assert decider.first == 1
    decider.receive(stat(5.0, 1.0), peak=7, now_s=5.0)
    assert decider.turn(1, 1, 1000.0) is None


def test_a_fixed_number_is_not_discussed() -> None:
    decider = Fixed(3)
    assert not decider.receive(stat(0.0, 9.0), peak=9, now_s=0.0)
    assert (decider.turn(3, 3, 0.0), decider.look(3, 3, 0.0)) == (None, None)
    assert decider.is_asleep(3, 3)
