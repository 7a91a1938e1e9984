import sys
from typing import Any

import pytest

from embedded import rules

pytest.importorskip("cel", reason="CEL rules need common-expression-language")


def asked(rule: dict[str, Any], value: Any, old: Any = None, **schema: Any) -> list[Any]:
    whole = {"type": "object", "x-kubernetes-validations": [rule], **schema}
    return list(rules.causes(whole, value, old, "spec"))


def test_a_rule_that_holds_says_nothing() -> None:
    assert asked({"rule": "self.a <= self.b"}, {"a": 1, "b": 2}) == []


@pytest.mark.parametrize(
    ("rule", "field", "message"),
    [
        ({}, "spec", 'Invalid value: "object": failed rule: self.a < 0'),
        ({"message": "no"}, "spec", 'Invalid value: "object": no'),
        (
            {"messageExpression": "'a is ' + string(self.a)"},
            "spec",
            'Invalid value: "object": a is 1',
        ),
        (
            {"messageExpression": "self.nothing", "message": "no"},
            "spec",
            'Invalid value: "object": no',
        ),
        ({"message": "no", "reason": "FieldValueForbidden"}, "spec", "Forbidden: no"),
        ({"message": "no", "reason": "FieldValueRequired"}, "spec", "Required value: no"),
        ({"message": "no", "fieldPath": ".a"}, "spec.a", 'Invalid value: "object": no'),
    ],
)
def test_a_broken_rule_is_told_as_it_wants(rule: dict[str, Any], field: str, message: str) -> None:
    assert asked({"rule": "self.a < 0"} | rule, {"a": 1}) == [(field, message)]


def test_a_missing_field_is_an_error_of_the_rule() -> None:
    ((field, message),) = asked({"rule": "self.b < 0"}, {"a": 1})
    assert field == "spec"
    assert "no such key: b evaluating rule" in message


def test_rules_of_changes_are_asked_of_changes_only() -> None:
    fixed = {"rule": "self.a == oldSelf.a", "message": "fixed"}
    assert asked(fixed, {"a": 1}) == []
    assert asked(fixed, {"a": 1}, {"a": 1}) == []
    assert asked(fixed, {"a": 1}, {"a": 2}) == [("spec", 'Invalid value: "object": fixed')]


def test_items_have_a_past_by_their_keys() -> None:
    items = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "never less"}],
    }
    keyed = {"type": "array", "items": items, "x-kubernetes-list-type": "map"}
    keyed["x-kubernetes-list-map-keys"] = ["name"]
    schema = {"type": "object", "properties": {"l": keyed}}
    old = {"l": [{"name": "a", "v": 3}, {"name": "b", "v": 1}]}
    new = {"l": [{"name": "b", "v": 2}, {"name": "a", "v": 2}, {"name": "c", "v": 0}]}
    assert list(rules.causes(schema, new, old, "")) == [
        ("l[1]", 'Invalid value: "object": never less')
    ]
    assert rules.has_any(schema)
    assert not rules.has_any({"type": "object", "properties": {"l": {"type": "array"}}})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"rule": ""}, "Required value"),
        ({"rule": "self.a <"}, "compilation failed: Failed to parse"),
        ({"rule": "self.?a.orValue(1) == 1"}, "compilation failed"),
        ({"rule": "other.a == 1"}, "undeclared reference to 'other'"),
        ({"rule": "self.isWonderful()"}, "undeclared reference to 'isWonderful'"),
        ({"rule": "true", "messageExpression": "self.("}, "compilation failed"),
        ({"rule": "true", "optionalOldSelf": True}, "optionals are not served"),
        ({"rule": "true", "reason": "Because"}, "Unsupported value"),
        ({"rule": "+".join(["1"] * 20_000) + " > 0"}, "may not be more than 10000 characters"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_crd(rule: dict[str, Any], words: str) -> None:
    inner = {"type": "object", "x-kubernetes-validations": [rule]}
    schema = {"type": "object", "properties": {"spec": {"type": "array", "items": inner}}}
    ((field, message),) = rules.compile_causes(schema, "s")
    assert field.startswith("s.properties[spec].items.x-kubernetes-validations[0].")
    assert words in message


@pytest.mark.parametrize(
    "rule",
    [
        "self.all(x, x.size() > 0) && self.exists_one(x, x == 'a')",
        "self.map(x, x + '!').isSorted()",
        "size(self.filter(x, x.startsWith('a'))) == 1",
        "self.join(',').matches('^a,b$')",
        "type(self[0]) == string",
    ],
)
def test_what_rules_are_written_with_works(rule: str) -> None:
    schema = {"type": "array", "x-kubernetes-validations": [{"rule": rule}]}
    assert list(rules.compile_causes(schema, "s")) == []
    assert list(rules.causes(schema, ["a", "b"], None, "spec")) == []


def test_without_the_package_a_crd_with_rules_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel", None)
    schema = {"x-kubernetes-validations": [{"rule": "self.never_compiled_before == 1"}]}
    ((_, message),) = rules.compile_causes(schema, "s")
    assert "common-expression-language" in message


@pytest.mark.parametrize(
    "rule",
    [
        "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))",
        "self.l.map(a, self.l.filter(b, self.l.exists(c, c == a && '(' != ')'))).size() > 0",
    ],
)
def test_loops_in_loops_over_long_lists_are_not_begun(rule: str) -> None:
    ((_, message),) = asked({"rule": rule}, {"l": list(range(3000))})
    assert "actual cost limit exceeded" in message
    assert asked({"rule": rule}, {"l": [1, 2, 3]}) == []


def test_loops_one_after_the_other_are_not_in_one_another() -> None:
    rule = {"rule": "self.l.all(a, a >= 0) && self.l.all(b, b < 3000)"}
    assert asked(rule, {"l": list(range(3000))}) == []
