import pytest

from api.kinds import Resource
from embedded.core_schemas import SCHEMAS


@pytest.mark.parametrize("resource", SCHEMAS, ids=lambda each: each.kind)
def test_every_kind_has_what_every_object_has(resource: Resource) -> None:
    assert {"apiVersion", "kind", "metadata"} < SCHEMAS[resource]["properties"].keys()
    assert SCHEMAS[resource]["description"].startswith(("A ", "An ", "The "))
