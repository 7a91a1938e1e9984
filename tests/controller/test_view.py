from typing import Any

from api.kinds import CONFIGURATIONS, REVISIONS, ROUTES, SERVICES
from controller.view import WATCHED, Index, View, key_of
from tests.controller.objects import (
    a_configuration,
    a_revision,
    a_route,
    a_service,
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
    label = {"serving.knative.dev/revision": "mnist-00001"}
    world = Objects(
        a_revision(),
        stored("Deployment", "mnist-00001-deployment"),
        stored("PodAutoscaler", "mnist-00001"),
        stored("Pod", "a", labels=label),
        stored("Pod", "b", labels=label),
        stored("Pod", "c"),
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
