from typing import Any

import pytest

from api.conditions import Condition
from autoscaler import serverless_objects
from autoscaler.idling import Life, Phase
from autoscaler.serverless_objects import Standing, told
from autoscaler.status import conditions

AUTOSCALER: dict[str, Any] = {
    "metadata": {
        "name": "r-00001",
        "namespace": "default",
        "uid": "u1",
        "labels": {"serving.knative.dev/service": "r"},
        "annotations": {
            "autoscaling.knative.dev/class": "autoscaler.relight.dev",
            "autoscaling.knative.dev/metric": "",
        },
    },
    "spec": {
        "protocolType": "h2c",
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
    },
}
GOOD = {
    "serviceName": "r-00001",
    "privateServiceName": "r-00001-private",
    "conditions": [{"type": "Ready", "status": "True"}],
}


def stored(**status: Any) -> dict[str, Any]:
    found = serverless_objects.made(AUTOSCALER, mode="Proxy", activators=2)
    return {**found, "status": status} if status else found


def test_the_object_is_the_one_that_knative_makes() -> None:
    made = stored()
    assert made == {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": "ServerlessService",
        "metadata": {
            "name": "r-00001",
            "namespace": "default",
            "labels": AUTOSCALER["metadata"]["labels"],
            "annotations": {"autoscaling.knative.dev/class": "autoscaler.relight.dev"},
            "ownerReferences": [
                {
                    "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
                    "kind": "PodAutoscaler",
                    "name": "r-00001",
                    "uid": "u1",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "mode": "Proxy",
            "numActivators": 2,
            "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            "protocolType": "h2c",
        },
    }
    assert serverless_objects.is_owned(made, "u1")
    assert not serverless_objects.is_owned(made, "u2")


def test_only_what_differs_is_written() -> None:
    wanted = serverless_objects.made(AUTOSCALER, mode="Serve", activators=2)
    assert serverless_objects.patch(stored(), wanted) == {"spec": {"mode": "Serve"}}
    assert serverless_objects.patch(wanted, wanted) is None
    bare = {**wanted, "metadata": {"name": "r-00001", "labels": {"x": "y"}}}
    assert serverless_objects.patch(bare, wanted) is None


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (None, Standing()),
        (stored(), Standing()),
        (
            stored(**GOOD),
            Standing(
                service_name="r-00001", private_name="r-00001-private", is_ready=True, message=""
            ),
        ),
        (
            stored(**{**GOOD, "conditions": [{"type": "Ready", "status": "Unknown"}]}),
            Standing(service_name="r-00001", private_name="r-00001-private", message=""),
        ),
        (stored(serviceName="r-00001"), Standing(service_name="r-00001")),
    ],
)
def test_what_it_says_of_itself(service: dict[str, Any] | None, expected: Standing) -> None:
    assert serverless_objects.standing(service, uid="u1", can_wake=True) == expected


def test_somebody_elses_object_is_not_ours_to_write() -> None:
    found = serverless_objects.standing(stored(**GOOD), uid="u2", can_wake=True)
    assert found == Standing(is_foreign=True)


def active(standing: Standing) -> dict[str, Condition]:
    life = Life(phase=Phase.ACTIVE, since_s=0, is_initialized=True, proxy_since_s=None)
    return {each.type: each for each in told("r", conditions(life, ""), standing)}


def test_ready_is_all_of_them() -> None:
    good = Standing(service_name="r", private_name="p", is_ready=True, message="")
    found = {type_: each.status for type_, each in active(good).items()}
    parts = ("Active", "Ready", "SKSReady", "ScaleTargetInitialized")
    assert found == dict.fromkeys(parts, "True")


def test_without_services_nothing_is_ready() -> None:
    found = active(Standing())
    assert found["SKSReady"] == Condition(
        type="SKSReady", status="Unknown", reason="NotReady", message="No Private Service Name"
    )
    assert found["ScaleTargetInitialized"].status == "Unknown"
    assert (found["Ready"].status, found["Ready"].reason) == ("Unknown", "NotReady")


def test_a_foreign_object_makes_it_inactive_in_knatives_words() -> None:
    found = active(Standing(is_foreign=True))["Active"]
    assert (found.status, found.reason) == ("False", "NotOwned")
    assert found.message == 'There is an existing ServerlessService "r" that we do not own.'


def test_that_nothing_goes_to_zero_is_told_and_does_not_gate_ready() -> None:
    good = Standing(service_name="r", private_name="p", is_ready=True, can_wake=False)
    found = active(good)
    assert found["Ready"].status == "True"
    told_ = found["WakesFromZero"]
    assert (told_.status, told_.reason, told_.severity) == ("False", "ActivatorMetricsOff", "Info")
    assert "config-observability" in told_.message


def test_equal_ones_are_one_object() -> None:
    life = Life(phase=Phase.ACTIVE, since_s=0, is_initialized=True, proxy_since_s=None)
    assert told("r", conditions(life, ""), Standing()) is told(
        "r", conditions(life, ""), Standing()
    )
