from collections.abc import Callable
from typing import Any

import pytest

from api.errors import InvalidObjectError
from api.fields import Faults, Fields


def faults_of(read: Callable[[Fields], object], raw: Any) -> str:
    faults = Faults()
    read(Fields(raw, "spec", faults))
    try:
        faults.raise_any()
    except InvalidObjectError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda f: f.text("x"), 1, "invalid value: 1: spec.x\nmust be a string"),
        (lambda f: f.text("x"), True, "invalid value: true: spec.x\nmust be a string"),
        (lambda f: f.integer("x"), "1", "invalid value: 1: spec.x\nmust be an integer"),
        (lambda f: f.integer("x"), 1.0, "invalid value: 1.0: spec.x\nmust be an integer"),
        (lambda f: f.integer("x"), True, "invalid value: true: spec.x\nmust be an integer"),
        (lambda f: f.integer("x"), 2**63, f"invalid value: {2**63}: spec.x\nmust be an integer"),
        (lambda f: f.boolean("x"), 0, "invalid value: 0: spec.x\nmust be a boolean"),
        (lambda f: f.raw("x"), [1], "invalid value: [...]: spec.x\nmust be an object"),
        (lambda f: f.child("x"), "a", "invalid value: a: spec.x\nmust be an object"),
        (
            lambda f: f.texts("x"),
            {"a": 1},
            "invalid value: {...}: spec.x\nmust be a list of strings",
        ),
        (lambda f: f.texts("x"), ["a", None], "invalid value: null: spec.x[1]\nmust be a string"),
        (lambda f: f.children("x"), 1, "invalid value: 1: spec.x\nmust be a list of objects"),
        (lambda f: f.children("x"), [{}, 1], "invalid value: 1: spec.x[1]\nmust be an object"),
        (lambda f: f.string_map("x"), {"a": 1}, "invalid value: 1: spec.x.a\nmust be a string"),
    ],
)
def test_a_wrong_type_is_named_by_path(
    read: Callable[[Fields], object], value: object, expected: str
) -> None:
    assert faults_of(read, {"x": value}) == expected


def test_null_and_absent_are_one() -> None:
    def read(source: Fields) -> None:
        assert source.text("x") == ""
        assert source.integer("x") is None
        assert source.boolean("x") is None
        assert source.texts("x") == ()
        assert source.children("x") == []
        assert source.string_map("x") == {}
        assert not source.child("x").has("y")
        assert not source.has("x")

    assert faults_of(read, {"x": None}) == ""
    assert faults_of(read, {}) == ""
    assert faults_of(read, None) == ""


def test_fields_nobody_asked_for_are_refused_by_reason() -> None:
    def read(source: Fields) -> None:
        source.text("asked")
        source.skip("skipped")
        source.finish(refused={"later": "why not", "empty": "-"}, disallowed={"never"})

    raw = {
        "asked": "",
        "skipped": 1,
        "later": 1,
        "never": 1,
        "typo": 1,
        "null": None,
        "empty": [],
    }
    assert faults_of(read, raw) == (
        "must not set the field(s): spec.never\n"
        "must not set the field(s): spec.later\nwhy not\n"
        "unknown field: spec.typo"
    )


def test_the_root_has_no_path() -> None:
    assert Fields({}, "", Faults()).at("spec") == "spec"
