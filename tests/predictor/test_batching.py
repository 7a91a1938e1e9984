"""The batcher in virtual time: who runs with whom, and when."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.batching import PATIENCE, WAIT_MIN_S, Batcher, Member

MS = 0.001
FAR_S = 1000.0


def batcher(rows_max: int = 4, delay_s: float = 5 * MS) -> Batcher[str]:
    return Batcher(rows_max=rows_max, delay_s=delay_s)


def come(
    found: Batcher[str], tokens: str, now_s: float, *, key: str | None = "k", rows: int = 1
) -> None:
    for token in tokens:
        found.arrived(token, key=key, rows=rows, deadline_s=now_s + FAR_S, now_s=now_s)


def names(batch: tuple[Member[str], ...]) -> str:
    return "".join(member.token for member in batch)


def busy(found: Batcher[str], now_s: float = 0.0) -> None:
    """A run that others come upon."""
    come(found, "!", now_s)
    assert names(found.take(now_s=now_s)) == "!"


def test_who_comes_alone_runs_at_once() -> None:
    found = batcher()
    for turn in range(5):
        come(found, "a", turn * MS)
        assert found.next_deadline_s(now_s=turn * MS) == turn * MS
        assert names(found.take(now_s=turn * MS)) == "a"
        found.finished()
    assert found.next_deadline_s(now_s=1) is None


def test_what_comes_during_a_run_gathers() -> None:
    found = batcher()
    busy(found)
    come(found, "abcdef", 1 * MS)
    assert found.take(now_s=2 * MS) == ()
    assert found.next_deadline_s(now_s=2 * MS) is None
    found.finished()
    assert names(found.take(now_s=2 * MS)) == "abcd"
    found.finished()
    assert names(found.take(now_s=3 * MS)) == "ef"


def test_another_is_waited_for_while_it_is_likely() -> None:
    found = batcher()
    busy(found)
    come(found, "a", 1 * MS)  # a gap of 1 ms
    found.finished()
    assert found.take(now_s=1 * MS) == ()
    assert found.next_deadline_s(now_s=1 * MS) == pytest.approx((1 + PATIENCE) * MS)
    come(found, "b", 2 * MS)
    assert found.next_deadline_s(now_s=2 * MS) == pytest.approx(6 * MS)  # a's delay ends first
    assert found.take(now_s=5.9 * MS) == ()
    assert names(found.take(now_s=6 * MS)) == "ab"


def test_a_full_batch_does_not_wait() -> None:
    found = batcher()
    busy(found)
    come(found, "abc", 1 * MS)
    found.finished()
    come(found, "d", 1 * MS)
    assert names(found.take(now_s=1 * MS)) == "abcd"


def test_nobody_waits_for_what_would_come_too_late() -> None:
    found = batcher()
    busy(found)
    come(found, "a", 6 * MS)  # a gap of 6 ms is beyond the delay
    found.finished()
    assert names(found.take(now_s=6 * MS)) == "a"


def test_waits_in_vain_end_soon() -> None:
    found = batcher()
    busy(found)
    come(found, "a", 1 * MS)
    found.finished()
    waited_s, now_s = 0.0, 1 * MS
    for turn in range(20):
        due_s = found.next_deadline_s(now_s=now_s)
        assert due_s is not None
        waited_s += due_s - now_s
        now_s = due_s
        assert len(found.take(now_s=now_s)) == 1
        found.finished()
        come(found, chr(ord("b") + turn), now_s)
    assert waited_s < 6 * 5 * MS
    assert found.next_deadline_s(now_s=now_s) == now_s


def test_nobody_waits_longer_than_a_run_takes() -> None:
    found = batcher()
    busy(found)
    come(found, "a", 1 * MS)  # a gap of 1 ms, so 4 ms of patience
    found.finished(run_s=2 * MS)
    assert found.next_deadline_s(now_s=1 * MS) == pytest.approx(3 * MS)
    assert names(found.take(now_s=3 * MS)) == "a"


def test_a_wait_too_short_for_timers_is_not_begun() -> None:
    found = batcher()
    busy(found)
    come(found, "a", WAIT_MIN_S / (PATIENCE + 1))
    found.finished()
    assert names(found.take(now_s=WAIT_MIN_S / (PATIENCE + 1))) == "a"


def test_a_short_deadline_shortens_the_wait() -> None:
    found = batcher()
    busy(found)
    found.arrived("a", key="k", rows=1, deadline_s=3 * MS, now_s=1 * MS)
    found.finished()
    assert found.next_deadline_s(now_s=1 * MS) == pytest.approx(2 * MS)


def test_what_does_not_fit_together_runs_apart_in_order() -> None:
    found = batcher()
    busy(found)
    come(found, "a", 0, key="k")
    come(found, "b", 0, key="other")
    come(found, "c", 0, key="k")
    come(found, "X", 0, key=None)
    come(found, "L", 0, key="k", rows=9)  # larger than a batch
    come(found, "d", 0, key="k")
    batches = []
    for _ in range(5):
        found.finished()
        batches.append(names(found.take(now_s=1)))
    assert batches == ["ac", "b", "X", "L", "d"]


def test_who_leaves_is_not_run_and_who_runs_can_not_leave() -> None:
    found = batcher()
    busy(found)
    come(found, "abc", 0)
    assert found.abandoned("b")
    assert not found.abandoned("b")
    found.finished()
    assert names(found.take(now_s=1)) == "ac"
    assert not found.abandoned("a")


def test_after_a_failure_each_runs_alone_before_anybody_else() -> None:
    found = batcher()
    busy(found)
    come(found, "abc", 0)
    found.finished(is_good=False)  # one alone is not run again
    assert names(found.take(now_s=1)) == "abc"
    come(found, "d", 1)
    found.finished(is_good=False)
    order = []
    for _ in range(4):
        assert found.next_deadline_s(now_s=2) == 2
        order.append(names(found.take(now_s=2)))
        found.finished(is_good=False)
    assert order == ["a", "b", "c", "d"]
    assert found.statistics().retried == 3
    assert found.statistics().queued == 0


@dataclass(frozen=True, kw_only=True)
class Coming:
    at: int
    rows: int
    key: str | None
    patience: int  # to its deadline
    leaves: int  # after so long, if it still waits


COMING = st.builds(
    Coming,
    at=st.integers(0, 20),
    rows=st.integers(0, 6),
    key=st.sampled_from(["k", "l", None]),
    patience=st.integers(1, 40),
    leaves=st.integers(1, 60),
)


class World:
    """Requests at given moments, a run of fixed length that fails now and then, and a log."""

    def __init__(self, coming: list[Coming], *, run: int, bad: set[int]) -> None:
        self.coming = coming
        self.found: Batcher[int] = Batcher(rows_max=4, delay_s=5)
        self.run = run
        self.bad = bad  # requests that make their batch fail
        self.now = 0.0
        self.started: list[tuple[float, tuple[Member[int], ...]]] = []
        self.answered: dict[int, bool] = {}
        self.gone: set[int] = set()
        self._ends: float | None = None
        self._batch: tuple[Member[int], ...] = ()

    def play(self) -> None:
        events = [(one.at, number, True) for number, one in enumerate(self.coming)]
        events += [(one.at + one.leaves, number, False) for number, one in enumerate(self.coming)]
        events.sort(key=lambda event: (event[0], not event[2], event[1]))
        for at, number, is_coming in events:
            self._until(at)
            if is_coming:
                one = self.coming[number]
                self.found.arrived(
                    number,
                    key=one.key,
                    rows=one.rows,
                    deadline_s=at + one.patience,
                    now_s=at,
                )
            elif self.found.abandoned(number):
                self.gone.add(number)
            self._take()
        self._until(10_000)

    def _until(self, end: float) -> None:
        while True:
            due = self._ends if self._ends is not None else self._wake()
            if due is None or due > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, due)
            if self._ends is not None:
                self._finish()
            self._take()

    def _wake(self) -> float | None:
        return self.found.next_deadline_s(now_s=self.now)

    def _take(self) -> None:
        batch = self.found.take(now_s=self.now) if self._ends is None else ()
        if batch:
            self.started.append((self.now, batch))
            self._batch, self._ends = batch, self.now + self.run

    def _finish(self) -> None:
        is_bad = any(member.token in self.bad for member in self._batch)
        if not is_bad or len(self._batch) == 1:
            for member in self._batch:
                assert member.token not in self.answered, "answered twice"
                self.answered[member.token] = not is_bad
        self._ends = None
        self.found.finished(is_good=not is_bad)


@settings(max_examples=300)
@given(st.lists(COMING, max_size=25), st.integers(0, 6), st.sets(st.integers(0, 24), max_size=4))
def test_everyone_is_answered_once_in_turn_within_the_limits(
    coming: list[Coming], run: int, bad: set[int]
) -> None:
    world = World(coming, run=run, bad=bad)
    world.play()
    everyone = set(range(len(coming)))
    assert world.answered.keys() | world.gone == everyone
    assert not world.answered.keys() & world.gone
    for number, is_good in world.answered.items():
        assert is_good == (number not in bad), "a bad request fails, and fails alone"
    last: dict[str | None, tuple[int, int]] = {}
    seen: set[int] = set()
    for _, batch in world.started:
        assert len(batch) == 1 or sum(member.rows for member in batch) <= 4
        assert len({member.key for member in batch}) == 1
        assert len(batch) == 1 or batch[0].key is not None
        for member in batch:
            assert member.rows == coming[member.token].rows
            if member.token not in seen:  # a retry comes out of turn, and before the others
                seen.add(member.token)
                turn = (coming[member.token].at, member.token)
                assert last.get(coming[member.token].key, (-1, -1)) < turn, "first come"
                last[coming[member.token].key] = turn
    assert world.found.statistics().queued == 0


@given(st.lists(COMING, max_size=25))
def test_nobody_waits_beyond_its_delay_while_nothing_runs(coming: list[Coming]) -> None:
    world = World(coming, run=0, bad=set())
    world.play()
    for started, batch in world.started:
        for member in batch:
            assert started <= member.close_s <= member.arrived_s + 5
            assert member.close_s <= member.arrived_s + coming[member.token].patience
