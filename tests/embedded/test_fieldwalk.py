from typing import Any

import pytest

from embedded.fieldwalk import ShapeError, all_of, compare, fields_of, merged, pruned
from embedded.structure import shape_of

_KEYED = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
SHAPE = shape_of(
    {
        "properties": {
            "items": {"type": "array", **_KEYED},
            "set": {"type": "array", "x-kubernetes-list-type": "set"},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "x": {"type": "integer"},
        }
    },
    is_built_in=False,
)


def test_fields_are_leaves_items_and_whole_values() -> None:
    raw = {
        "items": [{"n": "a", "v": 1}],
        "set": ["p"],
        "whole": {"a": 1},
        "labels": {"l": "1"},
        "x": None,
    }
    assert fields_of(raw, SHAPE) == {
        "f:items": {'k:{"n":"a"}': {".": {}, "f:n": {}, "f:v": {}}},
        "f:set": {'v:"p"': {}},
        "f:whole": {},
        "f:labels": {"f:l": {}},
        "f:x": {},
    }
    assert all_of({"labels": {"l": "1"}}, SHAPE) == {"f:labels": {".": {}, "f:l": {}}}


@pytest.mark.parametrize(
    ("items", "words"), [([{}], 'omits key field "n"'), ([{"n": 1}, {"n": 1}], "duplicate")]
)
def test_items_must_be_told_apart(items: list[Any], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        fields_of({"items": items}, SHAPE)


@pytest.mark.parametrize(
    ("old", "new", "touched", "removed"),
    [
        ({"x": 1}, {"x": 1}, {}, {}),
        ({"x": 1}, {"x": 2}, {"f:x": {}}, {}),
        ({"x": 1}, {}, {}, {"f:x": {}}),
        ({}, {"labels": {"a": "1"}}, {"f:labels": {".": {}, "f:a": {}}}, {}),
        ({"labels": {"a": "1"}}, {"labels": {}}, {}, {"f:labels": {"f:a": {}}}),
        ({"set": [1, 2]}, {"set": [2, 3]}, {"f:set": {"v:3": {}}}, {"f:set": {"v:1": {}}}),
        ({"set": [1, 1]}, {"set": [1]}, {"f:set": {".": {}, "v:1": {}}}, {}),
        ({"whole": {"a": 1}}, {"whole": {"a": 2}}, {"f:whole": {}}, {}),
        ({"labels": {"a": "1"}}, {"labels": "no"}, {"f:labels": {}}, {"f:labels": {"f:a": {}}}),
        (
            {"items": [{"n": "a"}, {"n": "b", "v": 1}]},
            {"items": [{"n": "b", "v": 2}, {"n": "a"}]},
            {"f:items": {'k:{"n":"b"}': {"f:v": {}}}},
            {},
        ),
    ],
)
def test_differences_are_found_part_by_part(old: Any, new: Any, touched: Any, removed: Any) -> None:
    found = compare(old, new, SHAPE)
    assert (found.touched, found.removed) == (touched, removed)


def test_merging_keeps_what_is_not_spoken_of() -> None:
    live = {"items": [{"n": "a", "v": 1}, {"n": "b"}, {"n": "c"}], "set": [1], "x": 1}
    applied = {"items": [{"n": "c", "v": 9}, {"n": "new"}, {"n": "a", "w": 2}], "set": [2]}
    result = merged(live, applied, SHAPE)
    assert result == {
        "items": [{"n": "c", "v": 9}, {"n": "new"}, {"n": "a", "v": 1, "w": 2}, {"n": "b"}],
        "set": [1, 2],
        "x": 1,
    }
    assert merged(result, applied, SHAPE) == result
    assert live["items"][0] == {"n": "a", "v": 1}
    assert merged({"whole": {"a": 1}}, {"whole": {"b": 1}}, SHAPE) == {"whole": {"b": 1}}


def test_pruning_takes_what_nobody_keeps() -> None:
    live = {"items": [{"n": "a", "v": 1, "w": 1}, {"n": "b"}], "labels": {"l": "1"}, "x": 1}
    gone = fields_of({"items": [{"n": "a", "v": 1}, {"n": "b"}], "labels": {"l": "1"}}, SHAPE)
    kept = {"f:items": {'k:{"n":"a"}': {"f:w": {}}}}
    assert pruned(live, SHAPE, gone, kept) == {"items": [{"w": 1}], "x": 1}
