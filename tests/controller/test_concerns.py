from typing import Any

import pytest

from api import keys
from api.kinds import (
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    Resource,
)
from controller.concerns import Task, stuck_pods, work_for
from controller.view import WATCHED, View
from tests.controller.objects import (
    a_configuration,
    a_mapping,
    a_revision,
    a_route,
    a_service,
    owned_by,
    ready,
    saying,
    stored,
)
from tests.controller.test_phases import CREATING
from tests.controller.test_view import Objects


def work(view: View, resource: Any, old: Any, new: Any) -> set[str]:
    return {f"{task.value} {key[1]}" for task, key in work_for(view, resource, old, new)}


def test_a_service_concerns_itself() -> None:
    assert work(Objects().view, SERVICES, None, a_service()) == {"service mnist"}


def test_a_configuration_concerns_its_service_and_the_routes_that_follow_it() -> None:
    view = Objects(a_route({"configurationName": "mnist"}, name="other")).view
    assert work(view, CONFIGURATIONS, None, a_configuration()) == {
        "configuration mnist",
        "collect mnist",
        "service mnist",
        "route other",
        "labels other",
    }


def test_a_route_that_is_gone_still_has_marks_to_take_back() -> None:
    assert work(Objects().view, ROUTES, a_route(), None) == {
        "route mnist",
        "labels mnist",
        "service mnist",
    }


def test_a_revision_concerns_all_who_may_be_waiting_for_it() -> None:
    view = Objects(
        a_configuration("waiting", revision="mnist-00001"),
        a_route({"revisionName": "mnist-00001"}, name="pinned"),
        a_route({"configurationName": "mnist"}, name="latest"),
    ).view
    expected = {
        "revision mnist-00001",
        "configuration mnist",
        "collect mnist",
        "service mnist",
        "configuration waiting",
        "service waiting",
        "route pinned",
        "labels pinned",
        "route latest",
        "labels latest",
        "labels mnist",
    }
    revision = a_revision(labels={"serving.knative.dev/service": "mnist"})
    assert work(view, REVISIONS, None, revision) == expected
    assert work(view, REVISIONS, revision, None) == expected
    assert work(view, REVISIONS, revision, saying(revision, ready())) == expected


def test_a_revision_concerns_the_routes_it_says_point_at_it() -> None:
    revision = a_revision(annotations={"serving.knative.dev/routes": "a,b"})
    found = work(Objects().view, REVISIONS, None, revision)
    assert {"labels a", "labels b"} <= found


def test_a_count_of_replicas_concerns_nobody_else() -> None:
    old = saying(a_revision(), ready(), actualReplicas=1)
    new = saying(a_revision(), ready(), actualReplicas=2)
    assert work(Objects().view, REVISIONS, old, new) == {"revision mnist-00001"}


def test_children_concern_their_revision() -> None:
    view = Objects().view
    deployment = stored("Deployment", "anything", ownerReferences=owned_by(a_revision()))
    assert work(view, DEPLOYMENTS, None, deployment) == {"revision mnist-00001"}
    assert work(view, DEPLOYMENTS, None, stored("Deployment", "nginx")) == set()
    autoscaler = stored("PodAutoscaler", "mnist-00001")
    assert work(view, PODAUTOSCALERS, None, autoscaler) == {"revision mnist-00001"}


def test_a_pod_concerns_its_revision_while_it_is_in_trouble() -> None:
    view = Objects().view
    well = stored("Pod", "p", labels={"serving.knative.dev/revision": "mnist-00001"})
    unwell = {
        **well,
        "status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 1}}}]},
    }
    assert work(view, PODS, None, well) == set()
    for old, new in ((well, unwell), (unwell, well), (unwell, None)):
        assert work(view, PODS, old, new) == {"revision mnist-00001"}


def test_a_pod_that_begins_to_be_stuck_concerns_its_revision_where_events_are_read() -> None:
    begun = {
        **CREATING,
        "metadata": {"name": "p", "namespace": "default", "labels": {keys.REVISION: "mnist-00001"}},
    }
    unplaced = {**begun, "status": {"phase": "Pending"}}
    expected = [(Task.REVISION, ("default", "mnist-00001"))]
    for old in (None, unplaced):
        assert list(stuck_pods(PODS, old, begun)) == expected
    for old, new in ((begun, begun), (None, unplaced), (begun, unplaced), (begun, None)):
        assert list(stuck_pods(PODS, old, new)) == []
    assert list(stuck_pods(DEPLOYMENTS, None, begun)) == []


def test_routes_that_want_one_name_concern_each_other() -> None:
    tagged = a_route({"revisionName": "x", "tag": "a"}, name="b")
    view = Objects(tagged, a_route(name="a-b"), a_route(name="c")).view
    assert "route b" in work(view, ROUTES, a_route(name="a-b"), None)
    assert "route a-b" in work(view, ROUTES, tagged, a_route(name="b"))


def test_a_domainmapping_concerns_its_rivals_and_its_target_concerns_it() -> None:
    mapping = a_mapping()
    rival = a_mapping(namespace="other")
    view = Objects(mapping, rival).view
    found = list(work_for(view, DOMAINMAPPINGS, None, mapping))
    assert {key for _, key in found} == {
        ("default", "www.example.com"),
        ("other", "www.example.com"),
    }
    assert "domainmapping www.example.com" in work(view, SERVICES, None, a_service())
    assert "domainmapping www.example.com" not in work(view, ROUTES, None, a_route())


def test_a_route_concerns_the_mappings_that_want_its_hosts() -> None:
    view = Objects(a_mapping("t-mnist.default.localhost", to="other")).view
    tagged = {"url": "http://t-mnist.default.localhost:8080", "tag": "t"}
    route = a_route() | {"status": {"url": "http://mnist.default.localhost", "traffic": [tagged]}}
    told = "domainmapping t-mnist.default.localhost"
    assert told in work(view, ROUTES, a_route(), route)
    assert told in work(view, ROUTES, route, None)
    assert told not in work(view, ROUTES, None, a_route())


@pytest.mark.parametrize("resource", WATCHED, ids=lambda each: each.plural)
@pytest.mark.parametrize("half", [{}, {"spec": {}}, {"spec": {}, "status": {}}])
def test_an_object_stored_when_no_webhook_was_asked_stops_nobody(
    resource: Resource, half: dict[str, Any]
) -> None:
    """A callback that raises ends the controller; what follows is planned at its own risk."""
    view = Objects().view
    raw = {"metadata": {"name": "n", "namespace": "default", "uid": "u"}, **half}
    for old, new in ((None, raw), (raw, raw), (raw, None)):
        view.change(resource, old, new)
        list(work_for(view, resource, old, new))
