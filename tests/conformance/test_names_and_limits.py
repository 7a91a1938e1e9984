"""What users ask of names, hosts, replicas and old Revisions, with the platform beside a server."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.kinds import (
    CONFIGMAPS,
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    NAMESPACES,
    REVISIONS,
    ROUTES,
    SERVICES,
)
from cluster.errors import AlreadyExistsError
from tests.conformance.platform import Platform, condition
from tests.conformance.servers import Api
from tests.conformance.test_serving import change, shares

pytestmark = pytest.mark.needs("core", "apps")
SETTINGS = "knative-serving"
VISIBILITY = "networking.knative.dev/visibility"


def because(text: str) -> dict[str, Any]:
    """A template that differs from others by what it says."""
    return {"metadata": {"annotations": {"example.com/why": text}}}


async def test_a_name_somebody_else_has_taken(platform: Platform) -> None:
    first = platform.service("s", metadata={"name": "s-t-one"})
    await platform.api.do("create", SERVICES, body=first)
    await platform.ready(SERVICES, "s")
    second = platform.service("s-t", metadata={"name": "s-t-one"})
    await platform.api.do("create", SERVICES, body=second)
    found = await platform.ready(SERVICES, "s-t", "False")
    made = condition(found, "ConfigurationsReady")
    assert made["reason"] == "RevisionFailed"
    assert made["message"] == (
        "Revision creation failed with message: "
        'revisions.serving.knative.dev "s-t-one" already exists.'
    )
    routed = condition(found, "RoutesReady")
    assert (routed["status"], routed["reason"]) == ("False", "RevisionNameTaken")
    assert routed["message"] == (
        'The revision name "s-t-one" is taken by a conflicting Revision, '
        "so traffic will not be migrated"
    )
    assert condition(await platform.api.do("get", SERVICES, "s"))["status"] == "True"


async def test_labels_and_annotations_come_down_and_go(platform: Platform) -> None:
    body = platform.service()
    body["metadata"] |= {"labels": {"team": "a"}, "annotations": {"example.com/a": "1"}}
    await platform.api.do("create", SERVICES, body=body)
    await platform.ready(SERVICES, "s")
    for resource in (CONFIGURATIONS, ROUTES):
        child = (await platform.api.do("get", resource, "s"))["metadata"]
        assert (child["labels"]["team"], child["annotations"]["example.com/a"]) == ("a", "1")
    gone = {"metadata": {"labels": {"team": None}, "annotations": {"example.com/a": None}}}
    await platform.api.do("patch", SERVICES, "s", gone)
    for resource in (CONFIGURATIONS, ROUTES):
        await platform.until(resource, "s", _has_neither)
    revision = (await platform.api.do("get", REVISIONS, "s-00001"))["metadata"]
    assert "team" not in revision["labels"]


def _has_neither(child: dict[str, Any]) -> bool:
    metadata = child["metadata"]
    annotations = metadata.get("annotations") or {}
    return "team" not in metadata["labels"] and "example.com/a" not in annotations


async def test_labels_of_the_template_reach_the_deployment(platform: Platform) -> None:
    body = platform.service(metadata={"labels": {"tier": "gold"}})
    await platform.api.do("create", SERVICES, body=body)
    await platform.ready(SERVICES, "s")
    deployment = await platform.api.do("get", DEPLOYMENTS, "s-00001-deployment")
    assert deployment["metadata"]["labels"]["tier"] == "gold"
    assert deployment["spec"]["template"]["metadata"]["labels"]["tier"] == "gold"
    assert deployment["spec"]["selector"]["matchLabels"].keys() == {
        "serving.knative.dev/revisionUID"
    }


async def test_a_service_for_the_cluster_alone(platform: Platform) -> None:
    await platform.api.do("create", SERVICES, body=platform.service())
    await platform.ready(SERVICES, "s")
    label = {"metadata": {"labels": {VISIBILITY: "cluster-local"}}}
    await platform.api.do("patch", SERVICES, "s", label)
    internal = f"http://s.{platform.api.namespace}.svc.cluster.local"
    await platform.until(SERVICES, "s", lambda o: o["status"].get("url") == internal)
    await platform.api.do("patch", SERVICES, "s", {"metadata": {"labels": {VISIBILITY: None}}})
    found = await platform.until(SERVICES, "s", lambda o: o["status"].get("url") != internal)
    assert found["status"]["url"] == f"http://s.{platform.api.namespace}.localhost:8080"


async def test_a_host_of_the_users_own(platform: Platform) -> None:
    host = f"{platform.api.namespace}.example.com"
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "s"}
    mapping = {
        "apiVersion": DOMAINMAPPINGS.api_version,
        "kind": "DomainMapping",
        "metadata": {"name": host},
        "spec": {"ref": ref},
    }
    await platform.api.do("create", DOMAINMAPPINGS, body=mapping)
    waiting = await platform.ready(DOMAINMAPPINGS, host, "False")
    missing = condition(waiting, "ReferenceResolved")
    assert missing["status"] == "False"
    assert 'services.serving.knative.dev "s" not found' in missing["message"]
    await platform.api.do("create", SERVICES, body=platform.service())
    found = await platform.ready(DOMAINMAPPINGS, host)
    assert found["status"]["url"] == f"http://{host}:8080"
    assert condition(found, "DomainClaimed")["status"] == "True"
    assert condition(found, "ReferenceResolved")["status"] == "True"


async def test_a_minimum_is_there_before_it_is_ready(platform: Platform) -> None:
    annotations = {"autoscaling.knative.dev/min-scale": "3"}
    body = platform.service(metadata={"annotations": annotations})
    await platform.api.do("create", SERVICES, body=body)
    await platform.ready(SERVICES, "s")
    deployment = await platform.api.do("get", DEPLOYMENTS, "s-00001-deployment")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["status"]["readyReplicas"] == 3


async def test_a_rollout_takes_its_time(platform: Platform) -> None:
    body = platform.service()
    body["metadata"]["annotations"] = {"serving.knative.dev/rollout-duration": "120s"}
    await platform.api.do("create", SERVICES, body=body)
    await platform.ready(SERVICES, "s")
    await platform.api.do("patch", SERVICES, "s", change(because("b")))
    found = await platform.until(SERVICES, "s", lambda o: len(shares(o)) == 2)
    (old, before, _), (new, after, _) = shares(found)
    assert (old, new) == ("s-00001", "s-00002")
    assert before + after == 100
    assert 1 <= after < 100
    routed = condition(await platform.api.do("get", SERVICES, "s"), "RoutesReady")
    assert (routed["status"], routed["reason"]) == ("Unknown", "RolloutInProgress")


@contextlib.asynccontextmanager
async def configured(api: Api, name: str, data: dict[str, str]) -> AsyncIterator[None]:
    """A setting of the whole cluster, taken back afterwards."""
    home, made = api.namespace, True
    try:
        await api.do("create", NAMESPACES, body={"metadata": {"name": SETTINGS}})
    except AlreadyExistsError:
        made = False
    try:
        api.namespace = SETTINGS
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        await api.do("create", CONFIGMAPS, body=body)
        api.namespace = home
        yield
        api.namespace = SETTINGS
        await api.do("delete", CONFIGMAPS, name)
    finally:
        api.namespace = home
        if made:
            await api.do("delete", NAMESPACES, SETTINGS)


async def test_old_revisions_are_collected(platform: Platform) -> None:
    rules = {
        "min-non-active-revisions": "0",
        "max-non-active-revisions": "0",
        "retain-since-create-time": "disabled",
        "retain-since-last-active-time": "disabled",
    }
    async with configured(platform.api, "config-gc", rules):
        await platform.api.do("create", SERVICES, body=platform.service())
        await platform.ready(SERVICES, "s")
        await platform.api.do("patch", SERVICES, "s", change(because("b")))
        await platform.until(SERVICES, "s", lambda o: shares(o) == [("s-00002", 100, "")])
        await platform.gone(REVISIONS, "s-00001")
        await platform.gone(DEPLOYMENTS, "s-00001-deployment")
    await platform.api.do("get", REVISIONS, "s-00002")
