from api.stats import Stat
from autoscaler.collector import Collector
from autoscaler.decider import Decision, Observation, State, decide
from autoscaler.reasons import Reason
from autoscaler.weighing import Weigher
from tests.autoscaler.specs import spec

OURS = spec(is_kpa=False, target=7.0, total=10.0, panic_window_s=2.0)


class Told:
    """A weigher and its collector, told a load each second."""

    def __init__(self, *, ready: int = 0) -> None:
        self.weigher = Weigher(ready=ready, now_s=0.0)
        self.collector = Collector(OURS, now_s=0.0)
        self.ready = ready

    def load(self, second: int, value: float) -> None:
        stat = Stat(
            namespace="n", revision="r", reporter="a", time_s=second,
            average_concurrency=value, requests_per_s=value,
        )  # fmt: skip
        self.collector.record(stat, now_s=second)

    def weighed(self, second: int) -> Observation:
        load = self.collector.observe(now_s=second, ready=self.ready, listening_since_s=-1000.0)
        seen = Observation(stable=load.stable, panic=load.panic, ready=self.ready)
        return self.weigher.weighed(OURS, seen, self.collector, busy=load.busy, now_s=second)


def numbers(seen: Observation) -> tuple[int | None, int | None]:
    return (seen.need and seen.need.number, seen.kept and seen.kept.number)


def test_what_was_needed_is_kept() -> None:
    told = Told()
    told.load(1, 35.0)
    assert numbers(told.weighed(1)) == (5, 5)
    told.load(2, 0.0)
    told.load(3, 0.0)
    assert numbers(told.weighed(3)) == (0, 5)


def test_what_ran_before_is_held_for_a_stable_window() -> None:
    told = Told(ready=4)
    assert numbers(told.weighed(59)) == (0, 4)
    assert numbers(told.weighed(60)) == (0, 0)
    told.weigher.hold(3, now_s=70.0)
    assert numbers(told.weighed(129)) == (0, 3)


def test_what_is_held_says_until_when_though_it_is_kept_as_well() -> None:
    told = Told(ready=5)
    told.load(1, 35.0)
    told.weighed(1)
    found = told.weighed(5).kept
    assert found is not None
    assert (found.number, found.until_s) == (5, 60.0)


def test_a_report_presses_when_it_needs_more_and_is_remembered() -> None:
    told = Told()
    told.load(1, 35.0)
    assert told.weigher.is_pressing(OURS, told.collector, 4, now_s=1)
    assert not told.weigher.is_pressing(OURS, told.collector, 5, now_s=1)
    told.load(2, 0.0)
    told.load(3, 0.0)
    assert numbers(told.weighed(4)) == (0, 5)


def test_a_start_is_timed_from_the_order_to_the_first_that_is_ready() -> None:
    weigher = Weigher(ready=0, now_s=0.0)
    weigher.ordered(3, ready=0, now_s=10.0)
    weigher.is_ready(0, now_s=12.0)
    assert weigher.levels.start_s is None
    weigher.ordered(5, ready=0, now_s=12.0)  # more are wanted; the first are still on their way
    weigher.is_ready(1, now_s=14.0)
    assert weigher.levels.start_s == 4.0
    weigher.is_ready(3, now_s=99.0)
    assert weigher.levels.start_s == 4.0
    weigher.ordered(None, ready=3, now_s=99.0)
    weigher.ordered(2, ready=3, now_s=99.0)
    weigher.is_ready(4, now_s=500.0)
    assert weigher.levels.start_s == 4.0


def test_an_order_that_is_taken_back_is_no_start() -> None:
    """It never became ready, was given up, and another one is ordered a day later."""
    weigher = Weigher(ready=0, now_s=0.0)
    weigher.ordered(1, ready=0, now_s=10.0)
    weigher.ordered(0, ready=0, now_s=640.0)
    weigher.ordered(1, ready=0, now_s=86_400.0)
    weigher.is_ready(1, now_s=86_403.0)
    assert weigher.levels.start_s == 3.0


def test_a_rise_is_followed_only_where_starts_take_long() -> None:
    for start_s, reason in ((0.01, Reason.FULL), (10.0, Reason.EXPECTED)):
        told = Told(ready=30)
        told.weigher.levels.started(start_s)
        for second in range(1, 62):
            told.load(second, 20.0 + 3 * second)
        found = told.weighed(62).need
        assert found is not None
        assert found.reason is reason


def test_an_activation_scale_lasts_as_long_as_a_need() -> None:
    told = Told()
    wanted = spec(is_kpa=False, activation_scale=6)
    told.load(1, 1.0)
    decision: Decision = decide(wanted, told.weighed(1), State(), now_s=1)[0]
    told.weigher.decided(decision, now_s=1)
    told.load(2, 0.0)
    told.load(3, 0.0)
    assert numbers(told.weighed(4)) == (0, 6)
