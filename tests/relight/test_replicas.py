from typing import Any

import pytest

from relight.replicas import at, count_replicas, ready_containers, restarts, status


def pod(name: str, *, is_ready: bool = True, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"serving.knative.dev/service": "iris"},
            **metadata,
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(is_ready)}],
            "containerStatuses": [{"ready": is_ready, "restartCount": 2}],
        },
    }


def test_a_pod() -> None:
    assert (ready_containers(pod("a")), restarts(pod("a"))) == ("1/1", 2)
    assert ready_containers(pod("a", is_ready=False)) == "0/1"
    assert ready_containers({"spec": {"containers": [{}, {}]}}) == "0/2"


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, "Terminating"),
        (
            {
                "metadata": {},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
                },
            },
            "CrashLoopBackOff",
        ),
        ({"metadata": {}, "status": {"phase": "Pending"}}, "Pending"),
        ({"metadata": {}}, "Unknown"),
    ],
)
def test_the_status_of_a_pod_is_kubectls_word(raw: dict[str, Any], word: str) -> None:
    assert status(raw) == word


def test_replicas_on_their_way_out_do_not_count() -> None:
    pods = [
        pod("a"),
        pod("b", is_ready=False),
        pod("c", deletionTimestamp="2026-01-01T00:00:00Z"),
        {"metadata": {"name": "stranger", "namespace": "default"}},
    ]
    assert count_replicas(pods) == {("default", "iris"): (1, 2)}


def test_at_stops_where_the_path_ends() -> None:
    assert at({"a": {"b": 1}}, "a", "b") == 1
    assert at({"a": None}, "a", "b") is None
    assert at({"a": [1]}, "a", "b") is None
