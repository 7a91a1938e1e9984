"""The columns of KServe's runtimes, and their schema."""

import pytest

from api import kinds
from api.kinds import Resource
from api.schemas import PRINTER_COLUMNS, SCHEMAS

RUNTIMES = (kinds.SERVINGRUNTIMES, kinds.CLUSTERSERVINGRUNTIMES)


@pytest.mark.parametrize("resource", RUNTIMES, ids=lambda each: each.kind)
def test_columns(resource: Resource) -> None:
    assert [(each.name, each.type, each.json_path) for each in PRINTER_COLUMNS[resource]] == [
        ("Disabled", "boolean", ".spec.disabled"),
        ("ModelType", "string", ".spec.supportedModelFormats[*].name"),
        ("Containers", "string", ".spec.containers[*].name"),
        ("Age", "date", ".metadata.creationTimestamp"),
    ]


@pytest.mark.parametrize("resource", RUNTIMES, ids=lambda each: each.kind)
def test_containers_are_required(resource: Resource) -> None:
    spec = SCHEMAS[resource]["properties"]["spec"]
    assert spec["required"] == ["containers"]
    assert {"nodeSelector", "tolerations", "volumes"} <= set(spec["properties"])
