"""Whose changes concern an InferenceService, and what its planner is shown."""

from typing import Any

from api.conditions import Condition
from api.kinds import (
    CLUSTERSERVINGRUNTIMES,
    INFERENCESERVICES,
    PODS,
    REVISIONS,
    SERVICES,
    SERVINGRUNTIMES,
    Resource,
)
from controller.inference_view import concerned, observe
from controller.view import WATCHED, Key, View, key_of
from tests.controller.inferences import isvc, runtime
from tests.controller.objects import a_revision, a_service, owned_by, ready, saying, stored

IRIS = ("default", "iris")


def owner() -> dict[str, Any]:
    raw = isvc()
    raw["metadata"]["uid"] = "the-uid"
    return raw


def seen(*found: tuple[Resource, dict[str, Any]]) -> View:
    objects: dict[Resource, dict[Key, Any]] = {each: {} for each in WATCHED}
    view = View(objects)
    for resource, raw in found:
        objects[resource][key_of(raw)] = raw
        view.change(resource, None, raw)
    return view


def labelled(kind: str, name: str) -> dict[str, Any]:
    return stored(kind, name, labels={"serving.kserve.io/inferenceservice": "iris"})


def test_children_concern_their_inference_service() -> None:
    view = seen((INFERENCESERVICES, owner()))
    for resource, kind in ((SERVICES, "Service"), (REVISIONS, "Revision"), (PODS, "Pod")):
        raw = labelled(kind, "any")
        assert [*concerned(view, resource, None, raw)] == [IRIS]
        assert [*concerned(view, resource, raw, None)] == [IRIS]
        assert [*concerned(view, resource, None, stored(kind, "other"))] == []
    assert [*concerned(view, INFERENCESERVICES, None, owner())] == [IRIS]


def test_a_stranger_under_a_childs_name_does_too() -> None:
    view = seen((INFERENCESERVICES, owner()))
    assert [*concerned(view, SERVICES, None, a_service("iris-transformer"))] == [IRIS]
    assert [*concerned(view, SERVICES, None, a_service("iris"))] == [IRIS]
    assert [*concerned(view, SERVICES, None, a_service("rose-predictor"))] == []


def test_runtimes_concern_whoever_may_use_them() -> None:
    view = seen((INFERENCESERVICES, owner()))
    assert [*concerned(view, SERVINGRUNTIMES, None, runtime())] == [IRIS]
    elsewhere = runtime()
    elsewhere["metadata"]["namespace"] = "other"
    assert [*concerned(view, SERVINGRUNTIMES, None, elsewhere)] == []
    assert [*concerned(view, CLUSTERSERVINGRUNTIMES, None, runtime(cluster=True))] == [IRIS]


def test_a_pod_is_news_when_it_begins_or_ends_to_serve() -> None:
    view = seen((INFERENCESERVICES, owner()))
    raw = labelled("Pod", "p")
    up, down = saying(raw, ready()), saying(raw, ready("False"))
    assert [*concerned(view, PODS, up, down)] == [IRIS]
    noted = {**up, "metadata": {**up["metadata"], "annotations": {"a": "b"}}}
    assert [*concerned(view, PODS, up, noted)] == []


def test_the_planner_sees_children_runtimes_and_replicas() -> None:
    mine = a_service("iris-predictor", ownerReferences=owned_by(owner()))
    mine = saying(
        mine,
        Condition(type="Ready", status="True"),
        latestCreatedRevisionName="r2",
        latestReadyRevisionName="r1",
    )
    prefix = "serving.knative.dev/revision"
    pods = [
        stored("Pod", f"p{n}", labels={prefix: f"r{n}", f"{prefix}UID": f"Revision-r{n}"})
        for n in (1, 2)
    ]
    of_another = stored("Pod", "old", labels={prefix: "r2", f"{prefix}UID": "before"})
    elsewhere = runtime("elsewhere")
    elsewhere["metadata"]["namespace"] = "other"
    view = seen(
        (INFERENCESERVICES, owner()),
        (SERVICES, mine),
        (SERVICES, a_service("iris-explainer")),
        (SERVINGRUNTIMES, runtime()),
        (SERVINGRUNTIMES, elsewhere),
        (CLUSTERSERVINGRUNTIMES, runtime("all", cluster=True)),
        (REVISIONS, a_revision("r1")),
        (REVISIONS, a_revision("r2")),
        *((PODS, each) for each in (*pods, of_another)),
    )
    found = observe(view, IRIS)
    assert found is not None
    assert set(found.children) == {"predictor", "explainer"}
    assert [each["metadata"]["name"] for each in found.runtimes] == ["toys", "all"]
    assert found.latest.revision == a_revision("r2")
    assert found.latest.pods == [pods[1]]
    assert found.active.revision == a_revision("r1")
    assert observe(view, ("default", "rose")) is None


def test_a_strangers_revisions_are_not_ours() -> None:
    foreign = saying(a_service("iris-predictor"), ready(), latestCreatedRevisionName="r1")
    view = seen((INFERENCESERVICES, owner()), (SERVICES, foreign), (REVISIONS, a_revision("r1")))
    found = observe(view, IRIS)
    assert found is not None
    assert found.latest.revision is None
