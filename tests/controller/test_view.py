from typing import Any

from api import keys, pool
from api.kinds import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES
from controller.clusterconfig import Collection
from controller.predictor_pods import PredictorPods
from controller.revision import Observed, plan
from controller.view import WATCHED, Index, View, key_of, ours_whole, revisions_whole
from controller.workload import make_deployment
from tests.controller.objects import (
    a_configuration,
    a_mapping,
    a_revision,
    a_route,
    a_service,
    saying,
    stored,
)

RESOURCES = {resource.kind: resource for resource in WATCHED}


class Objects:
    """A view and the mappings it looks into."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.mappings: dict[Any, dict[Any, Any]] = {resource: {} for resource in WATCHED}
        self.view = View(self.mappings)
        for each in objects:
            self.put(each)

    def put(self, raw: dict[str, Any]) -> None:
        resource = RESOURCES[raw["kind"]]
        old = self.mappings[resource].get(key_of(raw))
        self.mappings[resource][key_of(raw)] = raw
        self.view.change(resource, old, raw)

    def remove(self, raw: dict[str, Any]) -> None:
        resource = RESOURCES[raw["kind"]]
        del self.mappings[resource][key_of(raw)]
        self.view.change(resource, raw, None)


def named(found: Any) -> list[str]:
    return sorted(each["metadata"]["name"] for each in found)


def test_an_index_follows_every_change() -> None:
    index = Index(lambda raw: raw["spec"])
    old, new = stored("X", "a", ["red", "round"]), stored("X", "a", ["red", "blue"])
    index.change(None, old)
    index.change(None, stored("X", "b", ["red"]))
    assert index.get("red") == (("default", "a"), ("default", "b"))
    index.change(old, new)
    assert index.get("round") == ()
    assert index.get("blue") == (("default", "a"),)
    index.change(new, None)
    assert index.get("red") == (("default", "b"),)
    assert index.get("blue") == ()


def test_a_service_and_what_has_its_name() -> None:
    service = a_service()
    service["spec"]["template"] = {"metadata": {"name": "mnist-a"}, "spec": {}}
    world = Objects(service, a_configuration(), a_route(), a_revision("mnist-a"))
    seen = world.view.service(("default", "mnist"))
    assert seen is not None
    assert seen.configuration is not None
    assert seen.route is not None
    assert seen.named_revision is not None
    assert world.view.service(("default", "other")) is None


def test_a_configuration_sees_only_revisions_of_its_own() -> None:
    configuration = a_configuration(generation=2)
    world = Objects(
        configuration,
        a_revision("mnist-00001"),
        a_revision("mnist-00002", of=a_configuration(uid="one before")),
    )
    seen = world.view.configuration(key_of(configuration))
    assert seen is not None
    assert named(seen.revisions) == ["mnist-00001"]
    assert seen.named is not None


def test_a_revision_and_its_pods() -> None:
    name = {"serving.knative.dev/revision": "mnist-00001"}
    label = {**name, "serving.knative.dev/revisionUID": a_revision()["metadata"]["uid"]}
    older = {**name, "serving.knative.dev/revisionUID": "one that had the name before"}
    world = Objects(
        a_revision(),
        stored("Deployment", "mnist-00001-deployment"),
        stored("PodAutoscaler", "mnist-00001"),
        stored("Pod", "a", labels=label),
        stored("Pod", "b", labels=label),
        stored("Pod", "c"),
        stored("Pod", "d", labels=older),
    )
    seen = world.view.revision(("default", "mnist-00001"))
    assert seen is not None
    assert seen.deployment is not None
    assert seen.podautoscaler is not None
    assert named(seen.pods) == ["a", "b"]


def test_a_route_sees_what_it_names_and_what_that_leads_to() -> None:
    configuration = a_configuration()
    configuration["status"] = {"latestReadyRevisionName": "mnist-00002"}
    route = a_route(
        {"configurationName": "mnist"}, {"revisionName": "mnist-00001"}, {"revisionName": "none"}
    )
    world = Objects(
        configuration,
        route,
        a_revision("mnist-00001"),
        a_revision("mnist-00002"),
        a_revision("mnist-00003"),
    )
    seen = world.view.route(key_of(route))
    assert seen is not None
    assert sorted(seen.revisions) == ["mnist-00001", "mnist-00002"]
    assert sorted(seen.configurations) == ["mnist"]


def test_marks_concern_the_siblings_of_what_a_route_names() -> None:
    marked = a_revision(
        "old-00001",
        of=a_configuration("old"),
        annotations={"serving.knative.dev/routes": "mnist"},
    )
    world = Objects(
        a_configuration(),
        a_route({"revisionName": "mnist-00001"}),
        a_revision("mnist-00001"),
        a_revision("mnist-00002"),
        marked,
        a_revision("other-00001", of=a_configuration("other")),
    )
    seen = world.view.labels(("default", "mnist"))
    assert named(seen.revisions) == ["mnist-00001", "mnist-00002", "old-00001"]
    world.remove(a_route({"revisionName": "mnist-00001"}))
    seen = world.view.labels(("default", "mnist"))
    assert seen.route is None
    assert named(seen.revisions) == ["old-00001"]


def test_one_object_by_its_key() -> None:
    world = Objects(a_service())
    assert world.view.get(SERVICES, ("default", "mnist")) == a_service()
    assert world.view.get(ROUTES, ("default", "mnist")) is None
    assert world.view.all(REVISIONS, [("default", "none")]) == []
    assert world.view.get(CONFIGURATIONS, ("default", "mnist")) is None


def test_a_route_that_moves_looks_at_what_it_serves_too() -> None:
    serving = saying(
        a_route({"configurationName": "mnist"}), traffic=[{"revisionName": "mnist-00001"}]
    )
    configuration = saying(a_configuration(), latestReadyRevisionName="mnist-00002")
    world = Objects(
        serving, configuration, a_revision("mnist-00001"), a_revision("mnist-00002"), a_revision()
    )
    seen = world.view.route(("default", "mnist"), rollout_s=7)
    assert seen is not None
    assert sorted(seen.revisions) == ["mnist-00001", "mnist-00002"]
    assert seen.rollout_s == 7


def test_a_pinned_route_knows_the_configuration_of_its_revision() -> None:
    world = Objects(a_route({"revisionName": "mnist-00001"}), a_revision(), a_configuration())
    seen = world.view.route(("default", "mnist"))
    assert seen is not None
    assert list(seen.configurations) == ["mnist"]


def test_a_name_that_another_route_has() -> None:
    tagged = a_route({"revisionName": "x", "tag": "a"}, name="b")
    world = Objects(tagged, a_route(name="a-b"), a_route(name="a-b", namespace="other"))
    seen = world.view.route(("default", "b"))
    assert seen is not None
    assert list(seen.lost_names) == ["a-b"]
    assert world.view.rivals_of(tagged) == [("default", "a-b")]
    world.remove(a_route(name="a-b"))
    seen = world.view.route(("default", "b"))
    assert seen is not None
    assert list(seen.lost_names) == []


def test_what_may_be_collected_is_seen_with_what_is_routed() -> None:
    above = a_configuration()
    world = Objects(
        above,
        a_revision("mnist-00001", of=above),
        a_revision("mnist-00002", of=above, generation=2),
        a_revision("theirs", of=a_configuration(uid="another")),
        saying(a_route(), traffic=[{"revisionName": "mnist-00002"}]),
    )
    seen = world.view.collection(("default", "mnist"), Collection())
    assert seen is not None
    assert named(seen.revisions) == ["mnist-00001", "mnist-00002"]
    assert set(seen.routed) == {"mnist-00002"}
    assert world.view.collection(("default", "gone"), Collection()) is None


def test_a_domainmapping_its_rivals_and_what_it_means() -> None:
    rival = a_mapping(namespace="other")
    world = Objects(a_mapping(), rival, a_service(), a_route(), a_mapping("else.example.com"))
    seen = world.view.domainmapping(("default", "www.example.com"), 8080)
    assert seen is not None
    assert seen.target is not None
    assert (seen.target["kind"], seen.port) == ("Service", 8080)
    assert list(seen.rivals) == [rival]
    route = a_mapping("r.example.com", kind="Route")
    world.put(route)
    seen = world.view.domainmapping(("default", "r.example.com"), None)
    assert seen is not None
    assert seen.target is not None
    assert seen.target["kind"] == "Route"
    assert world.view.mappings_by_target.get(("Route", "default", "mnist")) == (
        ("default", "r.example.com"),
    )


def test_a_mapping_of_a_host_that_a_route_has() -> None:
    route = a_route() | {"status": {"url": "http://mnist.default.localhost:8080"}}
    mine, theirs = a_mapping("mnist.default.localhost", to="mnist"), a_mapping("free.example.com")
    world = Objects(route, mine, theirs)
    own = world.view.domainmapping(("default", "mnist.default.localhost"), None)
    free = world.view.domainmapping(("default", "free.example.com"), None)
    assert own is not None
    assert free is not None
    assert (own.is_of_a_route, free.is_of_a_route) == (False, False)
    world.put(a_mapping("mnist.default.localhost", to="another"))
    other = world.view.domainmapping(("default", "mnist.default.localhost"), None)
    assert other is not None
    assert other.is_of_a_route
    world.remove(route)
    other = world.view.domainmapping(("default", "mnist.default.localhost"), None)
    assert other is not None
    assert not other.is_of_a_route


def test_of_other_peoples_pods_hardly_anything_is_held() -> None:
    metadata = {"name": "p", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    foreign = {"metadata": {**metadata, "labels": {"app": "x"}}, "spec": {"containers": []}}
    assert ours_whole(foreign) == {"metadata": metadata}
    warm = pool.make_pod("n", "0123", {"containers": [{"name": "c"}]}, name="p", key="k")
    retired = {keys.APP: warm["metadata"]["labels"][keys.APP]}
    for labels in ({keys.REVISION: "x"}, warm["metadata"]["labels"], retired):
        ours = {"metadata": {**metadata, "labels": labels}, "spec": {}}
        assert ours_whole(ours) is ours


def test_of_deployments_those_of_revisions_are_held_whole() -> None:
    revision = a_revision()
    made = make_deployment(revision, replicas=2)
    assert revisions_whole(made) is made
    metadata = {"name": "d", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    theirs = {"metadata": {**metadata, "labels": {"a": "b"}}, "spec": {"replicas": 3, "x": "y"}}
    kept = revisions_whole(theirs)
    assert kept == {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 3}}


def test_a_deployment_of_somebody_elses_that_has_our_name_is_told() -> None:
    revision = a_revision()
    taken = {"metadata": {"name": "mnist-00001-deployment", "namespace": "default", "uid": "u"}}
    seen = Observed(
        revision=revision,
        deployment=revisions_whole({**taken, "spec": {"template": {}}}),
        podautoscaler=None,
        pods=[],
        predictor=PredictorPods(),
    )
    made = plan(seen, now="2027-01-15T08:00:00Z")
    assert made.status is not None
    ready = next(each for each in made.status["conditions"] if each["type"] == "Ready")
    assert ready["message"] == (
        'There is an existing Deployment "mnist-00001-deployment" that we do not own.'
    )
