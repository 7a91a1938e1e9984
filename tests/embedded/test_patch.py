from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded import patch
from embedded.patch import MalformedPatchError, PatchError, apply_operations, merge

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]),
    lambda child: (
        st.lists(child, max_size=3) | st.dictionaries(st.sampled_from("abc/~"), child, max_size=3)
    ),
    max_leaves=12,
)


# Every example of RFC 7386, appendix A.
@pytest.mark.parametrize(
    ("target", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_is_rfc_7386(target: Any, change: Any, result: Any) -> None:
    before = orjson.dumps(target)
    assert merge(target, change) == result
    assert orjson.dumps(target) == before


@given(VALUES, VALUES)
def test_merging_twice_changes_nothing_more(target: Any, change: Any) -> None:
    once = merge(target, change)
    assert merge(once, change) == once


@given(st.dictionaries(st.sampled_from("abc"), VALUES), VALUES)
def test_merge_leaves_the_rest_as_it_is(target: dict[str, Any], change: Any) -> None:
    if isinstance(change, dict):
        result = merge(target, change)
        for key in target.keys() - change.keys():
            assert result[key] is target[key]


# The examples of RFC 6902, appendix A, by their number.
@pytest.mark.parametrize(
    ("target", "operations", "result"),
    [
        pytest.param(
            {"foo": "bar"},
            [{"op": "add", "path": "/baz", "value": "qux"}],
            {"baz": "qux", "foo": "bar"},
            id="A.1",
        ),
        pytest.param(
            {"foo": ["bar", "baz"]},
            [{"op": "add", "path": "/foo/1", "value": "qux"}],
            {"foo": ["bar", "qux", "baz"]},
            id="A.2",
        ),
        pytest.param(
            {"baz": "qux", "foo": "bar"},
            [{"op": "remove", "path": "/baz"}],
            {"foo": "bar"},
            id="A.3",
        ),
        pytest.param(
            {"foo": ["bar", "qux", "baz"]},
            [{"op": "remove", "path": "/foo/1"}],
            {"foo": ["bar", "baz"]},
            id="A.4",
        ),
        pytest.param(
            {"baz": "qux", "foo": "bar"},
            [{"op": "replace", "path": "/baz", "value": "boo"}],
            {"baz": "boo", "foo": "bar"},
            id="A.5",
        ),
        pytest.param(
            {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
            [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
            {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
            id="A.6",
        ),
        pytest.param(
            {"foo": ["all", "grass", "cows", "eat"]},
            [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
            {"foo": ["all", "cows", "eat", "grass"]},
            id="A.7",
        ),
        pytest.param(
            {"baz": "qux", "foo": ["a", 2, "c"]},
            [
                {"op": "test", "path": "/baz", "value": "qux"},
                {"op": "test", "path": "/foo/1", "value": 2},
            ],
            {"baz": "qux", "foo": ["a", 2, "c"]},
            id="A.8",
        ),
        pytest.param(
            {"foo": "bar"},
            [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
            {"foo": "bar", "child": {"grandchild": {}}},
            id="A.10",
        ),
        pytest.param(
            {"foo": "bar"},
            [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
            {"foo": "bar", "baz": "qux"},
            id="A.11",
        ),
        pytest.param(
            {"/": 9, "~1": 10},
            [{"op": "test", "path": "/~01", "value": 10}],
            {"/": 9, "~1": 10},
            id="A.14",
        ),
        pytest.param(
            {"foo": ["bar"]},
            [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
            {"foo": ["bar", ["abc", "def"]]},
            id="A.16",
        ),
        pytest.param({}, [{"op": "add", "path": "", "value": {"a": 1}}], {"a": 1}, id="whole"),
        pytest.param(
            {"a": [1]},
            [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/0", "value": 0}],
            {"a": [1], "b": [0, 1]},
            id="copy",
        ),
        pytest.param({"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}, id="empty"),
    ],
)
def test_operations_are_rfc_6902(target: Any, operations: Any, result: Any) -> None:
    before = orjson.dumps(target)
    assert apply_operations(target, operations) == result
    assert orjson.dumps(target) == before


@pytest.mark.parametrize(
    ("target", "operation", "words"),
    [
        pytest.param(
            {"baz": "qux"}, {"op": "test", "path": "/baz", "value": "bar"}, "failed", id="A.9"
        ),
        pytest.param(
            {"foo": "bar"},
            {"op": "add", "path": "/baz/bat", "value": "qux"},
            "does not exist",
            id="A.12",
        ),
        pytest.param(
            {"~1": 10}, {"op": "test", "path": "/~01", "value": "10"}, "failed", id="A.15"
        ),
        pytest.param({"a": True}, {"op": "test", "path": "/a", "value": 1}, "failed", id="bool"),
        pytest.param({"a": 1}, {"op": "remove", "path": "/b"}, "does not exist", id="absent"),
        pytest.param({"a": [1]}, {"op": "remove", "path": "/a/1"}, "no index", id="beyond"),
        pytest.param({"a": [1]}, {"op": "remove", "path": "/a/-"}, "no index", id="dash"),
        pytest.param({"a": [1]}, {"op": "remove", "path": "/a/00"}, "no index", id="zeros"),
        pytest.param({"a": [1]}, {"op": "add", "path": "/a/2", "value": 0}, "no index", id="far"),
        pytest.param({"a": 1}, {"op": "remove", "path": ""}, "whole object", id="everything"),
        pytest.param(
            {"a": {}}, {"op": "move", "from": "/a", "path": "/a/b"}, "into itself", id="inside"
        ),
        pytest.param(
            {"a": [1]},
            {"op": "remove", "path": "/a/" + "9" * 5000},
            "no index",
            id="a number that would take seconds to read",
        ),
    ],
)
def test_operations_that_do_not_fit_are_refused(target: Any, operation: Any, words: str) -> None:
    with pytest.raises(PatchError, match=words) as refused:
        apply_operations(target, [operation])
    assert not isinstance(refused.value, MalformedPatchError)


@pytest.mark.parametrize(
    "operations",
    [
        {},
        "text",
        [1],
        [{}],
        [{"op": "spin", "path": "/a"}],
        [{"op": ["add"], "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "value": 1}],
        [{"op": "copy", "path": "/a"}],
        [{"op": "test", "path": "/a", "value": 1}] * 10_001,
    ],
    ids=lambda each: str(each)[:40],
)
def test_what_is_no_patch_is_malformed(operations: Any) -> None:
    with pytest.raises(MalformedPatchError):
        apply_operations({"a": 1}, operations)


def test_copies_cannot_double_without_end() -> None:
    doubling = [
        {"op": "copy", "from": "/a", "path": "/a/b"},
        {"op": "copy", "from": "/a", "path": "/a/c"},
    ]
    with pytest.raises(PatchError, match="copies more than"):
        apply_operations({"a": {"x": "y" * 1000}}, doubling * 30)


@given(VALUES, VALUES)
def test_a_failed_test_leaves_no_trace(target: Any, other: Any) -> None:
    before = orjson.dumps(target)
    operations = [
        {"op": "add", "path": "", "value": other},
        {"op": "test", "path": "", "value": {"never": "there"}},
    ]
    with pytest.raises(PatchError):
        apply_operations(target, operations)
    assert orjson.dumps(target) == before


@given(VALUES, VALUES)
def test_add_then_test_agrees(target: Any, value: Any) -> None:
    operations = [
        {"op": "add", "path": "", "value": {"at": target}},
        {"op": "add", "path": "/at", "value": value},
        {"op": "test", "path": "/at", "value": value},
    ]
    assert apply_operations(None, operations) == {"at": value}


@given(st.lists(st.text(st.sampled_from("ab/~"), max_size=3), min_size=1, max_size=4))
def test_pointers_reach_any_key(steps: list[str]) -> None:
    target: Any = 7
    for step in reversed(steps):
        target = {step: target}
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    assert apply_operations(target, [{"op": "test", "path": pointer, "value": 7}]) == target
    assert patch._text(("", *steps)) == pointer
