from typing import Any

import pytest

from cluster.errors import BadRequestError
from cluster.options import WriteOptions
from embedded.applying import MANAGERS_MAX, checked, fields_of, note

NOW = "2027-01-15T08:00:00Z"


def noted(
    old: dict[str, Any] | None = None, *, now: str = NOW, **options: Any
) -> list[dict[str, Any]]:
    new: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {}}
    note(new, old, WriteOptions(**options), now=now)
    found: list[dict[str, Any]] = new["metadata"].get("managedFields", [])
    return found


def test_an_update_is_named_and_its_fields_are_not() -> None:
    assert noted(field_manager="kubectl-edit") == [
        {
            "manager": "kubectl-edit",
            "operation": "Update",
            "apiVersion": "v1",
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        }
    ]


def test_who_gives_no_name_is_not_noted() -> None:
    assert noted() == []


def test_an_apply_names_its_fields() -> None:
    applied = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c"}], "nodeName": "n"},
    }
    (entry,) = noted(field_manager="me", applied=applied)
    assert entry["operation"] == "Apply"
    assert entry["fieldsV1"] == {
        "f:metadata": {"f:labels": {"f:a": {}}},
        "f:spec": {"f:containers": {}, "f:nodeName": {}},
    }
    assert fields_of({"kind": "Pod"}) == {}


def test_an_entry_is_renewed_and_others_are_kept() -> None:
    first = noted(field_manager="a")
    old = {"metadata": {"managedFields": first}}
    both = noted(old, field_manager="b", subresource="status", now="later")
    assert [entry["manager"] for entry in both] == ["a", "b"]
    assert both[1]["subresource"] == "status"
    again = noted({"metadata": {"managedFields": both}}, field_manager="a", now="later")
    assert [(entry["manager"], entry["time"]) for entry in again] == [
        ("b", "later"),
        ("a", "later"),
    ]


def test_managers_are_bounded() -> None:
    fields: list[dict[str, Any]] = []
    for at in range(MANAGERS_MAX + 5):
        fields = noted({"metadata": {"managedFields": fields}}, field_manager=f"m{at}")
    assert len(fields) == MANAGERS_MAX
    assert fields[-1]["manager"] == f"m{MANAGERS_MAX + 4}"


@pytest.mark.parametrize(
    ("options", "applied", "words"),
    [
        ({}, {}, "fieldManager is required"),
        ({"field_manager": "x"}, [], "not an object but list"),
        ({"field_manager": "x"}, {"metadata": {"managedFields": [{}]}}, "must be nil"),
    ],
)
def test_an_apply_must_be_one(options: dict[str, Any], applied: Any, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        checked(WriteOptions(**options), applied)


def test_an_apply_is_remembered_for_its_note() -> None:
    assert checked(WriteOptions(field_manager="x"), {"a": 1}).applied == {"a": 1}
