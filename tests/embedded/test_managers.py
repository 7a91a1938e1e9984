from typing import Any

import pytest

from embedded.fieldwalk import Changes
from embedded.managers import APPLY, UPDATE, Owned, Writer, applied, read, stamped, taken, written

A = Writer(name="a", operation=APPLY, api_version="v1")
U = Writer(name="u", operation=UPDATE, api_version="v1", subresource="status")
X: dict[str, Any] = {"f:x": {}}
Y: dict[str, Any] = {"f:y": {}}


def entry(manager: str, **more: Any) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": "t",
        "fieldsType": "FieldsV1",
        "fieldsV1": X,
    } | more


def test_what_is_written_is_read() -> None:
    entries = [entry("a", operation="Apply"), entry("b"), entry("b", subresource="status")]
    managers = read(entries)
    assert managers is not None
    assert written(managers) == entries
    assert written({A: Owned(fields={})}) == []


@pytest.mark.parametrize(
    "entries",
    [
        "x",
        7,
        [7],
        [{}],
        [entry("a", operation="Look")],
        [entry("a", fieldsType="V2")],
        [entry("a", fieldsV1={"x": {}})],
        [entry("a", time=7)],
    ],
)
def test_what_is_no_managed_fields_is_told_apart(entries: Any) -> None:
    assert read(entries) is None


def test_a_change_takes_and_gives() -> None:
    before = {A: Owned(fields=X | Y, time="1"), U: Owned(fields=Y, time="1")}
    after = taken(before, Changes(touched=X, removed=Y), by=U, now="2")
    assert after[A].fields == {}
    assert after[U] == Owned(fields=X, time="2")
    assert taken(before, Changes(touched={}, removed={}), by=U, now="2") == before


def test_an_apply_owns_what_it_says() -> None:
    before = {A: Owned(fields=X, time="1"), U: Owned(fields=Y, time="1")}
    changes = Changes(touched=Y, removed={})
    after = applied(before, changes, by=A, fields=Y, is_forced=True)
    assert (after[A].fields, after[U].fields) == (Y, {})
    assert stamped(after, A, "9")[A].time == "9"
    assert str(U) == '"u" with subresource "status" using v1'
    assert str(A) == '"a"'
