from typing import Any

import pytest

from embedded.schema_rules import causes

OBJECT: dict[str, Any] = {"type": "object"}


def with_x(part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": part}}


AT_X = "s.properties[x]"


@pytest.mark.parametrize(
    ("schema", "field", "words"),
    [
        ({}, "s.type", "must not be empty at the root"),
        ({"type": "array", "items": OBJECT}, "s.type", "must be object at the root"),
        (with_x({}), f"{AT_X}.type", "must not be empty for specified object fields"),
        (with_x({"type": "array", "items": {}}), f"{AT_X}.items.type", "specified array items"),
        (with_x({"type": "array"}), f"{AT_X}.items", "Required value: must be specified"),
        (with_x({"type": "array", "items": [OBJECT]}), f"{AT_X}.items", "and not an array"),
        (with_x({"type": "text"}), f"{AT_X}.type", "Unsupported value"),
        (with_x({"$ref": "#/a", "type": "object"}), f"{AT_X}.$ref", "is not supported"),
        (with_x({"type": "string", "colour": 1}), f"{AT_X}.colour", "unknown field"),
        (with_x({"type": "string", "pattern": "("}), f"{AT_X}.pattern", "regular expression"),
        (
            with_x({"type": "array", "items": OBJECT, "uniqueItems": True}),
            f"{AT_X}.uniqueItems",
            "Forbidden",
        ),
        (
            with_x({"type": "array", "items": OBJECT, "x-kubernetes-list-type": "map"}),
            f"{AT_X}.x-kubernetes-list-map-keys",
            "Required value",
        ),
        (
            with_x({"type": "integer", "default": "a"}),
            f"{AT_X}.default",
            "must be of type integer",
        ),
        (
            {"type": "object", "properties": {}, "additionalProperties": OBJECT}
            | {"properties": {"a": OBJECT}},
            "s.additionalProperties",
            "mutual exclusive",
        ),
    ],
)
def test_what_is_not_structural_is_named(schema: dict[str, Any], field: str, words: str) -> None:
    assert words in dict(causes(schema, "s"))[field]


@pytest.mark.parametrize(
    "part",
    [
        {"x-kubernetes-int-or-string": True},
        {"x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "integer", "default": 3, "minimum": 1},
        {"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "a"}]},
    ],
)
def test_what_is_structural_is_taken(part: dict[str, Any]) -> None:
    assert list(causes(with_x(part), "s")) == []
