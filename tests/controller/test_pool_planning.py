from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.pool_planning import (
    CALM,
    CLAIM_MAX_S,
    POOLS_MAX,
    Observed,
    Plan,
    Seen,
    SizeError,
    Trouble,
    chosen,
    plan,
    read_size,
)

NOW_S = 1000.0


def pod(name: str, pool: str = "p", **more: Any) -> Seen:
    return Seen(**{"name": name, "uid": f"u-{name}", "version": "1", "pool": pool, **more})


def planned(*pods: Seen, trouble: Trouble = CALM, now_s: float = NOW_S, **pools: int) -> Plan:
    return plan(Observed(pools=pools, pods=pods, troubles={"p": trouble}, now_s=now_s))


def names(found: Plan) -> list[str]:
    return [each.name for each in found.deletes]


def test_what_is_missing_is_made() -> None:
    assert planned(p=2).creates == {"p": 2}
    assert planned(pod("a"), p=2).creates == {"p": 1}
    assert not planned(pod("a"), pod("b"), p=2).creates


def test_a_pod_that_was_made_and_not_seen_yet_counts() -> None:
    made = pod("a", uid="")
    found = planned(made, p=1)
    assert not found.creates
    assert not found.deletes


def test_of_too_many_those_that_are_not_warm_go_first() -> None:
    found = planned(pod("a", is_ready=True), pod("b"), pod("c", is_ready=True), p=1)
    assert names(found) == ["b", "a"]


def test_a_pool_that_no_revision_needs_is_deleted() -> None:
    found = planned(pod("a", pool="old", is_ready=True), pod("b", is_ready=True), p=1)
    assert names(found) == ["a"]


def test_a_pod_that_left_its_pool_and_was_not_claimed_is_deleted() -> None:
    assert names(planned(pod("a", pool=""), p=0)) == ["a"]


def test_one_that_ended_is_deleted_and_counted_and_not_replaced_at_once() -> None:
    found = planned(pod("a", is_over=True), p=1)
    assert names(found) == ["a"]
    assert found.failed == {"p"}
    assert not found.creates


def test_after_failures_one_is_tried_when_it_is_time() -> None:
    trouble = Trouble(count=3, until_s=NOW_S + 5)
    waiting = planned(trouble=trouble, p=4)
    assert not waiting.creates
    assert waiting.again_s == 5
    assert planned(trouble=trouble, now_s=NOW_S + 5, p=4).creates == {"p": 1}


def test_a_warm_pod_ends_the_trouble() -> None:
    assert planned(pod("a", is_ready=True), p=1).calm == {"p"}


def test_trouble_doubles_up_to_a_bound() -> None:
    trouble = CALM
    waits = []
    for _ in range(12):
        trouble = trouble.after(now_s=NOW_S)
        waits.append(trouble.until_s - NOW_S)
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == 300


@pytest.mark.parametrize("more", [{}, {"is_over": True}, {"is_over": True, "is_adopted": True}])
def test_a_claimed_pod_that_is_nobodys_is_deleted_after_a_while(more: dict[str, Any]) -> None:
    claimed = pod("a", pool="", claimed_s=NOW_S - 1, **more)
    early = planned(claimed, p=0)
    assert not early.deletes
    assert early.again_s == CLAIM_MAX_S - 1
    assert names(planned(claimed, now_s=NOW_S + CLAIM_MAX_S, p=0)) == ["a"]


def test_a_claimed_pod_that_serves_is_left_alone() -> None:
    claimed = pod("a", pool="", claimed_s=0.0, is_adopted=True, is_ready=True)
    found = planned(claimed, p=1)
    assert not found.deletes
    assert found.again_s is None
    assert found.creates == {"p": 1}  # its place is refilled


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("pqr")), max_size=12),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_there_are_never_more_than_wanted_and_it_settles(
    given_pods: list[tuple[bool, bool, str]], first: int, second: int
) -> None:
    sizes = {"p": first, "q": second}
    pods = [
        pod(str(number), pool, is_ready=is_ready, is_over=is_over)
        for number, (is_ready, is_over, pool) in enumerate(given_pods)
    ]
    for turn in range(3):
        found = plan(Observed(pools=sizes, pods=pods, troubles={}, now_s=NOW_S))
        gone = set(names(found))
        pods = [each for each in pods if each.name not in gone]
        for name, count in found.creates.items():
            pods += [pod(f"{turn}-{name}-{number}", name) for number in range(count)]
        counts = {name: sum(each.pool == name for each in pods) for name in "pqr"}
        assert all(counts[name] <= sizes.get(name, 0) for name in counts)
    assert counts == {**sizes, "r": 0}


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("3", 3), ("100", 100), ("auto", "auto")])
def test_a_size_is_read(text: str, size: object) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["-1", "101", "1.5", "many", " 1", "٣", "9" * 5000])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(SizeError, match="expected 0 to 100, or auto"):
        read_size(text)


def test_the_pools_of_the_most_revisions_are_kept() -> None:
    classes = {f"c{number:02}": number % 3 for number in range(POOLS_MAX + 5)}
    kept = chosen(classes)
    assert len(kept) == POOLS_MAX
    assert min(classes[each] for each in kept) >= max(
        count for each, count in classes.items() if each not in kept
    )
