from typing import Any

import pytest

from api.kinds import DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS, SERVICES, Resource
from cluster.errors import InvalidError
from embedded.builtin import check, defaulted, with_status
from tests.cluster.serving import deployment, namespace, pod, service


def causes(resource: Resource, new: dict[str, Any], old: Any = None) -> dict[str, str]:
    try:
        check(resource, new, old)
    except InvalidError as error:
        return {cause["field"]: cause["message"] for cause in error.details["causes"]}
    return {}


def test_a_namespace_is_active_and_labelled() -> None:
    found = defaulted(NAMESPACES, namespace("team", labels={"a": "b"}))
    assert found["status"] == {"phase": "Active"}
    assert found["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "team"}


def test_a_namespace_that_goes_stays_so() -> None:
    going = namespace("team") | {"status": {"phase": "Terminating"}}
    assert defaulted(NAMESPACES, going)["status"] == {"phase": "Terminating"}


@pytest.mark.parametrize("replicas", [{}, {"replicas": None}])
def test_a_deployment_has_one_replica(replicas: dict[str, Any]) -> None:
    raw = deployment()
    del raw["spec"]["replicas"]
    raw["spec"] |= replicas
    assert defaulted(DEPLOYMENTS, raw)["spec"]["replicas"] == 1
    assert defaulted(DEPLOYMENTS, deployment(replicas=0))["spec"]["replicas"] == 0


def test_what_is_new_has_a_status_to_read() -> None:
    made = defaulted(PODS, pod())
    assert made["status"] == {"phase": "Pending"}
    assert made["spec"] == {**pod()["spec"], "securityContext": {}}  # kubectl debug reads it
    assert causes(PODS, made, pod()) == {}  # of a Pod from before that, too
    assert defaulted(DEPLOYMENTS, {"spec": None}) == {"spec": None, "status": {}}
    for status in ({"phase": "Running"}, {"replicas": 1}):
        for resource, raw in ((PODS, pod()), (DEPLOYMENTS, deployment())):
            assert defaulted(resource, raw | {"status": status})["status"] == status


def test_others_are_left_as_they_are() -> None:
    raw = service()
    assert defaulted(SERVICES, raw) is raw


def test_status_is_all_that_a_status_write_changes() -> None:
    old = deployment() | {"status": {"replicas": 1}}
    changed = deployment(replicas=9) | {"status": {"replicas": 2}}
    changed["metadata"]["labels"] = {"a": "b"}
    assert with_status(DEPLOYMENTS, old, changed) == old | {"status": {"replicas": 2}}
    assert "status" not in with_status(DEPLOYMENTS, old, deployment())


def test_on_pods_it_also_changes_labels_and_annotations() -> None:
    old = pod(labels={"a": "b"}, annotations={"x": "1"}, uid="u")
    changed = pod(annotations={"x": "2"}, uid="v") | {"status": {"phase": "Running"}}
    found = with_status(PODS, old, changed)
    assert found["metadata"] == pod(annotations={"x": "2"}, uid="u")["metadata"]
    assert old["metadata"]["labels"] == {"a": "b"}


def test_a_pod_that_was_taken_says_where_it_runs() -> None:
    waiting, running = {"phase": "Pending"}, {"phase": "Running", "hostIP": "127.0.0.1"}
    assert "nodeName" not in with_status(PODS, pod(), pod() | {"status": waiting})["spec"]
    assert "nodeName" not in with_status(PODS, pod(), pod())["spec"]
    taken = with_status(PODS, pod(), pod() | {"status": running})
    assert taken["spec"] == {**pod()["spec"], "nodeName": "localhost"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("restartPolicy", "Bogus", 'supported values: "Always", "OnFailure", "Never"'),
        ("terminationGracePeriodSeconds", -1, "Invalid value: -1: must be greater than or equal"),
    ],
)
def test_a_pod_says_what_kubernetes_understands(field: str, value: Any, words: str) -> None:
    assert (
        words in causes(PODS, {**pod(), "spec": {**pod()["spec"], field: value}})[f"spec.{field}"]
    )


@pytest.mark.parametrize("field", ["imagePullPolicy", "terminationMessagePolicy"])
def test_a_container_says_what_kubernetes_understands(field: str) -> None:
    spec = {"containers": [{"name": "c", "image": "i", field: "Bogus"}]}
    found = causes(PODS, {**pod(), "spec": spec})
    assert 'Unsupported value: "Bogus"' in found[f"spec.containers[0].{field}"]


def test_pods_of_a_deployment_run_for_ever() -> None:
    raw = deployment()
    raw["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    found = causes(DEPLOYMENTS, raw)
    assert found["spec.template.spec.restartPolicy"].endswith('supported values: "Always"')


def test_good_objects_pass() -> None:
    event = {"metadata": {"name": "e", "namespace": "n"}, "involvedObject": {"namespace": "n"}}
    for resource, raw in (
        (PODS, pod()),
        (DEPLOYMENTS, deployment()),
        (NAMESPACES, namespace("n")),
        (EVENTS, event),
        (SERVICES, {"anything": True}),
    ):
        assert causes(resource, raw) == {}


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        (None, "spec", "Required"),
        ({}, "spec.containers", "Required"),
        ({"containers": []}, "spec.containers", "Required"),
        ({"containers": ["x"]}, "spec.containers[0]", "must be an object"),
        ({"containers": [{"image": "x"}]}, "spec.containers[0].name", "Required"),
        ({"containers": [{"name": "x"}]}, "spec.containers[0].image", "Required"),
        (
            {"containers": [{"name": "x", "image": "i"}, {"name": "x", "image": "i"}]},
            "spec.containers[1].name",
            'Duplicate value: "x"',
        ),
    ],
)
def test_a_pod_must_say_what_it_runs(spec: Any, field: str, words: str) -> None:
    assert words in causes(PODS, {**pod(), "spec": spec})[field]


def test_a_pod_does_not_change_what_it_runs() -> None:
    placed = pod()
    placed["spec"] = {**placed["spec"], "nodeName": "here", "terminationGracePeriodSeconds": 3}
    assert causes(PODS, placed, pod()) == {}
    other = pod()
    other["spec"] = {"containers": [{"name": "c", "image": "other"}]}
    assert "may not change the spec" in causes(PODS, other, pod())["spec"]


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"replicas": -1}, "spec.replicas", "must be 0 or greater"),
        ({"selector": None}, "spec.selector.matchLabels", "Required"),
        ({"selector": {"matchLabels": {}}}, "spec.selector.matchLabels", "Required"),
        ({"selector": {"matchLabels": {"app": "x"}}}, "spec.template.metadata.labels", "not match"),
        (
            {"selector": {"matchLabels": {"app": "d"}, "matchExpressions": []}},
            "spec.selector.matchExpressions",
            "not supported",
        ),
        ({"template": None}, "spec.template", "Required"),
        ({"template": {"metadata": {"labels": {"app": "d"}}}}, "spec.template.spec", "Required"),
    ],
)
def test_a_deployment_must_make_pods_of_its_own(
    spec: dict[str, Any], field: str, words: str
) -> None:
    assert words in causes(DEPLOYMENTS, deployment(**spec))[field]
    assert causes(DEPLOYMENTS, {**deployment(), "spec": None}) == {"spec": "Required value"}


def test_the_selector_of_a_deployment_never_changes() -> None:
    other = deployment()
    other["spec"]["selector"] = {"matchLabels": {"app": "d", "more": "x"}}
    other["spec"]["template"]["metadata"]["labels"] = {"app": "d", "more": "x"}
    assert causes(DEPLOYMENTS, other, deployment()) == {
        "spec.selector": "Invalid value: field is immutable"
    }


@pytest.mark.parametrize(
    ("involved", "field"),
    [
        (None, "involvedObject"),
        ({"namespace": "other"}, "involvedObject.namespace"),
        ({}, "involvedObject.namespace"),
    ],
)
def test_an_event_stands_where_its_object_does(involved: Any, field: str) -> None:
    raw = {"metadata": {"name": "e", "namespace": "n"}, "involvedObject": involved}
    assert field in causes(EVENTS, raw)


def test_a_node_takes_no_orders_that_nobody_would_follow() -> None:
    plain: dict[str, Any] = {"metadata": {"name": "localhost"}, "spec": {}}
    cordoned = plain | {"spec": {"unschedulable": True, "taints": [{"key": "a"}]}}
    assert set(causes(NODES, cordoned, plain)) == {"spec.taints", "spec.unschedulable"}
    assert causes(NODES, plain, cordoned) == {}  # what an older version took can be undone
    assert causes(NODES, plain | {"metadata": {"name": "localhost", "labels": {}}}, plain) == {}
