import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded import patch
from embedded.patch import MalformedPatchError
from embedded.strategic import merge


@pytest.mark.parametrize(
    ("target", "change", "result"),
    [
        pytest.param({"a": 1}, {"a": None, "b": 2}, {"b": 2}, id="as merge patch"),
        pytest.param(
            {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]},
            {"containers": [{"name": "b", "image": "z"}]},
            {"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "z"}]},
            id="items by name",
        ),
        pytest.param(
            {"containers": [{"name": "a"}]},
            {"containers": [{"name": "b", "args": None}]},
            {"containers": [{"name": "a"}, {"name": "b"}]},
            id="new items at the end",
        ),
        pytest.param(
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"env": [{"name": "A", "$patch": "delete"}, {"name": "Z", "$patch": "delete"}]},
            {"env": [{"name": "B", "value": "2"}]},
            id="delete an item",
        ),
        pytest.param(
            {"env": [{"name": "A"}, {"name": "B"}]},
            {"env": [{"name": "C"}, {"$patch": "replace"}]},
            {"env": [{"name": "C"}]},
            id="replace a list",
        ),
        pytest.param(
            {"strategy": {"a": 1, "b": 2}},
            {"strategy": {"$patch": "replace", "c": 3}},
            {"strategy": {"c": 3}},
            id="replace a map",
        ),
        pytest.param(
            {"strategy": {"a": 1}, "b": 2},
            {"strategy": {"$patch": "delete"}},
            {"b": 2},
            id="delete a map",
        ),
        pytest.param(
            {"strategy": {"type": "x", "rollingUpdate": {}}},
            {"strategy": {"$retainKeys": ["type"], "type": "y"}},
            {"strategy": {"type": "y"}},
            id="retain keys",
        ),
        pytest.param(
            {"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}, id="plain lists are replaced"
        ),
        pytest.param(
            {"finalizers": ["a"]},
            {"finalizers": ["b", "a"]},
            {"finalizers": ["a", "b"]},
            id="sets are joined",
        ),
        pytest.param(
            {"finalizers": ["a", "b"]},
            {"$deleteFromPrimitiveList/finalizers": ["a"]},
            {"finalizers": ["b"]},
            id="sets are cut",
        ),
        pytest.param(
            {"containers": [{"name": "a"}, {"name": "b"}, {"name": "mine"}]},
            {
                "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                "containers": [{"name": "b", "image": "z"}],
            },
            {"containers": [{"name": "b", "image": "z"}, {"name": "a"}, {"name": "mine"}]},
            id="order",
        ),
        pytest.param(
            {"ports": [{"containerPort": 80, "name": "a"}]},
            {"ports": [{"containerPort": 80, "name": "b"}, {"containerPort": 81}]},
            {"ports": [{"containerPort": 80, "name": "b"}, {"containerPort": 81}]},
            id="ports by number",
        ),
    ],
)
def test_merge(target: Any, change: Any, result: Any) -> None:
    before = orjson.dumps(target)
    assert merge(target, change) == result
    assert orjson.dumps(target) == before


@pytest.mark.parametrize(
    "change",
    [
        {"containers": [{"image": "no name"}]},
        {"containers": ["text"]},
        {"$patch": "explode"},
        {"$unknown": 1},
    ],
)
def test_bad_directives_are_malformed(change: Any) -> None:
    with pytest.raises(MalformedPatchError):
        merge({"containers": [{"name": "a"}]}, change)


KEYS = st.sampled_from(["alpha", "beta", "gamma"])  # none of them a list with a merge key
VALUES = st.recursive(
    st.none() | st.integers(0, 3), lambda child: st.dictionaries(KEYS, child, max_size=3)
)


@given(VALUES, VALUES)
def test_without_lists_it_is_a_merge_patch(target: Any, change: Any) -> None:
    assert merge(target, change) == patch.merge(target, change)


ITEMS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcd"), "value": st.integers(0, 3)}),
    unique_by=lambda item: item["name"],
)


@given(ITEMS, ITEMS)
def test_a_list_by_name_is_a_map_in_disguise(old: list[Any], new: list[Any]) -> None:
    merged = merge({"env": old}, {"env": new})["env"]
    as_map = {item["name"]: item["value"] for item in (*old, *new)}
    assert {item["name"]: item["value"] for item in merged} == as_map
    assert len(merged) == len(as_map)


DIRECTIVES = st.sampled_from(
    [
        *("containers", "name", "env", "finalizers", "ports", "$patch", "$retainKeys"),
        *("$setElementOrder/env", "$deleteFromPrimitiveList/finalizers"),
        "$deleteFromPrimitiveList/env",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from(["a", "delete", "replace"]),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(DIRECTIVES, child, max_size=3),
    max_leaves=12,
)


@given(ANYTHING, ANYTHING)
def test_any_json_is_merged_or_refused(target: Any, change: Any) -> None:
    before = orjson.dumps(target)
    with contextlib.suppress(MalformedPatchError):
        merge(target, change)
    assert orjson.dumps(target) == before
