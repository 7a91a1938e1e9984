from typing import Any

import pytest

from embedded.validation import causes

X = "spec.x"


@pytest.mark.parametrize(
    ("schema", "value", "wanted"),
    [
        (
            {"type": "integer"},
            "a",
            f'Invalid value: "string": {X} in body must be of type integer: "string"',
        ),
        (
            {"type": "string"},
            1,
            f'Invalid value: "integer": {X} in body must be of type string: "integer"',
        ),
        (
            {"type": "object"},
            [],
            f'Invalid value: "array": {X} in body must be of type object: "array"',
        ),
        (
            {"type": "string"},
            None,
            f'Invalid value: "null": {X} in body must be of type string: "null"',
        ),
        (
            {"type": "boolean"},
            1,
            f'Invalid value: "integer": {X} in body must be of type boolean: "integer"',
        ),
        (
            {"type": "string", "enum": ["a", "b"]},
            "c",
            'Unsupported value: "c": supported values: "a", "b"',
        ),
        (
            {"type": "integer", "minimum": 1},
            0,
            f"Invalid value: 0: {X} in body should be greater than or equal to 1",
        ),
        (
            {"type": "integer", "maximum": 1},
            2,
            f"Invalid value: 2: {X} in body should be less than or equal to 1",
        ),
        (
            {"type": "number", "minimum": 1, "exclusiveMinimum": True},
            1,
            f"Invalid value: 1: {X} in body should be greater than 1",
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": True},
            1,
            f"Invalid value: 1: {X} in body should be less than 1",
        ),
        (
            {"type": "integer", "multipleOf": 5},
            7,
            f"Invalid value: 7: {X} in body should be a multiple of 5",
        ),
        (
            {"type": "integer", "format": "int32"},
            1 << 31,
            f'Invalid value: 2147483648: {X} in body must be of type int32: "2147483648"',
        ),
        (
            {"type": "string", "pattern": "^a+$"},
            "b",
            f"Invalid value: \"b\": {X} in body should match '^a+$'",
        ),
        (
            {"type": "string", "minLength": 2},
            "b",
            f'Invalid value: "b": {X} in body should be at least 2 chars long',
        ),
        ({"type": "string", "maxLength": 2}, "bbb", "Too long: may not be more than 2 bytes"),
        (
            {"type": "string", "format": "date-time"},
            "b",
            f'Invalid value: "b": {X} in body must be of type date-time: "b"',
        ),
        ({"type": "array", "maxItems": 1}, [1, 2], "Too many: 2: must have at most 1 items"),
        (
            {"type": "array", "minItems": 1},
            [],
            f"Invalid value: 0: {X} in body should have at least 1 items",
        ),
        (
            {"type": "object", "maxProperties": 0},
            {"a": 1},
            "Too many: 1: must have at most 0 items",
        ),
        (
            {"type": "object", "minProperties": 1},
            {},
            f"Invalid value: 0: {X} in body should have at least 1 properties",
        ),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            f'Invalid value: "number": {X} in body must be of type integer,string: "number"',
        ),
    ],
)
def test_texts_are_those_of_kubernetes(schema: dict[str, Any], value: Any, wanted: str) -> None:
    assert list(causes(schema, value, X)) == [(X, wanted)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 3),
        ({"type": "integer"}, 3.0),
        ({"type": "number"}, 3),
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-int-or-string": True}, "http"),
        ({"x-kubernetes-int-or-string": True}, 80),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"any": ["thing"]}),
        ({"type": "string", "format": "no-such-format"}, "b"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": "b"}),
        ({"type": "string", "anyOf": [{"minLength": 5}, {"pattern": "^a"}]}, "ab"),
    ],
)
def test_what_is_right_is_right(schema: dict[str, Any], value: Any) -> None:
    assert list(causes(schema, value, X)) == []


def test_paths_lead_to_the_value() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"l": {"type": "array", "items": {"type": "integer"}}},
        "additionalProperties": {"type": "boolean"},
    }
    found = dict(causes(schema, {"l": [1, "b"], "m": 1}, X))
    assert found.keys() == {f"{X}.a", f"{X}.l[1]", f"{X}.m"}
    assert found[f"{X}.a"] == "Required value"


def test_sets_and_maps_hold_each_thing_once() -> None:
    items = {"type": "string"}
    unique = {"type": "array", "items": items, "x-kubernetes-list-type": "set"}
    assert list(causes(unique, ["a", "b", "a"], X)) == [(f"{X}[2]", 'Duplicate value: "a"')]
    keyed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    value = [{"name": "a", "v": 1}, {"name": "a", "v": 2}]
    assert list(causes(keyed, value, X)) == [(f"{X}[1]", 'Duplicate value: {"name":"a"}')]


@pytest.mark.parametrize(
    ("word", "parts", "told"),
    [
        ("oneOf", [{"required": ["a"]}, {"required": ["b"]}], "Found none valid"),
        ("anyOf", [{"required": ["a"]}, {"required": ["b"]}], "at least one schema (anyOf)"),
        ("allOf", [{"required": ["a"]}], "all the schemas (allOf)"),
    ],
)
def test_combinations_name_the_whole_and_what_is_nearest(
    word: str, parts: list[Any], told: str
) -> None:
    found = list(causes({"type": "object", word: parts}, {}, X))
    assert found[0][0] == "<nil>"
    assert told in found[0][1]
    assert found[1] == (f"{X}.a", "Required value")


def test_not_and_more_than_one() -> None:
    (_, told), *_ = causes({"not": {"type": "string"}}, "a", X)
    assert "must not validate the schema (not)" in told
    both = {"oneOf": [{"minLength": 1}, {"maxLength": 9}]}
    (_, told), *_ = causes(both, "a", X)
    assert "Found 2 valid alternatives" in told


def test_an_object_inside_says_what_it_is() -> None:
    schema = {"type": "object", "x-kubernetes-embedded-resource": True}
    found = list(causes(schema, {"kind": "Pod"}, "spec.pod"))
    assert found == [("spec.pod.apiVersion", "Required value: must not be empty")]
