"""JSON patches that are made, against one that applies them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.webhook_patch import between
from embedded.patch import apply_operations

KEYS = st.sampled_from(["a", "b/c", "~", "", "m~1n"])
LEAVES = st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from([0.0, 1.0, "", "x"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


def typed(value: Any) -> Any:
    """The value so that true, 1 and 1.0 are three things."""
    if isinstance(value, dict):
        return {name: typed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    return type(value).__name__, value


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(KEYS, VALUES, max_size=4))
def test_applied_to_the_old_it_makes_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = copy.deepcopy(old)
    patch = between(old, new)
    assert typed(apply_operations(old, patch)) == typed(new)
    assert old == before
    assert (patch == []) == (typed(old) == typed(new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": {"x": 1}}, {"a": {"x": 1}}, []),
        ({}, {"a/b": 1}, [{"op": "add", "path": "/a~1b", "value": 1}]),
        ({"a": 1}, {}, [{"op": "remove", "path": "/a"}]),
        ({"a": True}, {"a": 1}, [{"op": "replace", "path": "/a", "value": 1}]),
        (
            {"a": [{"n": 1}, {"n": 2}]},
            {"a": [{"n": 1}, {"n": 2, "m": 3}]},
            [{"op": "add", "path": "/a/1/m", "value": 3}],
        ),
        ({"a": [1]}, {"a": [1, 2]}, [{"op": "replace", "path": "/a", "value": [1, 2]}]),
    ],
)
def test_it_says_no_more_than_it_must(old: Any, new: Any, expected: Any) -> None:
    assert between(old, new) == expected
