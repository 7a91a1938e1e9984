import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from api.autoscaler_config import Defaults, parse
from api.errors import InvalidObjectError
from api.quantities import parse as parse_quantity
from autoscaler import hpa
from tests.autoscaler.world import podautoscaler


def autoscaler(reachability: str = "Reachable", **annotations: str) -> dict[str, Any]:
    raw = podautoscaler("r", reachability=reachability, **annotations)
    raw["metadata"]["annotations"][keys.SCALING_CLASS] = keys.CLASS_HPA
    raw["metadata"] |= {"uid": "u-1", "generation": 3, "labels": {"app": "r"}}
    return raw


def spec(reachability: str = "Reachable", **annotations: str) -> dict[str, Any]:
    found = hpa.horizontal(autoscaler(reachability, **annotations), Defaults())
    return dict(found["spec"])


def test_a_podautoscaler_without_a_word_has_no_metrics_and_no_bounds() -> None:
    raw = autoscaler()
    assert hpa.horizontal(raw, Defaults()) == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "r",
            "namespace": "default",
            "labels": {"app": "r"},
            "annotations": {keys.SCALING_CLASS: keys.CLASS_HPA},
            "ownerReferences": [
                {
                    "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
                    "kind": "PodAutoscaler",
                    "name": "r",
                    "uid": "u-1",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "r-deployment",
            },
            "maxReplicas": 2147483647,
        },
    }
    older = hpa.horizontal(raw, Defaults(), hpa.V2BETA2)
    assert older["apiVersion"] == "autoscaling/v2beta2"


@pytest.mark.parametrize(
    ("metric", "target", "expected"),
    [
        (
            "cpu",
            "70.1",
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 71},
                },
            },
        ),
        (
            "memory",
            "1536.9",
            {
                "type": "Resource",
                "resource": {
                    "name": "memory",
                    "target": {"type": "AverageValue", "averageValue": "1536Mi"},
                },
            },
        ),
        (
            "my-queue",
            "2000.5",
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "my-queue"},
                    "target": {"type": "AverageValue", "averageValue": "2k"},
                },
            },
        ),
    ],
)
def test_metrics(metric: str, target: str, expected: dict[str, Any]) -> None:
    assert spec(metric=metric, target=target)["metrics"] == [expected]


def test_cpu_is_the_metric_where_only_a_target_is_named() -> None:
    assert spec(target="50")["metrics"][0]["resource"]["name"] == "cpu"
    assert "metrics" not in spec(metric="memory")


def test_bounds_and_window() -> None:
    found = spec(min_scale="2", max_scale="5", window="20s")
    assert (found["minReplicas"], found["maxReplicas"]) == (2, 5)
    rules = {"stabilizationWindowSeconds": 20}
    assert found["behavior"] == {"scaleDown": rules, "scaleUp": rules}
    assert "minReplicas" not in spec(min_scale="2", reachability="Unreachable")
    settings = parse({"min-scale": "1", "max-scale": "4", "stable-window": "30s"})
    by_settings = hpa.horizontal(autoscaler(), settings)["spec"]
    assert (by_settings["minReplicas"], by_settings["maxReplicas"]) == (1, 4)
    assert "behavior" not in by_settings  # as in Knative, only by annotation


def test_what_has_no_effect_is_refused() -> None:
    with pytest.raises(InvalidObjectError, match="target-burst-capacity"):
        spec(target_burst_capacity="7")


@given(st.integers(0, 10**9))
def test_quantities_are_what_was_asked_for(target: int) -> None:
    text = str(max(1, target))
    memory = spec(metric="memory", target=text)["metrics"][0]["resource"]["target"]
    assert parse_quantity(memory["averageValue"]) == max(1, target) * 2**20
    custom = spec(metric="mine", target=text)["metrics"][0]["pods"]["target"]
    assert parse_quantity(custom["averageValue"]) == max(1, target)


@pytest.mark.parametrize(
    ("wanted", "stored", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "selectPolicy": "Max"}}, True),
        ({"a": {"b": 1}}, {"a": 3}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {}]}, False),
        ({"a": [1]}, {}, False),
        ({"a": 1}, None, False),
    ],
)
def test_defaults_of_the_server_are_no_difference(
    wanted: Any, stored: Any, *, expected: bool
) -> None:
    assert hpa.is_within(wanted, stored) is expected


def told(
    raw: dict[str, Any], *, desired: int, replicas: int, ready: int, problem: str = ""
) -> dict[str, Any]:
    found = {"status": {"desiredReplicas": desired}}
    deployment = {"spec": {"replicas": replicas}, "status": {"readyReplicas": ready}}
    made = hpa.status(raw, found=found, deployment=deployment, defaults=Defaults(), problem=problem)
    made["conditions"] = {each.type: (each.status, each.reason) for each in made["conditions"]}
    return made


def test_it_is_always_active_and_ready_once_the_initial_scale_was_reached() -> None:
    raw = autoscaler(initial_scale="2")
    starting = told(raw, desired=0, replicas=2, ready=1)
    assert (starting["desiredScale"], starting["actualScale"]) == (2, 1)
    assert starting["conditions"] == {
        "Active": ("True", ""),
        "ScaleTargetInitialized": ("Unknown", ""),
        "Ready": ("Unknown", ""),
    }
    up = told(raw, desired=4, replicas=2, ready=2)
    assert (up["desiredScale"], up["observedGeneration"], up["mode"]) == (4, 3, "Serve")
    assert set(up["conditions"].values()) == {("True", "")}
    raw["status"] = {"conditions": [{"type": "ScaleTargetInitialized", "status": "True"}]}
    assert hpa.threshold(raw, Defaults()) == 1
    assert told(raw, desired=1, replicas=1, ready=0)["conditions"]["Ready"] == ("True", "")


@pytest.mark.parametrize(
    ("problem", "reason", "message"),
    [
        (
            hpa.NOT_OWNED,
            "NotOwned",
            'There is an existing HorizontalPodAutoscaler "r" that we do not own.',
        ),
        ("quota", "FailedCreate", 'Failed to create HorizontalPodAutoscaler "r". quota'),
    ],
)
def test_without_one_of_ours_it_is_not_active(problem: str, reason: str, message: str) -> None:
    found = hpa.status(
        autoscaler(), found=None, deployment=None, defaults=Defaults(), problem=problem
    )
    active, initialized, ready = found["conditions"]
    assert (active.status, active.reason, active.message) == ("False", reason, message)
    assert (initialized.status, ready.status, ready.reason) == ("Unknown", "False", reason)
    assert math.isclose(found["desiredScale"], 0)


def test_only_what_the_podautoscaler_controls_is_its_own() -> None:
    raw = autoscaler()
    own = hpa.horizontal(raw, Defaults())
    assert hpa.is_controlled_by(own, raw)
    other = {**raw, "metadata": {**raw["metadata"], "uid": "u-2"}}
    assert not hpa.is_controlled_by(own, other)
    assert not hpa.is_controlled_by({"metadata": {}}, raw)
