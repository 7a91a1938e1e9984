from typing import Any

import pytest

from api.conditions import Condition
from controller.service import Observed, make_configuration, make_route, plan
from tests.controller.objects import (
    NOW,
    a_configuration,
    a_revision,
    a_service,
    applied,
    condition,
    owned_by,
    ready,
    saying,
)


def child_of(service: dict[str, Any], wanted: dict[str, Any], **status: Any) -> dict[str, Any]:
    """The child as the API server has it, saying Ready=True of its present spec."""
    metadata = {**wanted["metadata"], "uid": f"{wanted['kind']}-mnist", "generation": 1}
    return saying({**wanted, "metadata": metadata}, ready(), **status)


def world(service: dict[str, Any] | None = None, latest: str = "mnist-00001") -> Observed:
    service = service or a_service()
    names = {"latestCreatedRevisionName": latest, "latestReadyRevisionName": latest}
    configuration = child_of(service, make_configuration(service), **names)
    traffic = [{"revisionName": "mnist-00001", "percent": 100, "latestRevision": True}]
    route = child_of(service, make_route(service), traffic=traffic, url="http://mnist")
    return Observed(service=service, configuration=configuration, route=route, named_revision=None)


def test_both_children_are_made_at_once() -> None:
    service = a_service(labels={"team": "vision"})
    step = plan(
        Observed(service=service, configuration=None, route=None, named_revision=None), now=NOW
    )
    assert [write.object["kind"] for write in step.creates] == ["Configuration", "Route"]
    for write in step.creates:
        assert write.object["metadata"]["labels"]["team"] == "vision"
        assert write.object["metadata"]["ownerReferences"] == owned_by(service)
    assert step.creates[1].object["spec"]["traffic"] == [
        {"latestRevision": True, "percent": 100, "configurationName": "mnist"}
    ]
    assert condition(step.status, "ConfigurationsReady")["reason"] == "OutOfDate"
    assert condition(step.status)["message"] == (
        "The Configuration is still working to reflect the latest desired specification."
    )


def test_the_status_is_its_childrens() -> None:
    seen = world()
    step = plan(seen, now=NOW)
    assert step.creates == step.updates == ()
    assert step.status is not None
    assert condition(step.status)["status"] == "True"
    assert step.status["url"] == "http://mnist"
    assert step.status["latestReadyRevisionName"] == "mnist-00001"
    again = Observed(
        service=applied(seen.service, step),
        configuration=seen.configuration,
        route=seen.route,
        named_revision=None,
    )
    assert plan(again, now=NOW).status is None


def test_a_changed_template_is_out_of_date_until_the_configuration_has_seen_it() -> None:
    seen = world()
    changed = a_service()
    changed["spec"] = {**changed["spec"], "template": {"spec": {"containers": []}}}
    changed["status"] = {"latestReadyRevisionName": "mnist-00001"}
    step = plan(
        Observed(
            service=changed,
            configuration=seen.configuration,
            route=seen.route,
            named_revision=None,
        ),
        now=NOW,
    )
    assert [write.object["kind"] for write in step.updates] == ["Configuration"]
    assert condition(step.status, "ConfigurationsReady")["reason"] == "OutOfDate"
    assert step.status is not None
    assert step.status["latestReadyRevisionName"] == "mnist-00001"


def test_ready_only_when_requests_go_to_the_latest_revision() -> None:
    step = plan(world(latest="mnist-00002"), now=NOW)
    assert condition(step.status, "RoutesReady") == {
        "type": "RoutesReady",
        "status": "Unknown",
        "reason": "TrafficNotMigrated",
        "message": "Traffic is not yet migrated to the latest revision.",
    }


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_childs_complaint_is_copied(status: str) -> None:
    seen = world()
    assert seen.configuration is not None
    unwell = saying(seen.configuration, ready(status, "RevisionFailed", "it failed"))
    step = plan(
        Observed(service=seen.service, configuration=unwell, route=seen.route, named_revision=None),
        now=NOW,
    )
    assert condition(step.status, "ConfigurationsReady") == {
        "type": "ConfigurationsReady",
        "status": status,
        "reason": "RevisionFailed",
        "message": "it failed",
    }


@pytest.mark.parametrize("kind", ["Configuration", "Route"])
def test_a_child_that_is_somebody_elses_is_left_alone(kind: str) -> None:
    seen = world()
    assert seen.configuration is not None
    assert seen.route is not None
    foreign = {"configuration": seen.configuration, "route": seen.route}
    theirs = foreign[kind.lower()]
    theirs["metadata"].pop("ownerReferences")
    theirs["spec"] = {}
    step = plan(Observed(service=seen.service, named_revision=None, **foreign), now=NOW)
    assert step.creates == step.updates == ()
    assert condition(step.status)["reason"] == "NotOwned"
    assert (
        condition(step.status)["message"]
        == f'There is an existing {kind} "mnist" that we do not own.'
    )


def named_service() -> dict[str, Any]:
    service = a_service()
    template = {"metadata": {"name": "mnist-a"}, **service["spec"]["template"]}
    traffic = [{"revisionName": "mnist-a", "percent": 100, "latestRevision": False}]
    service["spec"] = {"template": template, "traffic": traffic}
    return service


def test_the_route_waits_until_a_revision_named_by_the_user_is_claimed() -> None:
    service = named_service()
    step = plan(
        Observed(service=service, configuration=None, route=None, named_revision=None), now=NOW
    )
    assert [write.object["kind"] for write in step.creates] == ["Configuration"]
    assert condition(step.status, "RoutesReady") == {"type": "RoutesReady", "status": "Unknown"}
    configuration = child_of(service, make_configuration(service))
    step = plan(
        Observed(service=service, configuration=configuration, route=None, named_revision=None),
        now=NOW,
    )
    assert [write.object["kind"] for write in step.creates] == ["Route"]


def test_a_revision_name_of_somebody_elses_stops_the_route() -> None:
    service = named_service()
    configuration = child_of(service, make_configuration(service))
    theirs = a_revision("mnist-a", of=a_configuration("other"))
    step = plan(
        Observed(service=service, configuration=configuration, route=None, named_revision=theirs),
        now=NOW,
    )
    assert step.creates == ()
    assert condition(step.status, "RoutesReady") == {
        "type": "RoutesReady",
        "status": "False",
        "reason": "RevisionNameTaken",
        "message": 'The revision name "mnist-a" is taken by a conflicting Revision, '
        "so traffic will not be migrated",
    }


def test_what_the_route_said_before_stands_while_it_must_not_be_touched() -> None:
    service = named_service()
    before = Condition(type="RoutesReady", status="True")
    service = saying(service, before, url="http://mnist")
    step = plan(
        Observed(service=service, configuration=None, route=None, named_revision=None), now=NOW
    )
    assert condition(step.status, "RoutesReady")["status"] == "True"
    assert step.status is not None
    assert step.status["url"] == "http://mnist"


def test_a_service_that_is_going_is_left_alone() -> None:
    service = a_service(deletionTimestamp=NOW)
    step = plan(
        Observed(service=service, configuration=None, route=None, named_revision=None), now=NOW
    )
    assert step.creates == ()
    assert step.status is None


def test_its_configuration_knows_its_route_beforehand_and_keeps_the_others() -> None:
    key = "serving.knative.dev/routes"
    service = a_service()
    assert make_configuration(service)["metadata"]["annotations"][key] == "mnist"
    seen = world()
    assert seen.configuration is not None
    seen.configuration["metadata"]["annotations"][key] = "a,mnist,z"
    assert plan(seen, now=NOW).updates == ()
    del seen.configuration["metadata"]["annotations"][key]
    (update,) = plan(seen, now=NOW).updates
    assert update.object["metadata"]["annotations"][key] == "mnist"
    assert key not in make_route(service)["metadata"]["annotations"]
