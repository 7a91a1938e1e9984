from api.kinds import CONFIGURATIONS, REVISIONS, SERVICES
from controller.children import (
    as_admitted,
    controller_of,
    is_controlled_by,
    is_going,
    make_child,
    passed_on,
    update_to,
    with_metadata,
)
from tests.controller.objects import SPEC, a_service, stored


def child(labels: dict[str, str], annotations: dict[str, str], spec: object) -> dict[str, object]:
    metadata = {"labels": labels, "annotations": annotations}
    return make_child(CONFIGURATIONS, a_service(), "mnist", metadata, {"template": spec})


def test_a_child_is_controlled_by_its_very_parent() -> None:
    made = child({}, {}, 1)
    assert is_controlled_by(made, a_service())
    assert not is_controlled_by(made, a_service(uid="another of the same name"))
    assert not is_controlled_by(stored("Configuration", "mnist"), a_service())
    assert controller_of(stored("Configuration", "mnist")) is None


def test_an_owner_that_does_not_control_is_none() -> None:
    owner = {"kind": "Service", "name": "mnist", "uid": "Service-mnist", "controller": False}
    assert not is_controlled_by(stored("Pod", "x", ownerReferences=[owner]), a_service())


def test_annotations_about_routing_and_kubectls_notes_stay_behind() -> None:
    annotations = {
        "serving.knative.dev/routes": "mnist",
        "serving.knative.dev/routingStateModified": "2027",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "serving.knative.dev/creator": "me",
    }
    assert passed_on(annotations) == {"serving.knative.dev/creator": "me"}


def test_a_like_child_is_not_written() -> None:
    made = child({"a": "1"}, {"b": "2"}, {"x": 1})
    existing = {**made, "metadata": {**made["metadata"], "resourceVersion": "7"}}
    assert update_to(CONFIGURATIONS, existing, made) is None


def test_an_update_replaces_what_is_ours_and_keeps_the_version_read() -> None:
    made = child({"a": "1"}, {}, {"x": 1})
    existing = {
        **child({"gone": "1"}, {"gone": "2"}, {"x": 0}),
        "status": {"observedGeneration": 1},
    }
    existing["metadata"] = {**existing["metadata"], "resourceVersion": "7"}
    write = update_to(CONFIGURATIONS, existing, made)
    assert write is not None
    assert write.name == "mnist"
    assert write.object["metadata"]["resourceVersion"] == "7"
    assert write.object["metadata"]["labels"] == {"a": "1"}
    assert write.object["metadata"]["annotations"] == {}
    assert write.object["spec"] == {"template": {"x": 1}}
    assert write.object["status"] == {"observedGeneration": 1}


def test_changing_metadata_leaves_the_original_alone() -> None:
    raw = a_service(labels={"a": "1"})
    changed = with_metadata(raw, annotations={"b": "2"})
    assert changed["metadata"]["labels"] == {"a": "1"}
    assert raw["metadata"]["annotations"] == {}
    assert with_metadata(raw, labels={}, annotations={})["metadata"]["labels"] == {}


def test_going() -> None:
    assert is_going(a_service(deletionTimestamp="2027"))
    assert not is_going(a_service())


def test_what_no_webhook_has_seen_gets_its_defaults() -> None:
    container = {"image": "example.com/serve"}
    raw = stored("Service", "mnist", {"template": {"spec": {"containers": [container]}}})
    spec = as_admitted(SERVICES, raw)["spec"]
    assert spec["template"]["spec"]["containers"][0]["name"] == "user-container"
    assert spec["template"]["spec"]["timeoutSeconds"] == 300
    assert spec["traffic"] == [{"latestRevision": True, "percent": 100}]
    revision = stored("Revision", "mnist-00001", {"containers": [container]})
    assert as_admitted(REVISIONS, revision)["spec"]["containers"][0]["name"] == "user-container"


def test_what_was_admitted_stays_as_it_is() -> None:
    assert as_admitted(SERVICES, a_service()) == a_service()
    revision = stored("Revision", "mnist-00001", SPEC)
    assert as_admitted(REVISIONS, revision) is revision
