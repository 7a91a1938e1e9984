"""What becomes of a Service: Revisions, traffic, conditions, as Knative has them."""

from typing import Any

import pytest

from api.kinds import CONFIGURATIONS, DEPLOYMENTS, PODAUTOSCALERS, REVISIONS, ROUTES, SERVICES
from tests.conformance.platform import MESSAGE, Platform, condition

pytestmark = pytest.mark.needs("core", "apps")


def shares(obj: dict[str, Any]) -> list[tuple[str, int, str]]:
    """What the status says of traffic: (Revision, percent, tag)."""
    return [
        (each["revisionName"], each.get("percent", 0), each.get("tag", ""))
        for each in obj["status"].get("traffic", ())
    ]


def change(template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A merge patch of a Service's spec."""
    return {"spec": {**({"template": template} if template else {}), **spec}}


async def test_a_service_becomes_ready_with_its_children(platform: Platform) -> None:
    await platform.api.do("create", SERVICES, body=platform.service())
    found = await platform.ready(SERVICES, "s")
    namespace = platform.api.namespace
    assert found["status"]["url"] == f"http://s.{namespace}.localhost:8080"
    assert found["status"]["address"] == {"url": f"http://s.{namespace}.svc.cluster.local"}
    assert found["status"]["latestCreatedRevisionName"] == "s-00001"
    assert found["status"]["latestReadyRevisionName"] == "s-00001"
    assert shares(found) == [("s-00001", 100, "")]
    types = [each["type"] for each in found["status"]["conditions"]]
    assert types == ["ConfigurationsReady", "Ready", "RoutesReady"]
    for resource in (CONFIGURATIONS, ROUTES):
        child = await platform.api.do("get", resource, "s")
        assert child["metadata"]["labels"]["serving.knative.dev/service"] == "s"
        assert child["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]
    revision = await platform.api.do("get", REVISIONS, "s-00001")
    labels = revision["metadata"]["labels"]
    assert labels["serving.knative.dev/configuration"] == "s"
    assert labels["serving.knative.dev/configurationGeneration"] == "1"
    deployment = await platform.api.do("get", DEPLOYMENTS, "s-00001-deployment")
    assert deployment["metadata"]["labels"]["serving.knative.dev/revision"] == "s-00001"
    await platform.ready(PODAUTOSCALERS, "s-00001")


async def test_another_template_is_another_revision(platform: Platform) -> None:
    await platform.api.do("create", SERVICES, body=platform.service())
    await platform.ready(SERVICES, "s")
    template = {"metadata": {"annotations": {"example.com/why": "because"}}}
    await platform.api.do("patch", SERVICES, "s", change(template))
    found = await platform.until(SERVICES, "s", lambda o: shares(o) == [("s-00002", 100, "")])
    assert found["status"]["latestCreatedRevisionName"] == "s-00002"
    await platform.until(
        REVISIONS,
        "s-00001",
        lambda o: o["metadata"]["labels"].get("serving.knative.dev/routingState") == "reserve",
    )


async def test_metadata_alone_makes_no_revision(platform: Platform) -> None:
    await platform.api.do("create", SERVICES, body=platform.service())
    await platform.ready(SERVICES, "s")
    await platform.api.do("patch", SERVICES, "s", {"metadata": {"labels": {"team": "a"}}})
    await platform.until(ROUTES, "s", lambda o: o["metadata"]["labels"].get("team") == "a")
    found = await platform.ready(SERVICES, "s")
    assert found["metadata"]["generation"] == 1
    assert found["status"]["latestCreatedRevisionName"] == "s-00001"


async def test_traffic_is_split_between_named_revisions_and_tags(platform: Platform) -> None:
    first = platform.service(metadata={"name": "s-one"})
    await platform.api.do("create", SERVICES, body=first)
    await platform.ready(SERVICES, "s")
    traffic = [
        {"revisionName": "s-one", "percent": 80, "tag": "current"},
        {"revisionName": "s-two", "percent": 20, "tag": "candidate"},
        {"latestRevision": True, "percent": 0, "tag": "latest"},
    ]
    template = {"metadata": {"name": "s-two"}}
    await platform.api.do("patch", SERVICES, "s", change(template, traffic=traffic))
    found = await platform.ready(SERVICES, "s")
    assert shares(found) == [
        ("s-one", 80, "current"),
        ("s-two", 20, "candidate"),
        ("s-two", 0, "latest"),
    ]
    urls = [each["url"] for each in found["status"]["traffic"]]
    namespace = platform.api.namespace
    assert urls[0] == f"http://current-s.{namespace}.localhost:8080"


async def test_a_broken_revision_says_why_and_gets_no_traffic(platform: Platform) -> None:
    await platform.api.do("create", SERVICES, body=platform.service())
    await platform.ready(SERVICES, "s")
    made = await platform.api.do("get", SERVICES, "s")
    made["spec"]["template"]["spec"]["containers"][0]["args"] = ["broken"]
    spec = {"spec": {"template": made["spec"]["template"]}}
    await platform.api.do("patch", SERVICES, "s", spec)
    found = await platform.until(SERVICES, "s", lambda o: condition(o)["status"] == "False")
    ready = condition(found, "ConfigurationsReady")
    assert ready["reason"] == "RevisionFailed"
    assert 'Revision "s-00002" failed with message: ' in ready["message"]
    assert MESSAGE in ready["message"]
    assert shares(found) == [("s-00001", 100, "")]
    route = await platform.api.do("get", ROUTES, "s")
    assert condition(route)["status"] == "True"


async def test_a_target_that_is_missing_is_named(platform: Platform) -> None:
    traffic = [{"revisionName": "s-nowhere", "percent": 100}]
    await platform.api.do("create", SERVICES, body=platform.service())
    await platform.ready(SERVICES, "s")
    await platform.api.do("patch", SERVICES, "s", change(traffic=traffic))
    found = await platform.ready(SERVICES, "s", "False")
    missing = condition(found, "RoutesReady")
    assert missing["reason"] == "RevisionMissing"
    assert missing["message"] == 'Revision "s-nowhere" referenced in traffic not found.'


async def test_deleting_a_service_deletes_what_it_made(platform: Platform) -> None:
    await platform.api.do("create", SERVICES, body=platform.service())
    await platform.ready(SERVICES, "s")
    await platform.api.do("delete", SERVICES, "s")
    for resource, name in (
        (SERVICES, "s"),
        (ROUTES, "s"),
        (CONFIGURATIONS, "s"),
        (REVISIONS, "s-00001"),
        (DEPLOYMENTS, "s-00001-deployment"),
    ):
        await platform.gone(resource, name)
