"""The Services that are made: KServe's labels, annotations, limits and traffic."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import kinds
from api.admission import admit
from api.inference_components import Extension
from controller.inference_children import Wanted, make_service, traffic
from controller.inference_pods import Surroundings, pod_of
from tests.controller.inferences import isvc, runtime
from tests.controller.objects import stored
from tests.controller.test_inference_pods import parsed, runtime_of

LAPTOP = Surroundings(domain="localhost", port=8080, model_root="/work")


def child(
    raw: dict[str, Any], *, kind: str = "predictor", rolled_out: str = "", **of_runtime: Any
) -> dict[str, Any]:
    service = parsed(raw)
    runs = runtime_of(runtime(**of_runtime)) if kind == "predictor" else None
    component = next(each for each in service.components() if each.kind == kind)
    pod = pod_of(service, component, runs, LAPTOP)
    owner = {**stored("InferenceService", "iris", api="serving.kserve.io/v1beta1"), **raw}
    owner["metadata"] = {**raw["metadata"], "uid": "the-uid"}
    wanted = Wanted(component=component, runtime=runs, pod=pod)
    return make_service(owner, service, wanted, LAPTOP, rolled_out=rolled_out)


def annotations(raw: dict[str, Any], **how: Any) -> dict[str, str]:
    found: dict[str, str] = child(raw, **how)["spec"]["template"]["metadata"]["annotations"]
    return found


def test_a_service_is_one_that_knative_takes_and_says_everything() -> None:
    made = child(isvc(canaryTrafficPercent=30), rolled_out="iris-predictor-00001")
    assert admit(kinds.SERVICES, made, None, user="")["spec"] == made["spec"]
    assert made["metadata"]["name"] == "iris-predictor"
    [owner] = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (
        "InferenceService",
        "the-uid",
        True,
    )


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {"min-scale": "1"}),
        ({"minReplicas": 0}, {"min-scale": "0"}),
        ({"minReplicas": 2, "maxReplicas": 3}, {"min-scale": "2", "max-scale": "3"}),
        (
            {"scaleTarget": 5, "scaleMetric": "rps"},
            {"min-scale": "1", "target": "5", "metric": "rps"},
        ),
    ],
)
def test_scaling(fields: dict[str, Any], wanted: dict[str, str]) -> None:
    prefix = "autoscaling.knative.dev/"
    found = annotations(isvc(**fields))
    assert {k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)} == wanted


def test_limits() -> None:
    spec = child(isvc(containerConcurrency=3, timeout=60))["spec"]["template"]["spec"]
    assert spec["containerConcurrency"] == 3
    assert (spec["timeoutSeconds"], spec["responseStartTimeoutSeconds"]) == (60, 60)


def test_labels_and_annotations_are_the_components_then_the_services_then_the_runtimes() -> None:
    raw = isvc(
        labels={"a": "isvc", "b": "isvc"},
        annotations={"a": "isvc", "b": "isvc"},
    )
    raw["spec"]["predictor"] |= {"labels": {"a": "component"}, "annotations": {"a": "component"}}
    both = {"a": "runtime", "b": "runtime", "c": "runtime"}
    made = child(raw, labels=both, annotations=both)
    wanted = {"a": "component", "b": "isvc", "c": "runtime"}
    own = {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"}
    template = made["spec"]["template"]["metadata"]
    assert made["metadata"]["labels"] == template["labels"] == {**wanted, **own}
    assert {k: template["annotations"][k] for k in wanted} == wanted
    assert template["annotations"]["relight.dev/model-name"] == "iris"
    assert made["metadata"]["annotations"] == {}


def test_switches_stay_where_they_are_and_a_rollout_is_the_services() -> None:
    found = {
        "serving.kserve.io/enable-tag-routing": "true",
        "serving.knative.dev/rollout-duration": "60s",
        "relight.dev/trust-pickle": "false",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "autoscaling.knative.dev/window": "10s",
    }
    made = child(isvc(annotations=found))
    assert made["metadata"]["annotations"] == {"serving.knative.dev/rollout-duration": "60s"}
    template = made["spec"]["template"]["metadata"]["annotations"]
    assert template["autoscaling.knative.dev/window"] == "10s"
    assert not {key for key in found if "window" not in key} & set(template)


@pytest.mark.parametrize(
    "key", ["networking.kserve.io/visibility", "networking.knative.dev/visibility"]
)
def test_visibility_is_the_services_alone(key: str) -> None:
    made = child(isvc(labels={key: "cluster-local"}))
    assert made["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"
    assert not [k for k in made["spec"]["template"]["metadata"]["labels"] if "visibility" in k]


def test_a_transformer_knows_its_predictor_by_name() -> None:
    other = {"transformer": {"containers": [{"image": "example.com/t"}]}}
    found = annotations(isvc(others=other), kind="transformer")
    assert found["relight.dev/hosts"] == "iris-predictor.default.localhost"
    assert "relight.dev/hosts" not in annotations(isvc(others=other))


def test_a_logger_is_an_annotation_of_any_component() -> None:
    logger = {"logger": {"url": "http://sink", "mode": "request"}}
    wanted = {"url": "http://sink", "mode": "request", "metadataHeaders": []}
    assert json.loads(annotations(isvc(**logger))["relight.dev/logger"]) == wanted
    other = {"transformer": {"containers": [{"image": "example.com/t"}], **logger}}
    found = annotations(isvc(others=other), kind="transformer")
    assert json.loads(found["relight.dev/logger"]) == wanted
    assert "relight.dev/model-name" not in found


@pytest.mark.parametrize(
    ("percent", "rolled_out", "wanted"),
    [
        (None, "", [("", 100, "")]),
        (20, "", [("", 100, "")]),
        (20, "one", [("", 20, ""), ("one", 80, "prev")]),
        (0, "one", [("", 0, ""), ("one", 100, "prev")]),
        (100, "one", [("", 100, "")]),
        (None, "one", [("", 100, "")]),
    ],
)
def test_traffic(percent: int | None, rolled_out: str, wanted: list[Any]) -> None:
    for is_tagged in (False, True):
        found = traffic(Extension(canary_percent=percent), rolled_out, is_tagged=is_tagged)
        tag = "latest" if is_tagged else ""
        expected = [(wanted[0][0], wanted[0][1], tag), *wanted[1:]]
        assert [
            (each.get("revisionName", ""), each["percent"], each.get("tag", "")) for each in found
        ] == expected


@given(st.none() | st.integers(0, 100), st.sampled_from(["", "one"]), st.booleans())
def test_traffic_is_whole(percent: int | None, rolled_out: str, tagged: bool) -> None:
    found = traffic(Extension(canary_percent=percent), rolled_out, is_tagged=tagged)
    assert sum(each["percent"] for each in found) == 100
    assert {each["revisionName"] for each in found if "revisionName" in each} <= {rolled_out}
    assert next(each["latestRevision"] for each in found) is True


# Each field of KServe's own, with two values that must make a difference somewhere.
DIFFERENCES: list[tuple[str, Any, Any]] = [
    ("minReplicas", 1, 2),
    ("maxReplicas", 3, 4),
    ("scaleTarget", 1, 2),
    ("scaleMetric", "rps", "concurrency"),
    ("containerConcurrency", 1, 2),
    ("timeout", 10, 20),
    ("canaryTrafficPercent", 10, 20),
    ("logger.url", "http://a", "http://b"),
    ("logger.mode", "all", "request"),
    ("logger.metadataHeaders", ["a"], ["b"]),
    ("labels", {"a": "b"}, {"a": "c"}),
    ("annotations", {"a": "b"}, {"a": "c"}),
    ("model.storageUri", "/a", "/b"),
    ("model.runtimeVersion", "1", "2"),
    ("model.args", ["a"], ["b"]),
    ("model.command", ["a"], ["b"]),
    ("model.image", "example.com/a", "example.com/b"),
    ("model.env", [{"name": "A", "value": "1"}], [{"name": "A", "value": "2"}]),
    ("model.resources", {"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}),
    ("nodeSelector", {"a": "b"}, {"a": "c"}),
    ("serviceAccountName", "a", "b"),
]


@pytest.mark.parametrize(("path", "one", "two"), DIFFERENCES, ids=[d[0] for d in DIFFERENCES])
def test_every_field_makes_a_difference(path: str, one: Any, two: Any) -> None:
    def with_value(value: Any) -> dict[str, Any]:
        raw = isvc(logger={"url": "http://sink"})
        at = raw["spec"]["predictor"]
        *above, last = path.split(".")
        for step in above:
            at = at[step]
        at[last] = value
        return child(raw, rolled_out="iris-predictor-00001")

    made = [with_value(one), with_value(two)]
    assert made[0]["spec"] != made[1]["spec"]
    for each in made:
        admit(kinds.SERVICES, each, None, user="")
