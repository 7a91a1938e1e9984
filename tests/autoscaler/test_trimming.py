import copy
from typing import Any

import pytest

from api import keys
from api.autoscaling import PodAutoscaler
from autoscaler.trimming import Trimmer
from tests.autoscaler.world import deployment, podautoscaler

SEEN = {"uid": "u", "resourceVersion": "7"}
OWNED = {"managedFields": [{}], "ownerReferences": [{}], "creationTimestamp": "now"}


def scaled(replicas: int, ready: int | None = None) -> dict[str, Any]:
    raw = deployment("r", replicas)
    raw["metadata"] |= SEEN | OWNED
    raw["status"] = {"replicas": replicas, "conditions": []}
    if ready is not None:
        raw["status"]["readyReplicas"] = ready
    return raw


def test_of_a_deployment_two_numbers_are_kept() -> None:
    metadata = {"name": "r-deployment", "namespace": "default"} | SEEN
    kept = Trimmer().deployment(scaled(3, 2))
    assert kept == {
        "metadata": metadata,
        "spec": {"replicas": 3},
        "status": {"readyReplicas": 2},
    }
    assert Trimmer().deployment(scaled(3))["status"] == {}
    bare = {"metadata": {"name": "x"}}
    assert Trimmer().deployment(bare) == bare | {"spec": {}, "status": {}}


def test_equal_numbers_are_one_object() -> None:
    trimmer = Trimmer()
    one, two, other = (trimmer.deployment(scaled(*each)) for each in ((3, 3), (3, 3), (4, 0)))
    assert one["spec"] is two["spec"]
    assert one["status"] is two["status"]
    assert other["spec"] == {"replicas": 4}


def watched(second: int = 0) -> dict[str, Any]:
    raw = podautoscaler("r", window="30s")
    raw["metadata"] |= SEEN | OWNED | {"generation": 2}
    raw["metadata"]["labels"] = {keys.SERVICE: "s", "app": "r"}
    raw["status"] = {
        "desiredScale": 1,
        "conditions": [
            {"type": "Active", "status": "True", "lastTransitionTime": f"t{second}"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "t"},
        ],
    }
    return raw


def test_of_a_podautoscaler_all_is_kept_that_is_read_or_compared() -> None:
    raw = watched()
    before = copy.deepcopy(raw)
    kept = Trimmer().autoscaler(raw)
    assert raw == before, "what a cache holds is shared"
    assert (kept["spec"], kept["status"]) == (raw["spec"], raw["status"])
    annotations = raw["metadata"]["annotations"]
    assert kept["metadata"] == SEEN | {
        "name": "r",
        "namespace": "default",
        "generation": 2,
        "labels": {keys.SERVICE: "s"},
        "annotations": annotations,
    }
    parsed = PodAutoscaler.parse(kept)
    assert parsed.scale_target_name == "r-deployment"
    going = watched()
    going["metadata"]["deletionTimestamp"] = "soon"
    assert Trimmer().autoscaler(going)["metadata"]["deletionTimestamp"] == "soon"


def test_one_without_status_has_none_and_one_without_conditions_keeps_the_rest() -> None:
    raw = watched()
    del raw["status"]
    assert "status" not in Trimmer().autoscaler(raw)
    raw["status"] = {"desiredScale": 1}
    assert Trimmer().autoscaler(raw)["status"] == {"desiredScale": 1}


def test_equal_conditions_are_one_object_and_what_is_remembered_is_bounded() -> None:
    trimmer = Trimmer()
    one, two = (trimmer.autoscaler(watched()) for _ in range(2))
    assert one["status"]["conditions"] is two["status"]["conditions"]
    for second in range(3000):
        kept = trimmer.autoscaler(watched(second))
        assert kept["status"] == watched(second)["status"]
        assert len(trimmer._shared) <= 1024


def pod(**changes: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "metadata": {
            "name": "p",
            "namespace": "default",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"serving.knative.dev/revision": "r", "app": "r"},
        },
        "spec": {
            "containers": [
                {"name": "beside"},
                {"name": "user-container", "ports": [{"containerPort": 9000}]},
            ]
        },
        "status": {"podIP": "10.1.2.3", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    return {name: {**part, **changes.get(name, {})} for name, part in raw.items()}


def test_of_a_pod_is_kept_whose_it_is_and_where_it_is_asked() -> None:
    kept = Trimmer().pod(pod())
    assert kept["metadata"]["labels"] == {"serving.knative.dev/revision": "r"}
    assert kept["status"] == {"endpoint": "10.1.2.3:9000"}
    plain = Trimmer().pod(pod(spec={"containers": [{"name": "c"}]}, status={"podIP": "fd00::1"}))
    assert plain["status"] == {"endpoint": "[fd00::1]:8080"}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
        {"status": {"podIP": None}},
        {"metadata": {"deletionTimestamp": "2026-11-23T12:00:00Z"}},
    ],
)
def test_a_pod_that_is_not_ready_or_is_leaving_is_asked_nowhere(changes: dict[str, Any]) -> None:
    assert Trimmer().pod(pod(**changes))["status"] == {"endpoint": ""}
