from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.fieldsets import DEPTH_MAX, difference, intersection, is_fieldset, paths, union

STEPS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0"])
PATHS = st.sets(st.lists(STEPS, min_size=1, max_size=4).map(tuple), max_size=12)


def tree(members: set[tuple[str, ...]]) -> dict[str, Any]:
    """The slow way to a set: put in one path after another."""
    root: dict[str, Any] = {}
    for path in members:
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return _folded(root)


def _folded(node: dict[str, Any]) -> dict[str, Any]:
    if node.keys() == {"."}:
        return {}
    return {step: {} if step == "." else _folded(below) for step, below in node.items()}


@given(PATHS, PATHS)
def test_they_are_sets_of_paths(one: set[Any], other: set[Any]) -> None:
    left, right = tree(one), tree(other)
    assert union(left, right) == tree(one | other)
    assert difference(left, right) == tree(one - other)
    assert intersection(left, right) == tree(one & other)
    assert (left, right) == (tree(one), tree(other)), "an operand changed"
    assert len(list(paths(left))) == len(one)
    assert is_fieldset(left)


def test_paths_are_written_as_kubernetes_writes_them() -> None:
    below = {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:name": {}}}
    found = paths({"f:spec": {"f:ports": below, "f:set": {'v:"x"': {}, "i:0": {}}}})
    assert list(found) == [
        '.spec.ports[containerPort=80,protocol="TCP"]',
        '.spec.ports[containerPort=80,protocol="TCP"].name',
        ".spec.set[0]",
        '.spec.set[="x"]',
    ]


def deep() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for _ in range(DEPTH_MAX + 2):
        root = {"f:a": root}
    return root


@pytest.mark.parametrize(
    "raw", [None, [], "x", {"a": {}}, {"f:a": None}, {".": {}}, {"f:a": {".": 1}}, deep()]
)
def test_what_is_no_set_is_told_apart(raw: Any) -> None:
    assert not is_fieldset(raw)
