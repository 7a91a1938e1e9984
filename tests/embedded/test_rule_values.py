from datetime import UTC, datetime
from typing import Any

import pytest

from embedded.rule_values import escaped, name


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("plain", "plain"),
        ("x-y", "x__dash__y"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("a__b", "a__underscores__b"),
        ("namespace", "__namespace__"),
    ],
)
def test_names_are_escaped_as_in_kubernetes(field: str, wanted: str) -> None:
    assert name(field) == wanted


def test_fields_are_escaped_and_keys_are_not() -> None:
    schema: dict[str, Any] = {
        "properties": {
            "x-y": {"type": "number"},
            "map": {"additionalProperties": {"type": "string"}},
            "since": {"type": "string", "format": "date-time"},
            "list": {"items": {"properties": {"for": {}}}},
        }
    }
    value = {"x-y": 1, "map": {"a-b": "c"}, "since": "2026-01-01T00:00:00Z", "list": [{"for": 1}]}
    found = escaped(schema, value)
    assert found == {
        "x__dash__y": 1.0,
        "map": {"a-b": "c"},
        "since": datetime(2026, 1, 1, tzinfo=UTC),
        "list": [{"__for__": 1}],
    }
    assert isinstance(found["x__dash__y"], float)
    assert escaped(schema["properties"]["since"], "no time") == "no time"
