"""Steps with literal times, and properties over many of them."""

from hypothesis import given
from hypothesis import strategies as st

from controller.rollout import (
    NS_PER_S,
    Pace,
    Rollout,
    Share,
    Target,
    next_step_ns,
    parse,
    spell,
    step,
)

NO_PACE = Pace()
START = 1_800_000_000 * NS_PER_S


def target(*shares: tuple[str, int], tag: str = "", pace: Pace = NO_PACE) -> Target:
    return Target(
        configuration="mnist",
        tag=tag,
        percent=sum(percent for _, percent in shares),
        shares=tuple(Share(revision=name, percent=percent) for name, percent in shares),
        pace=pace,
    )


def shares(rollout: Rollout) -> list[tuple[str, int]]:
    return [(share.revision, share.percent) for share in rollout[0].shares]


def moved(
    before: Target, newest: str, at_s: float, *, duration_s: float = 100, usable: str = "abcdef"
) -> Rollout:
    goal = target((newest, before.percent))
    return step(
        [goal],
        [before],
        usable=list(usable),
        duration_s=duration_s,
        now_ns=START + int(at_s * NS_PER_S),
    )


def test_a_new_revision_starts_with_one_percent() -> None:
    found = moved(target(("a", 100)), "b", 0)
    assert shares(found) == [("a", 99), ("b", 1)]
    assert next_step_ns(found) == START + NS_PER_S
    # 99 steps of 1 % in the 99 s that are left, the first having taken one.
    assert found[0].pace == Pace(start_ns=START, next_ns=START + NS_PER_S, step_ns=NS_PER_S, size=1)


def test_a_short_rollout_takes_larger_steps() -> None:
    found = moved(target(("a", 100)), "b", 0, duration_s=5)
    assert (found[0].pace.size, found[0].pace.step_ns) == (25, NS_PER_S)
    seen = []
    for second in range(1, 6):
        found = moved(found[0], "b", second, duration_s=5)
        seen.append(shares(found))
    assert seen == [
        [("a", 74), ("b", 26)],
        [("a", 49), ("b", 51)],
        [("a", 24), ("b", 76)],
        [("b", 100)],
        [("b", 100)],
    ]
    assert next_step_ns(found) is None


def test_nothing_moves_before_its_time() -> None:
    found = moved(target(("a", 100)), "b", 0)
    assert moved(found[0], "b", 0.9) == found
    assert shares(moved(found[0], "b", 1.0)) == [("a", 98), ("b", 2)]


def test_a_third_revision_is_stacked() -> None:
    pace = Pace(start_ns=START, next_ns=START + 5 * NS_PER_S, step_ns=NS_PER_S, size=10)
    found = moved(target(("a", 60), ("b", 40), pace=pace), "c", 3)
    assert shares(found) == [("a", 60), ("b", 39), ("c", 1)]
    later = found
    for second in range(4, 43):
        later = moved(later[0], "c", second)
    # The newest of the old ones is drained first.
    assert shares(later) == [("a", 60), ("c", 40)]


def test_a_revision_that_has_one_percent_only_is_left_behind() -> None:
    found = moved(target(("a", 99), ("b", 1)), "c", 0)
    assert shares(found) == [("a", 99), ("c", 1)]


def test_a_revision_that_is_gone_leaves_its_share_to_the_newest() -> None:
    found = moved(target(("a", 60), ("b", 39), ("c", 1)), "c", 0, usable="ac")
    assert shares(found) == [("a", 60), ("c", 40)]
    assert shares(moved(target(("a", 60), ("b", 40)), "c", 0, usable="c")) == [("c", 100)]


def test_a_changed_percentage_is_taken_from_the_oldest_and_given_to_the_newest() -> None:
    pace = Pace(start_ns=START, next_ns=START + 9 * NS_PER_S, step_ns=NS_PER_S, size=10)
    before = target(("a", 60), ("b", 40), pace=pace)

    def to(percent: int) -> list[tuple[str, int]]:
        goal = target(("b", percent))
        found = step([goal], [before], usable="ab", duration_s=9, now_ns=START)
        return shares(found)

    assert to(100) == [("a", 60), ("b", 40)]
    assert to(50) == [("a", 10), ("b", 40)]
    assert to(30) == [("b", 30)]
    assert to(1) == [("b", 1)]


def test_a_line_of_one_percent_moves_at_once() -> None:
    assert shares(moved(target(("a", 1)), "b", 0)) == [("b", 1)]


def test_a_new_line_moves_at_once() -> None:
    goal = target(("b", 100), tag="new")
    found = step([goal], [target(("a", 100))], usable="ab", duration_s=9, now_ns=START)
    assert found == (goal,)


def test_state_that_lost_its_pace_goes_on() -> None:
    found = moved(target(("a", 50), ("b", 50)), "b", 0, duration_s=11)
    assert shares(found) == [("a", 50), ("b", 50)]
    assert (found[0].pace.size, next_step_ns(found)) == (5, START + NS_PER_S)


def test_the_state_is_knatives_text() -> None:
    pace = Pace(start_ns=1, next_ns=2, step_ns=3, size=4)
    state = (target(("a", 99), ("b", 1), tag="x", pace=pace),)
    text = spell(state)
    assert text == (
        '{"configurations":[{"configurationName":"mnist","tag":"x","percent":100,'
        '"revisions":[{"revisionName":"a","percent":99},{"revisionName":"b","percent":1}],'
        '"stepParams":{"starttime":1,"nextStepTime":2,"stepDuration":3,"stepSize":4}}]}'
    )
    assert parse(text) == state


def test_what_is_not_a_state_is_none() -> None:
    for text in (
        "",
        "[]",
        "{",
        '{"configurations":3}',
        '{"configurations":[{"configurationName":"x","percent":"many"}]}',
        '{"configurations":[{"configurationName":"x","percent":101}]}',
        '{"configurations":[{"configurationName":"x","percent":9,"stepParams":{"stepSize":10},'
        '"revisions":[{"revisionName":"a","percent":9}]}]}',
        '{"configurations":[{"configurationName":"x","percent":9,'
        '"revisions":[{"revisionName":"a","percent":8}]}]}',
    ):
        assert parse(text) is None, text


# Small numbers, so that steps, new Revisions and deletions fall on one another.
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 30),  # seconds since the one before
        st.sampled_from("abcd"),  # the newest Revision then
        st.sets(st.sampled_from("abcd")),  # those that do not serve
        st.sampled_from([2, 3, 10, 50, 99, 100]),  # what the line gets
    ),
    min_size=1,
    max_size=12,
)


@given(events=EVENTS, duration_s=st.integers(1, 120))
def test_it_adds_up_and_only_what_serves_gets_requests(
    events: list[tuple[int, str, set[str], int]], duration_s: int
) -> None:
    state: Rollout = ()
    now_ns = START
    for seconds, newest, broken, percent in events:
        now_ns += seconds * NS_PER_S
        usable = set("abcd") - broken | {newest}
        goal = target((newest, percent))
        before = parse(spell(state))
        assert before == state, "a restart forgets nothing"
        old = state
        state = step([goal], state, usable=usable, duration_s=duration_s, now_ns=now_ns)
        assert sum(share.percent for share in state[0].shares) == percent
        assert {share.revision for share in state[0].shares} <= usable
        assert state[0].shares[-1].revision == newest
        again = step([goal], state, usable=usable, duration_s=duration_s, now_ns=now_ns)
        assert again == state, "the same time again changes nothing"
        if old and percent == old[0].percent and not broken:
            assert _of(state, newest) >= _of(old, newest)
    # Left alone it ends, with everything at the newest. Steps are rounded to whole percent as
    # Knative rounds them: 1.4 becomes 1, so it can take up to half as long again.
    end_ns = now_ns + (duration_s * 3 // 2 + 2) * NS_PER_S
    steps = 0
    while (due_ns := next_step_ns(state)) is not None:
        assert due_ns <= end_ns, "it takes longer than it was given"
        before_percent = _of(state, newest)
        state = step([goal], state, usable=usable, duration_s=duration_s, now_ns=due_ns)
        assert _of(state, newest) > before_percent
        steps += 1
        assert steps <= 100
    assert shares(state) == [(newest, percent)]


def _of(rollout: Rollout, revision: str) -> int:
    return sum(share.percent for share in rollout[0].shares if share.revision == revision)
