"""Who owns a Revision: found alike by all, moving little."""

from hypothesis import given
from hypothesis import strategies as st

from activator.ownership import eligible, owner_of
from activator.targets import RevisionKey

NAMES = st.sets(st.sampled_from([f"activator-{number}" for number in range(8)]), min_size=1)
KEYS = st.builds(RevisionKey, st.sampled_from(["default", "other"]), st.from_regex("r[0-9]{1,3}"))


@given(NAMES, KEYS, st.randoms())
def test_the_order_in_which_members_are_known_does_not_matter(members, key, rng) -> None:  # type: ignore[no-untyped-def]
    shuffled = sorted(members)
    rng.shuffle(shuffled)
    assert owner_of(key, shuffled) == owner_of(key, members) in members


@given(NAMES, KEYS, st.sampled_from(["new-1", "new-2"]))
def test_who_joins_takes_only_what_it_owns_then(members, key, new) -> None:  # type: ignore[no-untyped-def]
    assert owner_of(key, members | {new}) in {owner_of(key, members), new}


@given(NAMES, KEYS)
def test_who_leaves_moves_only_what_it_owned(members, key) -> None:  # type: ignore[no-untyped-def]
    for gone in members if len(members) > 1 else ():
        if owner_of(key, members) != gone:
            assert owner_of(key, members - {gone}) == owner_of(key, members)


def test_it_is_even() -> None:
    members = ["a", "b", "c", "d"]
    owners = [owner_of(RevisionKey("default", f"r-{number}"), members) for number in range(4000)]
    for member in members:
        assert 850 < owners.count(member) < 1150


def links(*pairs: str) -> dict[str, list[str]]:
    """Who reaches whom, as all of them say."""
    found: dict[str, list[str]] = {name: [] for pair in pairs for name in pair}
    for one, other in pairs:
        found[one].append(other)
        found[other].append(one)
    return found


def test_all_that_reach_all_are_eligible() -> None:
    for me in "abc":
        assert eligible(me, "abc", links("ab", "ac", "bc")) == ["a", "b", "c"]


def test_where_a_link_is_broken_those_whom_all_reach_own_everything() -> None:
    # a and c do not reach each other: all three find that b alone can serve everybody.
    said = links("ab", "bc")
    for me in "abc":
        heard = {name: said[name] for name in {me, *said[me]}}
        assert eligible(me, {*said[me], me}, heard) == ["b"]


def test_one_that_only_asks_must_reach_the_owner_too() -> None:
    # c is leaving, and reaches only b.
    said = links("ab", "bc")
    assert eligible("a", "ab", {"a": said["a"], "b": said["b"]}) == ["b"]
    assert eligible("c", "b", {"c": said["c"], "b": said["b"]}) == ["b"]


def test_where_nobody_is_reached_by_all_each_takes_those_it_reaches() -> None:
    square = links("ab", "bc", "cd", "da")
    heard = {name: square[name] for name in "abd"}
    assert eligible("a", "abd", heard) == ["a", "b", "d"]
    assert eligible("a", "abcd", heard) == ["a", "b", "d"]


def test_alone_one_owns_everything_even_one_that_leaves() -> None:
    assert eligible("a", ["a"], {"a": []}) == ["a"]
    assert eligible("a", [], {"a": []}) == ["a"]
    assert eligible("a", ["b"], {"a": ["b"], "b": ["a"]}) == ["b"]
