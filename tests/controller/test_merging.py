"""One PodSpec over another, as Kubernetes' strategic merge does it."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.merging import container, merged

VALUES = st.recursive(
    st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", max_size=1), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("name", "below", "over", "wanted"),
    [
        ("", {"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ("", {"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        (
            "env",
            [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            [{"name": "B", "valueFrom": {}}, {"name": "C", "value": "3"}],
            [
                {"name": "A", "value": "1"},
                {"name": "B", "valueFrom": {}},
                {"name": "C", "value": "3"},
            ],
        ),
        (
            "volumeMounts",
            [{"mountPath": "/a", "name": "x", "readOnly": True}],
            [{"mountPath": "/a", "name": "y"}],
            [{"mountPath": "/a", "name": "y", "readOnly": True}],
        ),
        (
            "volumes",
            [{"name": "x", "emptyDir": {}}],
            [{"name": "x", "configMap": {"name": "c"}}],
            [{"name": "x", "configMap": {"name": "c"}}],
        ),
        ("tolerations", [{"key": "a"}], [{"key": "b"}], [{"key": "b"}]),
        ("command", ["a"], ["b"], ["b"]),
        ("image", "a", "b", "b"),
    ],
)
def test_what_is_laid_over(name: str, below: Any, over: Any, wanted: Any) -> None:
    assert merged(below, over, name) == wanted


def test_arguments_are_added() -> None:
    assert container({"args": ["a"]}, {"args": ["b"]})["args"] == ["a", "b"]
    assert container({"args": ["a"]}, {}) == {"args": ["a"]}
    assert "args" not in container({}, {"image": "x"})


@given(st.dictionaries(st.text("xy", max_size=1), VALUES))
def test_nothing_over_it_leaves_it_as_it_is(below: dict[str, Any]) -> None:
    assert merged(below, {}) == below


@given(*[st.dictionaries(st.text("xy", max_size=1), VALUES)] * 2)
def test_neither_side_is_changed(below: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((below, over))
    once = merged(below, over)
    assert (below, over) == before
    assert merged(once, over) == once
