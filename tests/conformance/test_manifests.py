"""Our definitions, as people install them."""

from pathlib import Path

import pytest
import yaml

from tests.conformance.servers import CRD, CRDS, Api, without_rules

MANIFESTS = sorted(CRDS.glob("*.yaml"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda each: each.stem.partition(".")[0])
async def test_a_definition_is_taken_as_it_is_written(api: Api, path: Path) -> None:
    body = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    if "cel" not in api.features:
        body = without_rules(body)
    query = {"fieldManager": "conformance", "force": "true", "fieldValidation": "Strict"}
    made = await api.do(
        "patch", CRD, body["metadata"]["name"], body, patch="apply", dryRun="All", **query
    )
    [written], [taken] = body["spec"]["versions"], made["spec"]["versions"]
    assert taken["schema"] == written["schema"]
    assert taken["additionalPrinterColumns"] == written["additionalPrinterColumns"]
