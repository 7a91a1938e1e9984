from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.differences import LINES_MAX, between

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
)


def test_what_changed_came_and_went() -> None:
    old = {"image": "a", "env": [{"name": "X"}], "gone": 1}
    new = {"image": "b", "env": [{"name": "X"}, {"name": "Y"}]}
    assert between(old, new, "spec") == (
        'spec.env[1]:\n\t+: {"name": "Y"}\nspec.gone:\n\t-: 1\nspec.image:\n\t-: "a"\n\t+: "b"'
    )


def test_a_number_is_not_a_boolean() -> None:
    assert between(1, True, "x") == "x:\n\t-: 1\n\t+: true"


def test_many_differences_are_counted() -> None:
    found = between({}, {f"k{index}": 0 for index in range(LINES_MAX + 5)}, "x")
    assert found.endswith("\n... and 5 more")
    assert found.count("+:") == LINES_MAX


@given(json_values)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert between(value, value, "x") == ""


@given(json_values, json_values)
def test_unequal_values_differ(one: Any, other: Any) -> None:
    if one != other:
        assert between(one, other, "x")
