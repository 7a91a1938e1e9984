from typing import Any

import pytest

from api.kinds import CORE_SERVICES, DEPLOYMENTS, PODS, SERVICES, Resource
from embedded import discovery, resources
from embedded.registry import Registry

REGISTRY = Registry()


def test_the_core_group_and_the_others_are_told_apart() -> None:
    assert discovery.core_versions()["versions"] == ["v1"]
    named = [group["name"] for group in discovery.groups(REGISTRY)["groups"]]
    assert named[0] == "apps"
    assert "serving.knative.dev" in named
    assert len(set(named)) == len(named)
    found = discovery.group(REGISTRY, "apps")
    assert found is not None
    assert found["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert discovery.group(REGISTRY, "") is None
    assert discovery.group(REGISTRY, "batch") is None


def listed(resource: Resource) -> dict[str, dict[str, Any]]:
    found = discovery.resource_list(REGISTRY, resource.group, resource.version)
    assert found is not None
    assert found["groupVersion"] == resource.api_version
    return {each["name"]: each for each in found["resources"]}


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda each: each.kind)
def test_every_kind_is_told_both_ways(resource: Resource) -> None:
    plain = listed(resource)[resource.plural]
    assert plain["namespaced"] is resource.is_namespaced
    assert plain["kind"] == resource.kind
    whole = discovery.aggregated(REGISTRY, is_core=resource.group == "", version="v2")
    assert whole["apiVersion"] == "apidiscovery.k8s.io/v2"
    (group,) = [item for item in whole["items"] if item["metadata"]["name"] == resource.group]
    (found,) = [
        each
        for version in group["versions"]
        if version["version"] == resource.version
        for each in version["resources"]
        if each["resource"] == resource.plural
    ]
    assert found["verbs"] == plain["verbs"]
    assert found.get("shortNames") == plain.get("shortNames")
    assert found.get("categories") == plain.get("categories")
    parts = {f"{resource.plural}/{each['subresource']}" for each in found["subresources"]}
    assert parts == {name for name in listed(resource) if name.startswith(f"{resource.plural}/")}


def test_parts_are_those_that_are_served() -> None:
    assert {"deployments/scale", "deployments/status"} <= listed(DEPLOYMENTS).keys()
    assert listed(DEPLOYMENTS)["deployments/scale"]["kind"] == "Scale"
    assert "pods/log" in listed(PODS)
    assert "services/scale" not in listed(SERVICES)
    assert "events/status" not in listed(PODS)


def test_an_unknown_version_is_none() -> None:
    assert discovery.resource_list(REGISTRY, "apps", "v2") is None


def test_short_names_are_unique() -> None:
    # kubectl takes "service" for the core group's, as on a cluster: Knative's is ksvc.
    others = [each for each in resources.ALL if each is not CORE_SERVICES]
    names = [name for each in others for name in (*each.short_names, each.singular)]
    shared = {name for name in names if names.count(name) > 1}
    assert shared == set()


def test_the_version_says_whose_it_is() -> None:
    assert discovery.VERSION["gitVersion"].endswith("+relight")
