from typing import Any

import pytest

from embedded.structural import defaulted, pruned

SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "default": "x"},
        "n": {"type": "integer", "nullable": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "map": {
            "type": "object",
            "additionalProperties": {"type": "object", "properties": {"b": {"type": "string"}}},
        },
        "list": {
            "type": "array",
            "items": {"type": "object", "properties": {"c": {"type": "integer", "default": 1}}},
        },
        "whole": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object"}},
        },
    },
}
SCHEMA = {"type": "object", "properties": {"spec": SPEC}}


def test_unknown_fields_go_and_are_named() -> None:
    obj = {
        "apiVersion": "v",
        "kind": "K",
        "metadata": {"name": "x"},
        "more": 1,
        "spec": {
            "z": 1,
            "free": {"anything": {"at": "all"}},
            "map": {"k": {"b": "1", "y": 2}},
            "list": [{"c": 1}, {"d": 2}],
            "whole": {
                "apiVersion": "v",
                "kind": "K",
                "metadata": {"a": 1, "name": "y"},
                "status": 1,
            },
        },
    }
    kept, unknown = pruned(SCHEMA, obj)
    assert unknown == [
        *("more", "spec.z", "spec.map.k.y", "spec.list[1].d"),
        *("spec.whole.metadata.a", "spec.whole.status"),
    ]
    assert kept == {
        "apiVersion": "v",
        "kind": "K",
        "metadata": {"name": "x"},
        "spec": {
            "free": {"anything": {"at": "all"}},
            "map": {"k": {"b": "1"}},
            "list": [{"c": 1}, {}],
            "whole": {"apiVersion": "v", "kind": "K", "metadata": {"name": "y"}},
        },
    }


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, {"a": "x"}),
        ({"a": "y"}, {"a": "y"}),
        ({"a": None}, {"a": "x"}),
        ({"n": None}, {"n": None, "a": "x"}),
        ({"map": None}, {"a": "x"}),
        ({"list": [{}, {"c": 2}]}, {"list": [{"c": 1}, {"c": 2}], "a": "x"}),
    ],
)
def test_defaults_are_filled_in_and_nulls_that_may_not_be_go(
    spec: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert defaulted(SPEC, spec) == wanted


def test_a_default_is_not_shared_between_objects() -> None:
    schema = {"type": "object", "properties": {"l": {"type": "array", "default": [1]}}}
    first = defaulted(schema, {})
    first["l"].append(2)
    assert defaulted(schema, {}) == {"l": [1]}
