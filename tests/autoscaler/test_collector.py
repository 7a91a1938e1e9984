from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.stats import Stat
from autoscaler.collector import REPORTERS_MAX, STALE_S, Collector, Load
from autoscaler.sampling import Measured
from autoscaler.signals import Signal
from autoscaler.spec import Spec
from tests.autoscaler.specs import spec

OURS = spec(is_kpa=False)


def stat(time_s: float, load: float = 0.0, **changes: Any) -> Stat:
    fields: dict[str, Any] = {
        "namespace": "default",
        "revision": "r",
        "reporter": "a",
        "time_s": time_s,
        "average_concurrency": load,
        "requests_per_s": load * 10,
    }
    return Stat(**(fields | changes))


class Told:
    """A collector that is told stats at their own time."""

    def __init__(self, wanted: Spec = OURS) -> None:
        self.collector = Collector(wanted, now_s=0)

    def tell(self, *stats: Stat) -> "Told":
        for each in stats:
            self.collector.record(each, now_s=each.time_s)
        return self

    def measure(self, load: float, *at_s: float) -> "Told":
        for now_s in at_s:
            measured = Measured(concurrency=load, requests_per_s=10 * load)
            self.collector.measured(measured, now_s=now_s)
        return self

    def at(
        self,
        now_s: float,
        *,
        ready: int = 1,
        listening_since_s: float = -1000,
        is_exposed: bool = False,
    ) -> Load:
        return self.collector.observe(
            now_s=now_s,
            ready=ready,
            listening_since_s=listening_since_s,
            is_exposed=is_exposed,
        )


@pytest.mark.parametrize("is_kpa", [True, False])
def test_reporters_add_up(is_kpa: bool) -> None:
    load = Told(spec(is_kpa=is_kpa)).tell(stat(1.0, 3.0), stat(1.5, 4.0, reporter="b")).at(1.9)
    assert (load.stable, load.panic) == (7.0, 7.0)


def test_rps_is_measured_in_requests() -> None:
    assert Told(spec(is_rps=True)).tell(stat(1.0, 3.0)).at(1.9).stable == 30.0


def test_silence_means_nothing_before_a_stable_window_of_listening() -> None:
    assert Told().at(59, listening_since_s=0).stable is None
    assert Told().at(60, listening_since_s=0).stable == 0.0


def test_a_report_ends_the_wait_and_a_lost_connection_begins_another() -> None:
    told = Told().tell(stat(5.0, 2.0))
    assert told.at(6, listening_since_s=0).stable == 2.0
    assert told.at(20, listening_since_s=10).stable is None
    assert told.at(70, listening_since_s=10).stable == 0.0


def test_a_report_older_than_the_last_is_dropped() -> None:
    told = Told().tell(stat(5.0, 2.0))
    told.collector.record(stat(4.0, 50.0), now_s=5.5)
    assert told.at(5.5).stable == 2.0
    assert told.collector.rejected == 1


def test_a_reporter_that_comes_back_with_another_clock_is_heard() -> None:
    told = Told().tell(stat(500.0, 2.0))
    told.collector.record(stat(1.0, 3.0), now_s=600.0)
    assert told.at(600.0).stable == 3.0


@given(jitter=st.lists(st.integers(-2, 2), min_size=4, max_size=60), phase=st.integers(0, 9))
def test_ours_reads_a_steady_load_as_it_is_whatever_the_timer_does(
    jitter: list[int], phase: int
) -> None:
    told = Told()
    for second, tenths in enumerate(jitter, start=1):
        now = second + (phase + tenths) / 10
        told.tell(stat(now, 1.0))
        load = told.at(now)
        assert (load.stable, load.panic) == (1.0, 1.0)


def test_a_missed_second_is_filled_with_the_smaller_neighbour() -> None:
    assert Told().tell(stat(1.0, 2.0), stat(3.0, 50.0)).at(3.0).panic == 18.0  # 2, 2, 50
    assert Told().tell(stat(1.0, 50.0), stat(3.0, 2.0)).at(3.0).panic == 18.0  # 50, 2, 2


def test_a_longer_silence_is_not_filled() -> None:
    assert Told().tell(stat(1.0, 8.0), stat(4.0, 8.0)).at(4.0).panic == 4.0


def test_kpa_adds_what_falls_into_one_second() -> None:
    told = Told(spec()).tell(stat(1.0, 1.0), stat(1.9, 1.0))
    assert told.at(1.95).stable == 2.0


def test_ours_keeps_the_poke_out_of_the_averages() -> None:
    told = Told().tell(stat(1.0, queued=100, is_poke=True))
    load = told.at(1.1, ready=0)
    assert (load.stable, load.queued) == (0.0, 100)
    told.tell(stat(2.0, 50.0, queued=100))
    assert told.at(2.1, ready=0).stable == 50.0


def test_kpa_counts_the_first_poke_as_one_and_takes_it_off_the_next_report() -> None:
    told = Told(spec()).tell(
        stat(1.0, queued=100, is_poke=True), stat(1.1, queued=120, is_poke=True)
    )
    assert told.at(1.2, ready=0).stable == 1.0
    told.tell(stat(1.9, 50.0))
    assert told.at(1.95, ready=0).stable == 50.0
    told.tell(stat(2.9, 50.0))
    assert told.at(2.95, ready=0).stable == 50.0


def test_kpa_never_reports_less_than_nothing() -> None:
    told = Told(spec()).tell(stat(1.0, is_poke=True, queued=1), stat(2.0, 0.25))
    assert told.at(2.0, ready=0).stable == 0.5


def test_queues_of_reporters_add_up_until_they_are_stale() -> None:
    told = Told().tell(
        stat(1.0, queued=5, is_poke=True), stat(3.0, queued=7, is_poke=True, reporter="b")
    )
    assert told.at(3.0).queued == 12
    assert told.at(4.5).queued == 7
    assert told.at(9.0).queued == 0


def test_ours_decays_while_a_replica_runs_unmentioned() -> None:
    told = Told().tell(*(stat(float(each), 6.0) for each in range(10)))
    assert told.at(11.5).panic == 6.0  # a report may be two seconds late
    assert told.at(14.5).panic == 1.5  # of seconds 9 to 14 the first four are known: 6, 0, 0, 0
    assert told.at(14.5).stable == pytest.approx(60 / 13)


def test_kpa_stands_still_when_nobody_is_asked() -> None:
    reports = [stat(float(each), 6.0) for each in range(10)]
    assert Told(spec(target_burst_capacity=-1.0)).tell(*reports).at(40.0).stable == 6.0
    asked = Told(spec(target_burst_capacity=211.0)).tell(*reports)
    assert asked.at(40.0, ready=0).stable == 6.0  # there is nobody to ask
    assert asked.at(40.0, ready=1).stable == pytest.approx(60 / 39)


def test_a_window_of_ours_begins_with_data_not_with_silence() -> None:
    told = Told()
    assert told.at(50.0).stable == 0.0
    assert told.tell(stat(51.0, 6.0)).at(51.0).stable == 6.0


def test_idle_counts_from_the_last_load() -> None:
    told = Told().tell(stat(5.0, 1.0), stat(6.0, 0.0))
    assert told.at(65.0).idle_s == 60.0
    assert told.tell(stat(70.0, queued=1)).at(71.0).idle_s == 1.0


def test_idle_counts_from_the_start_of_listening_and_of_the_revision() -> None:
    assert Told().at(70.0, listening_since_s=40.0).idle_s == 30.0
    assert Told().at(70.0).idle_s == 70.0


def test_another_metric_starts_from_nothing_known_and_not_from_zero() -> None:
    told = Told().tell(stat(5.0, 1.0))
    told.collector.respec(spec(is_kpa=False, is_rps=True), now_s=5.0)
    assert told.at(5.6).stable is None
    assert told.at(65.0).stable == 0.0  # silence for a whole window is an answer
    assert told.tell(stat(66.0, 3.0)).at(66.0).stable == 30.0


def test_another_window_keeps_what_fits() -> None:
    told = Told().tell(*(stat(float(each), float(each)) for each in range(10)))
    told.collector.respec(spec(is_kpa=False, stable_window_s=2.0), now_s=9.5)
    assert told.at(9.6).stable == 8.5


def test_reporters_are_limited() -> None:
    told = Told()
    for each in range(REPORTERS_MAX + 10):
        told.tell(stat(each / 1000, queued=1, reporter=str(each)))
    assert told.at(0.3).queued == REPORTERS_MAX


TOKENS = spec(
    is_kpa=False,
    target=2800.0,
    signal=Signal(metric="tokens-in-flight", target=2800.0, requests=7.0, slots=10),
)
DELAY = spec(
    is_kpa=False, target=200.0, signal=Signal(metric="queue-delay", target=200.0, requests=7.0)
)


def test_tokens_are_averaged_as_concurrency_is() -> None:
    told = Told(TOKENS)
    for second, tokens in enumerate([1000.0, 3000.0, 2000.0]):
        told.tell(stat(second + 1.0, 2.0, tokens_in_flight=tokens))
    assert told.at(3.9).stable == 2000.0


def test_until_somebody_reports_requests_count() -> None:
    told = Told(TOKENS).tell(stat(1.0, 7.0), stat(2.0, 7.0, tokens_in_flight=5600.0))
    assert told.at(2.9).stable == 4200.0  # of a replica's worth, and of two


def test_several_reporters_tell_of_the_same_replicas() -> None:
    told = Told(TOKENS)
    for second in range(1, 6):
        told.tell(
            stat(second + 0.1, 1.0, tokens_in_flight=900.0),
            stat(second + 0.5, 2.0, reporter="b", tokens_in_flight=1000.0),
        )
    assert told.at(5.9).stable == pytest.approx(1000.0, rel=0.2)  # the first second had one only
    assert told.at(5.9).panic == pytest.approx(1000.0, rel=0.2)


def test_a_delay_counts_by_the_replicas_there_were() -> None:
    told = Told(DELAY)
    told.at(0.0, ready=2)
    told.tell(stat(1.0, 9.0, queue_delay_s=0.3))
    told.at(1.9, ready=4)
    told.tell(stat(2.0, 9.0, queue_delay_s=0.2))
    assert told.at(2.9).stable == pytest.approx((2 * 300 + 4 * 200) / 2)


def test_another_target_of_a_delay_begins_anew() -> None:
    told = Told(DELAY)
    told.at(0.0, ready=2)
    told.tell(stat(1.0, 9.0, queue_delay_s=0.3))
    assert DELAY.signal is not None
    told.collector.respec(replace(DELAY, signal=replace(DELAY.signal, requests=9.0)), now_s=1.5)
    assert told.at(1.9).stable == 600.0
    told.collector.respec(replace(DELAY, signal=replace(DELAY.signal, target=9.0)), now_s=1.5)
    assert told.at(1.9).stable is None


@given(
    is_kpa=st.booleans(),
    steps=st.lists(
        st.tuples(st.integers(0, 40), st.integers(-1, 3), st.sampled_from("ab"), st.booleans()),
        min_size=1,
        max_size=15,
    ),
)
def test_rest_changes_no_observation(is_kpa: bool, steps: list[tuple[int, int, str, bool]]) -> None:
    restful, other = Told(spec(is_kpa=is_kpa)), Told(spec(is_kpa=is_kpa))
    now_s = 0.0
    for step, load, reporter, is_resting in steps:
        now_s += step
        for each in (restful, other):
            if load >= 0:
                each.tell(stat(now_s, float(load), reporter=reporter))
        if is_resting:
            restful.collector.rest(now_s=now_s)
        assert restful.at(now_s, ready=load + 1) == other.at(now_s, ready=load + 1)


def test_whoever_takes_over_knows_nothing_of_now_but_the_average_of_before() -> None:
    told = Told()
    for second in range(20):
        told.tell(stat(float(second), 4.0))
    raw = told.collector.dump(shift=0, now_s=19)
    assert raw is not None
    after = Told()
    after.collector.restore(raw, shift=0, now_s=30)
    assert after.collector.is_untold
    silent = after.at(31, listening_since_s=30)
    assert (silent.stable, silent.panic) == (None, None)
    after.tell(stat(35.0, 4.0, reporter="another"))
    load = after.at(35, listening_since_s=30)
    assert (load.stable, load.panic) == (4.0, 4.0)  # the gap, and the wait for it, are unknown


def test_an_empty_collector_dumps_nothing_and_a_wrong_dump_changes_nothing() -> None:
    assert Told().collector.dump(shift=0, now_s=0) is None
    told = Told().tell(stat(1.0, 4.0))
    raw = told.collector.dump(shift=0, now_s=1)
    assert raw is not None
    after = Told()
    for wrong in ({}, raw | {"stable": 1}, raw | {"panic": {}}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            after.collector.restore(wrong, shift=0, now_s=1)
        assert after.collector.dump(shift=0, now_s=1) is None


@pytest.mark.parametrize("is_kpa", [True, False])
def test_what_replicas_count_and_what_activators_saw_add_up(is_kpa: bool) -> None:
    told = Told(spec(is_kpa=is_kpa)).measure(3.0, 10.1).tell(stat(10.2, 2.0))
    assert told.at(10.9, is_exposed=True).stable == 5.0
    assert Told(spec(is_kpa=is_kpa, is_rps=True)).measure(3.0, 1.1).at(1.9).stable == 30.0


def test_of_two_measures_in_one_second_the_second_counts() -> None:
    told = Told().measure(3.0, 10.1).measure(5.0, 10.8)
    assert told.at(10.9, is_exposed=True).stable == 5.0


@pytest.mark.parametrize("is_kpa", [True, False])
def test_silence_of_an_exposed_revision_means_nothing(is_kpa: bool) -> None:
    told = Told(spec(is_kpa=is_kpa)).tell(stat(1.0, 1.0))
    assert told.at(500.0, is_exposed=True).stable is None
    told.measure(4.0, 500.1)
    assert told.at(500.2, is_exposed=True).stable == 4.0
    assert told.at(500.1 + STALE_S, is_exposed=True).stable == 4.0
    assert told.at(500.2 + STALE_S, is_exposed=True).stable is None


@pytest.mark.parametrize("is_kpa", [True, False])
def test_a_measured_zero_is_one(is_kpa: bool) -> None:
    told = Told(spec(is_kpa=is_kpa)).measure(0.0, *(n + 0.1 for n in range(100)))
    load = told.at(99.5, is_exposed=True, listening_since_s=0)
    assert (load.stable, load.panic) == (0.0, 0.0)
    assert load.idle_s >= 99


@pytest.mark.parametrize("is_kpa", [True, False])
def test_seconds_in_which_nobody_was_asked_are_in_the_next_answer(is_kpa: bool) -> None:
    steady = Told(spec(is_kpa=is_kpa)).measure(4.0, *(n + 0.1 for n in range(20)))
    missed = Told(spec(is_kpa=is_kpa)).measure(
        4.0, *(n + 0.1 for n in range(20) if n not in (7, 8, 15))
    )
    assert missed.at(19.5, is_exposed=True) == steady.at(19.5, is_exposed=True)


@given(jitter=st.lists(st.integers(-4, 4), min_size=4, max_size=60))
def test_a_steady_measure_is_read_as_it_is_whatever_the_timer_does(jitter: list[int]) -> None:
    told = Told().measure(3.0, *(10 + n + each / 10 for n, each in enumerate(jitter)))
    load = told.at(10 + len(jitter), is_exposed=True)
    assert load.stable == pytest.approx(3.0)


@pytest.mark.parametrize("is_kpa", [True, False])
def test_what_was_not_measured_until_activators_stepped_in_is_no_zero(is_kpa: bool) -> None:
    told = Told(spec(is_kpa=is_kpa)).measure(4.0, *(n + 0.1 for n in range(60)))
    assert told.at(90.0, is_exposed=True).stable is None
    assert told.at(91.0).stable == 4.0
    told.tell(*(stat(n + 0.5, 2.0) for n in range(91, 121)))
    assert told.at(121.0).stable == pytest.approx(3.0, abs=0.1)
    told.measure(1.0, 121.1)
    assert told.at(121.2).stable < 3.2, "from then on, not in all the seconds since it was measured"


@pytest.mark.parametrize("is_kpa", [True, False])
def test_what_is_measured_anew_is_not_added_to_what_activators_counted_meanwhile(
    is_kpa: bool,
) -> None:
    told = Told(spec(is_kpa=is_kpa)).measure(4.0, *(n + 0.1 for n in range(10)))
    assert told.at(10.0, is_exposed=True).stable == 4.0
    for second in range(10, 200):
        told.tell(stat(second + 0.5, 4.0)).at(second + 0.6)
    told.measure(4.0, 201.1)
    load = told.at(201.2, is_exposed=True)
    assert load.stable == pytest.approx(4.0, abs=0.2)
