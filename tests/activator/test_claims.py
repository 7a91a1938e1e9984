"""Who owns a name that several want."""

from hypothesis import given
from hypothesis import strategies as st

from activator.claims import Claims, Owner


def test_the_oldest_has_it_and_the_next_after_it() -> None:
    claims: Claims[str] = Claims()
    claims.put(Owner("2", "n", "late"), {b"x": "late"})
    claims.put(Owner("1", "n", "early"), {b"x": "early", b"y": "early"})
    assert claims.get(b"x") == "early"
    claims.drop("n", "early")
    assert claims.get(b"x") == "late"
    assert claims.get(b"y") is None
    assert claims.names() == [b"x"]


def test_a_second_word_takes_the_place_of_the_first() -> None:
    claims: Claims[str] = Claims()
    claims.put(Owner("1", "n", "a"), {b"x": "old"})
    claims.put(Owner("2", "n", "a"), {b"y": "new"})  # another object of that name
    assert (claims.get(b"x"), claims.get(b"y")) == (None, "new")


STEPS = st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sets(st.sampled_from([b"x", b"y"])))


@given(st.lists(STEPS))
def test_as_a_slow_obvious_table(steps: list) -> None:
    claims: Claims[str] = Claims()
    slow: dict[str, tuple[Owner, set[bytes]]] = {}
    for created, name, names in steps:
        if created:
            owner = Owner(str(created), "n", name)
            claims.put(owner, dict.fromkeys(names, name))
            slow[name] = owner, names
        else:
            claims.drop("n", name)
            slow.pop(name, None)
        for wanted in (b"x", b"y"):
            owners = [owner for owner, names in slow.values() if wanted in names]
            assert claims.get(wanted) == (min(owners).name if owners else None)
