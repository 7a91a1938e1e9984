import math
import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autoscaler.levels
from autoscaler.dumping import BLOB_BYTES_MAX
from autoscaler.gaps import Gaps, Plan
from autoscaler.levels import START_S, Kept, Levels, first_terms, further_terms, level, top
from tests.autoscaler.slow_levels import SlowLevels

WINDOW_S = 60.0


def kept(levels: Levels, now_s: float, factor: float = 1.0) -> Kept:
    return levels.kept(window_s=WINDOW_S, factor=factor, now_s=now_s)


@given(number=st.integers(1, 5000))
def test_levels_divide_the_numbers(number: int) -> None:
    index = level(number)
    assert top(index - 1) < number <= top(index) if index else number == 1


def test_single_numbers_then_two_levels_to_each_doubling() -> None:
    assert [top(index) for index in range(10)] == [1, 2, 3, 4, 5, 8, 11, 16, 22, 32]


def test_nothing_is_kept_that_was_never_needed() -> None:
    assert kept(Levels(), 5.0).number == 0


def test_without_history_the_last_replica_stays_a_window_and_two_ticks_others_a_quarter() -> None:
    levels = Levels()
    levels.need(5, now_s=100.0)
    assert (kept(levels, 114.9).number, kept(levels, 114.9).until_s) == (5, 115.0)
    assert (kept(levels, 115.0).number, kept(levels, 115.0).until_s) == (1, 164.0)
    assert kept(levels, 164.0).number == 0


@pytest.mark.parametrize(("factor", "others_s", "last_s"), [(0.25, 3.75, 16.0), (4.0, 60.0, 256.0)])
def test_the_knob_multiplies_all_of_it(factor: float, others_s: float, last_s: float) -> None:
    levels = Levels()
    levels.need(3, now_s=0.0)
    for at_s, number in ((others_s - 0.1, 3), (others_s, 1), (last_s - 0.1, 1), (last_s, 0)):
        assert kept(levels, at_s, factor).number == number


def test_a_slow_start_makes_further_replicas_worth_keeping_longer() -> None:
    slow, quick = (
        further_terms(window_s=60.0, factor=1.0, start_s=start_s) for start_s in (30.0, 0.01)
    )
    assert (quick.keep_s, slow.keep_s) == (15.0, 30.0)
    assert first_terms(window_s=60.0, factor=1.0, start_s=9.0).lead_s == 11.0


def test_starts_are_averaged_with_a_moving_weight() -> None:
    levels = Levels()
    levels.started(1.0)
    levels.started(2.0)
    assert levels.start_s == pytest.approx(1.3)


def test_a_smaller_need_does_not_shorten_what_a_larger_one_earned() -> None:
    levels = Levels()
    levels.need(8, now_s=0.0)
    for second in range(1, 15):
        levels.need(2, now_s=second)
        assert kept(levels, second).number == 8
    assert kept(levels, 15.0).number == 2


def test_a_clock_is_learned_and_met_ahead() -> None:
    levels = Levels()
    for stroke in range(31):
        levels.need(1, now_s=300.0 * stroke)
    last_s = 9000.0
    gone = kept(levels, last_s + 10)
    assert (gone.number, gone.until_s) == (0, None)
    assert gone.ahead_s is not None
    assert last_s + 285 < gone.ahead_s < last_s + 297
    back = kept(levels, last_s + 299)
    assert (back.number, back.is_ahead) == (1, True)
    assert kept(levels, last_s + 320).number == 0
    assert kept(levels, last_s + 320).ahead_s is None


def test_levels_learn_apart() -> None:
    """One replica is needed all the time, two every ten seconds, four every forty."""
    levels = Levels()
    for second in range(2001):
        number = 4 if second % 40 == 0 else 2 if second % 10 == 0 else 1
        levels.need(number, now_s=float(second))
    assert kept(levels, 2002.0).number == 4
    assert kept(levels, 2009.0).number == 2
    assert kept(levels, 2040.0).number == 1


@given(needs=st.lists(st.tuples(st.floats(0.1, 400.0), st.integers(0, 40)), max_size=60))
def test_what_is_kept_was_needed_before_and_lasts_until_it_says(
    needs: list[tuple[float, int]],
) -> None:
    levels, now_s, largest = Levels(), 0.0, 0
    for step_s, number in needs:
        now_s += step_s
        levels.need(number, now_s=now_s)
        largest = max(largest, number)
        found = kept(levels, now_s)
        assert number <= found.number <= largest or (found.is_ahead and found.number == 1)
        if found.until_s is not None:
            assert found.until_s > now_s
            assert kept(levels, (now_s + found.until_s) / 2).number == found.number


@given(
    needs=st.lists(st.tuples(st.floats(0.1, 400.0), st.integers(0, 40)), max_size=60),
    shift_s=st.sampled_from([0.0, 1000.0]),
)
def test_a_dump_goes_on_where_it_was(needs: list[tuple[float, int]], shift_s: float) -> None:
    levels, now_s = Levels(), 0.0
    levels.started(3.0)
    for step_s, number in needs:
        now_s += step_s
        levels.need(number, now_s=now_s)
    again = Levels.restored(levels.dump(shift_s=shift_s), shift_s=shift_s, now_s=now_s)
    assert again.is_learned == bool(any(number for _, number in needs)) == levels.is_learned
    one, other = kept(levels, now_s + 1), kept(again, now_s + 1)
    assert (one.number, one.is_ahead) == (other.number, other.is_ahead)


@pytest.mark.parametrize(
    "changes",
    [{"needs": [[1, 2.0]]}, {"needs": [[2, 1.0], [3, 2.0]], "last": [2.0]}, {"last": ["x"]}],
)
def test_what_is_no_dump_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        Levels.restored(
            {"start": None, "last": [], "needs": [], "gaps": {}} | changes, shift_s=0.0, now_s=9.0
        )


def test_a_clock_that_was_put_back_keeps_nothing_longer() -> None:
    levels = Levels()
    levels.need(5, now_s=9000.0)
    again = Levels.restored(levels.dump(shift_s=0.0), shift_s=0.0, now_s=100.0)
    assert (kept(again, 114.9).number, kept(again, 115.0).number) == (5, 1)
    assert kept(again, 164.0).number == 0


def test_what_a_replica_is_for_changes_and_only_the_first_level_means_the_same() -> None:
    levels = Levels()
    for stroke in range(30):
        for second in range(3):
            levels.need(4, now_s=stroke * 20.0 + second)
    last_s = 29 * 20.0 + 2
    assert kept(levels, last_s + 17).number == 4  # learned: they come back after 18 s
    levels.forget_further()
    assert kept(levels, last_s + 14.9).number == 4
    assert kept(levels, last_s + 15).number == 1
    levels.need(4, now_s=last_s + 500)
    dumped = levels.dump(shift_s=0.0)["gaps"]
    assert list(dumped) == ["0"], "a rest of what was forgotten"
    assert dumped["0"][0] == 30


def test_another_window_counts_at_once_however_much_is_known() -> None:
    levels = Levels()
    for second in range(0, 600, 3):
        levels.need(1, now_s=float(second))
    for window_s in (60.0, 64.0):
        found = levels.kept(window_s=window_s, factor=1.0, now_s=600.0)
        assert found.plan.keep_s == window_s + 4


def test_a_start_that_turns_out_slow_is_begun_sooner() -> None:
    levels = Levels()
    for stroke in range(60):
        levels.need(1, now_s=stroke * 300.0)
    begun_s = kept(levels, 59 * 300.0 + 200).ahead_s
    levels.started(8.0)
    assert begun_s is not None
    assert kept(levels, 59 * 300.0 + 200).ahead_s == pytest.approx(begun_s - 6.0)


def test_plans_follow_what_is_learned_however_much_was_known() -> None:
    """Ten thousand rests, then less than two in a hundred of another kind, which now prevail."""
    levels, now_s = Levels(), 0.0
    for rest_s in (*[3.0] * 10_000, *[80.0] * 190):
        now_s += rest_s
        levels.need(1, now_s=now_s)
        found = kept(levels, now_s)
    assert found.plan.ahead is not None


def test_a_dump_has_its_bound() -> None:
    """Every level has seen rests of every length."""
    rng, levels, gaps = random.Random(1), Levels(), Gaps()
    levels.need(10**6, now_s=0.0)
    for _ in range(4000):
        gaps.add(2 ** rng.uniform(0.6, 17))
    raw = levels.dump(shift_s=1e9 / 7) | {
        "gaps": {str(index): [gaps.count, gaps.dump()] for index in range(40)}
    }
    assert len(orjson.dumps(raw)) < BLOB_BYTES_MAX / 2


STEPS = st.one_of(st.sampled_from([1.0, 2.0, 18.0, 70.0, 300.0]), st.floats(0.1, 400.0))
# One number for each level: a smaller one of the same level would share its keep-alive with an
# older need, which is let go or not by when somebody asked.
NUMBERS = st.one_of(st.just(0), st.sampled_from([top(index) for index in range(9)]))


@settings(max_examples=60)
@given(
    route=st.lists(st.tuples(STEPS, NUMBERS, st.integers(0, 3)), max_size=38),
    start_s=st.sampled_from([0.5, 3.0, 10.0]),
)
def test_levels_keep_what_the_slow_twin_keeps(
    route: list[tuple[float, int, int]], start_s: float
) -> None:
    """The twin is asked once a step, and the levels more often: that changes nothing."""
    levels, twin, now_s = Levels(), SlowLevels(window_s=WINDOW_S, start_s=start_s), 0.0
    levels.started(start_s)
    for step_s, number, looks in route:
        for look in range(1, looks + 1):
            kept(levels, now_s + step_s * look / (looks + 1))
        now_s += step_s
        levels.need(number, now_s=now_s)
        twin.need(number, now_s)
        found = kept(levels, now_s + 0.5)
        assert (found.number, found.until_s, found.is_ahead) == twin.kept(now_s + 0.5)


BREAKS: dict[str, tuple[str, object]] = {
    "short-rests-are-none": ("REST_MIN_S", 30.0),
    "steps-down-by-one": ("top", lambda index: index + 1),
    "further-ones-as-the-first": ("further_terms", first_terms),
    "starts-are-instant": (
        "further_terms",
        lambda window_s, factor, start_s: further_terms(
            window_s=window_s, factor=factor, start_s=0.0
        ),
    ),
    "rests-of-one-level-only": ("level", lambda number: 0 if number else -1),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_of_levels_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscaler.levels, *BREAKS[name])
    assert any(not _agrees(random.Random(seed)) for seed in range(200))


def _agrees(rng: random.Random) -> bool:
    levels, twin, now_s = Levels(), SlowLevels(window_s=WINDOW_S, start_s=10.0), 0.0
    levels.started(10.0)
    for _ in range(30):
        now_s += rng.choice([1.0, 2.0, 18.0, 40.0, 70.0])
        number = rng.choice([0, 0, 1, 2, 3, 8, 16])
        levels.need(number, now_s=now_s)
        twin.need(number, now_s)
        found = kept(levels, now_s + 0.5)
        if (found.number, found.until_s) != twin.kept(now_s + 0.5)[:2]:
            return False
    return True


def test_without_a_break_they_agree() -> None:
    assert all(_agrees(random.Random(seed)) for seed in range(30))


def test_a_plan_that_is_used_again_was_fresh_few_rests_ago() -> None:
    """Of at most 2 % of the rests, and of ten."""
    rng, levels, gaps, now_s = random.Random(5), Levels(), Gaps(), 0.0
    fresh: list[Plan] = []
    terms = first_terms(window_s=WINDOW_S, factor=1.0, start_s=START_S)
    levels.need(1, now_s=0.0)
    for count in range(1, 901):
        rest_s = 2.0 ** rng.uniform(1, 9)
        now_s += rest_s
        levels.need(1, now_s=now_s)
        gaps.add(rest_s)
        fresh.append(gaps.plan(terms, may_go_ahead=True))
        few = 1 if count <= 40 else 1 + min(10, math.ceil(count * 0.02))
        assert kept(levels, now_s).plan in fresh[-few:]
