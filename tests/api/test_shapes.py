from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import openapi, shapes
from api.errors import InvalidObjectError
from api.fields import Faults
from api.shapes import Refusal

SCHEMA = openapi.record(
    "R.",
    {
        "name": openapi.text("N."),
        "mode": openapi.text("M.", enum=("x", "y")),
        "short": openapi.text("S.", enum=("x",)),
        "count": openapi.integer("C.", minimum=1, maximum=9),
        "low": openapi.integer("L.", minimum=0),
        "is": openapi.boolean("B."),
        "port": openapi.port("P."),
        "size": openapi.quantity("Q."),
        "texts": openapi.array("T.", openapi.STRING),
        "map": openapi.mapping("M.", openapi.STRING),
        "parts": openapi.array("P.", openapi.record("O.", {"a": openapi.text("A.")})),
    },
)
REFUSED = {
    "": {
        "never": (Refusal(details="why not"), Refusal(message="no never in {name}")),
        "flag": (Refusal(is_false_absent=True),),
    },
    "parts[]": {"b": (Refusal(),)},
}
SHAPE = shapes.compiled(SCHEMA, REFUSED, terse=frozenset({"short"}))


def read(raw: Any) -> Any:
    faults = Faults()
    found = shapes.read(raw, SHAPE, "spec", faults)
    faults.raise_any()
    return found


def test_what_is_right_is_left_as_it_is() -> None:
    raw = {
        "name": "",
        "mode": "y",
        "count": 9,
        "is": False,
        "port": "http",
        "size": 1.5,
        "texts": ["a", ""],
        "map": {"k": "v"},
        "parts": [{}, {"a": "b"}],
    }
    assert read(raw) == {**raw, "size": "1.5"}


def test_null_is_absent_and_nothing_says_nothing() -> None:
    assert read({"name": None, "unheard": None, "never": [], "flag": False}) == {}
    assert read({"flag": 0, "never": ""}) == {}
    with pytest.raises(InvalidObjectError, match=r"spec\.never"):
        read({"never": {}})  # an empty object turns something on


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (1, "invalid value: 1: spec\nmust be an object"),
        ({"name": 1}, "invalid value: 1: spec.name\nmust be a string"),
        ({"mode": "z"}, "invalid value: z: spec.mode\nmust be one of: x, y"),
        ({"short": "z"}, "invalid value: z: spec.short"),
        ({"count": 0}, "expected 1 <= 0 <= 9: spec.count"),
        ({"low": -1}, f"expected 0 <= -1 <= {2**63 - 1}: spec.low"),
        ({"count": True}, "invalid value: true: spec.count\nmust be an integer"),
        ({"is": 0}, "invalid value: 0: spec.is\nmust be a boolean"),
        ({"port": 1.5}, "invalid value: 1.5: spec.port\nmust be a number or a name"),
        ({"size": "-1"}, "invalid value: -1: spec.size\nmust be greater than or equal to 0"),
        ({"texts": "a"}, "invalid value: a: spec.texts\nmust be a list of strings"),
        ({"texts": [None]}, "invalid value: null: spec.texts[0]\nmust be a string"),
        ({"map": []}, "invalid value: [...]: spec.map\nmust be an object"),
        ({"map": {"k": 1}}, "invalid value: 1: spec.map.k\nmust be a string"),
        ({"parts": [{}, 1]}, "invalid value: 1: spec.parts[1]\nmust be an object"),
        ({"parts": [{"b": 1}]}, "must not set the field(s): spec.parts[0].b"),
        ({"unheard": 1}, "unknown field: spec.unheard"),
        ({"flag": True}, "must not set the field(s): spec.flag"),
        (
            {"never": 1, "name": "me"},
            "must not set the field(s): spec.never\nwhy not\nno never in me: spec.never",
        ),
    ],
)
def test_what_is_wrong_is_named(raw: Any, expected: str, refused: Callable[..., str]) -> None:
    assert refused(read, raw) == expected


def test_a_required_field() -> None:
    schema = openapi.record("R.", {"a": openapi.text("A.")}, required=("a",))
    shape = shapes.compiled(schema, {})
    for raw in ({}, {"a": ""}, {"a": None}):
        faults = Faults()
        shapes.read(raw, shape, "spec", faults)
        with pytest.raises(InvalidObjectError, match=r"missing field\(s\): spec\.a"):
            faults.raise_any()


def test_every_path_is_walked() -> None:
    found = dict(shapes.walk(SHAPE, "spec"))
    assert found["spec.parts[].a"] == ()
    assert found["spec.parts[].b"] == REFUSED["parts[]"]["b"]
    assert found["spec.never"] == REFUSED[""]["never"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "never", "x"]), inner)
    ),
    max_leaves=8,
)


@given(json_values)
def test_any_json_is_read_or_refused(raw: Any) -> None:
    faults = Faults()
    shapes.read(raw, SHAPE, "spec", faults)
