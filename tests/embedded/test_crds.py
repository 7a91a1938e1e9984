from copy import deepcopy
from typing import Any

import pytest

from embedded import crds

NOW = "2026-01-01T00:00:00Z"


def crd(**spec: Any) -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    whole = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [version],
    }
    return crds.defaulted({"metadata": {"name": "widgets.example.com"}, "spec": whole | spec})


def version(**given: Any) -> dict[str, Any]:
    return deepcopy(crd()["spec"]["versions"][0]) | given


def test_names_are_filled_in() -> None:
    names = crd()["spec"]["names"]
    assert (names["singular"], names["listKind"]) == ("widget", "WidgetList")
    assert crd()["spec"]["conversion"] == {"strategy": "None"}
    assert list(crds.causes(crd(), None, is_native=False)) == []


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"group": "example"}, "spec.group", "should be a domain with at least one dot"),
        ({"scope": "Here"}, "spec.scope", 'supported values: "Cluster", "Namespaced"'),
        ({"names": {"plural": "Widgets", "kind": "Widget"}}, "spec.names.plural", "Invalid value"),
        ({"names": {"plural": "things", "kind": "Thing"}}, "metadata.name", "spec.names.plural"),
        ({"versions": []}, "spec.versions", "exactly one version marked as storage"),
        ({"versions": [version(storage=False)]}, "spec.versions", "exactly one version"),
        (
            {"versions": [version(), version()]},
            "spec.versions[1].name",
            "Duplicate value",
        ),
        (
            {"versions": [version(schema={})]},
            "spec.versions[0].schema.openAPIV3Schema",
            "Required value: schemas are required",
        ),
        (
            {"versions": [version(subresources={"scale": {"specReplicasPath": ".status.x"}})]},
            "spec.versions[0].subresources.scale.specReplicasPath",
            "should be a json path under spec",
        ),
        (
            {"versions": [version(additionalPrinterColumns=[{"name": "A", "type": "text"}])]},
            "spec.versions[0].additionalPrinterColumns[0].type",
            "must be one of",
        ),
        (
            {"versions": [version(selectableFields=[{"jsonPath": "spec"}])]},
            "spec.versions[0].selectableFields[0].jsonPath",
            "must be a valid path",
        ),
        (
            {
                "versions": [version(), version(name="v2", storage=False)],
                "conversion": {"strategy": "Webhook"},
            },
            "spec.conversion.strategy",
            "calls no webhooks",
        ),
    ],
)
def test_what_is_wrong_is_named(spec: dict[str, Any], field: str, words: str) -> None:
    assert words in dict(crds.causes(crd(**spec), None, is_native=False))[field]


def test_what_may_not_change_does_not() -> None:
    old = crds.with_status(crd(), "", now=NOW)
    changed = crd(scope="Cluster", versions=[version(name="v2")])
    found = dict(crds.causes(changed, old, is_native=False))
    assert "field is immutable" in found["spec.scope"]
    assert '"v1": missing from spec.versions' in found["status.storedVersions[0]"]


def test_status_tells_what_is_accepted_and_keeps_its_times() -> None:
    first = crds.with_status(crd(), "", now=NOW)
    assert crds.is_accepted(first)
    assert first["status"]["storedVersions"] == ["v1"]
    assert first["status"]["acceptedNames"]["listKind"] == "WidgetList"
    two = crd(versions=[version(storage=False), version(name="v2")])
    second = crds.with_status(two | {"status": first["status"]}, "", now="2027-01-01T00:00:00Z")
    assert second["status"]["storedVersions"] == ["v1", "v2"]
    assert second["status"]["conditions"] == first["status"]["conditions"]
    taken = crds.with_status(crd(), '"widgets" is already in use', now=NOW)
    assert not crds.is_accepted(taken)
    assert taken["status"]["conditions"][0]["message"] == '"widgets" is already in use'
