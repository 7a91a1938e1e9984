from typing import Any

import pytest

from api.kinds import CONFIGMAPS, LEASES, NODES, SECRETS, Resource
from embedded.core_tables import CELLS, COLUMNS

AGED = {"name": "x", "creationTimestamp": "1970-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("resource", "raw", "cells"),
    [
        (CONFIGMAPS, {"data": {"a": "b"}, "binaryData": {"c": ""}}, ["x", 2, "60s"]),
        (SECRETS, {"type": "Opaque", "data": {"a": ""}}, ["x", "Opaque", 1, "60s"]),
        (LEASES, {"spec": {"holderIdentity": "me"}}, ["x", "me", "60s"]),
    ],
)
def test_cells_are_those_of_kubernetes(
    resource: Resource, raw: dict[str, Any], cells: list[Any]
) -> None:
    assert CELLS[resource]({"metadata": AGED, **raw}, 60.0) == cells


@pytest.mark.parametrize("resource", COLUMNS, ids=lambda each: each.kind)
def test_a_bare_object_fills_every_column(resource: Resource) -> None:
    assert len(CELLS[resource]({"metadata": AGED}, 60.0)) == len(COLUMNS[resource])


def test_a_node_is_ready_as_its_condition_says() -> None:
    for status, word in (("True", "Ready"), ("False", "NotReady"), ("Unknown", "Unknown")):
        raw = {"metadata": AGED, "status": {"conditions": [{"type": "Ready", "status": status}]}}
        assert CELLS[NODES](raw, 60.0)[1] == word
