from typing import Any

import pytest

from api.kinds import DEPLOYMENTS, EVENTS, NAMESPACES, PODS, REVISIONS, SERVICES, Resource
from embedded import resources
from embedded.registry import Registry
from embedded.tables import pod_status, table
from tests.cluster.serving import START_S, deployment, namespace, pod, service

BORN = "2027-01-15T08:00:00Z"
NOW_S = START_S + 90


def row(resource: Resource, raw: dict[str, Any]) -> dict[str, Any]:
    found = table(resource, [raw], now_s=NOW_S, columns=Registry().columns_of(resource))
    names = [column["name"] for column in found["columnDefinitions"]]
    (only,) = found["rows"]
    assert len(only["cells"]) == len(names)
    return dict(zip(names, only["cells"], strict=True))


def born(raw: dict[str, Any]) -> dict[str, Any]:
    raw["metadata"]["creationTimestamp"] = BORN
    return raw


def test_a_service_shows_knatives_columns() -> None:
    conditions = [{"type": "Ready", "status": "False", "reason": "RevisionMissing"}]
    raw = born(service()) | {"status": {"url": "http://x", "conditions": conditions}}
    assert row(SERVICES, raw) == {
        "Name": "hello",
        "URL": "http://x",
        "LatestCreated": "",
        "LatestReady": "",
        "Ready": "False",
        "Reason": "RevisionMissing",
    }


def test_a_revision_shows_its_labels_and_replicas() -> None:
    labels = {
        "serving.knative.dev/configuration": "hello",
        "serving.knative.dev/configurationGeneration": "2",
    }
    raw = {"metadata": {"name": "hello-00002", "labels": labels}, "status": {"actualReplicas": 1}}
    found = row(REVISIONS, raw)
    assert (found["Config Name"], found["Generation"]) == ("hello", "2")
    assert (found["Actual Replicas"], found["Desired Replicas"]) == (1, None)


def test_a_pod_shows_how_it_is() -> None:
    raw = born(pod())
    assert row(PODS, raw) == {
        "Name": "p",
        "Ready": "0/1",
        "Status": "Pending",
        "Restarts": "0",
        "Age": "90s",
        "IP": "<none>",
        "Node": "<none>",
        "Nominated Node": "<none>",
        "Readiness Gates": "<none>",
    }
    raw["status"] = {
        "phase": "Running",
        "podIP": "127.0.0.1",
        "containerStatuses": [{"ready": True, "restartCount": 2}],
    }
    found = row(PODS, raw)
    assert (found["Ready"], found["Restarts"], found["IP"]) == ("1/1", "2", "127.0.0.1")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({}, "Pending"),
        ({"phase": "Running"}, "Running"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            "CrashLoopBackOff",
        ),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "Error"}}}]}, "Error"),
        ({"containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}, "ExitCode:3"),
        ({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}, "Running"),
    ],
)
def test_the_word_for_a_pod(status: dict[str, Any], word: str) -> None:
    assert pod_status(pod() | {"status": status}) == word
    assert pod_status(pod(deletionTimestamp=BORN) | {"status": status}) == "Terminating"


def test_a_deployment_shows_its_replicas() -> None:
    raw = born(deployment(replicas=3))
    raw["status"] = {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    assert row(DEPLOYMENTS, raw) == {
        "Name": "d",
        "Ready": "1/3",
        "Up-to-date": 2,
        "Available": 1,
        "Age": "90s",
        "Containers": "c",
        "Images": "relight/predictor",
        "Selector": "app=d",
    }


def test_an_event_shows_what_and_when() -> None:
    raw = born(
        {
            "metadata": {"name": "e"},
            "involvedObject": {"kind": "Pod", "name": "p"},
            "type": "Warning",
            "reason": "BackOff",
            "message": "it ended\n",
            "count": 3,
            "lastTimestamp": "2027-01-15T08:01:20Z",
            "source": {"component": "kubelet"},
        }
    )
    found = row(EVENTS, raw)
    assert found["Last Seen"] == "10s"
    assert (found["First Seen"], found["Count"], found["Source"]) == ("90s", 3, "kubelet")
    assert (found["Object"], found["Message"]) == ("pod/p", "it ended")


def test_a_namespace_shows_its_phase() -> None:
    raw = born(namespace("team")) | {"status": {"phase": "Active"}}
    assert row(NAMESPACES, raw) == {"Name": "team", "Status": "Active", "Age": "90s"}


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda each: each.kind)
def test_the_barest_object_of_every_kind_has_a_row(resource: Resource) -> None:
    assert row(resource, {"metadata": {"name": "x"}})["Name"] == "x"
    assert row(resource, {"metadata": {"name": "x"}, "spec": None, "status": None})


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda each: each.kind)
def test_the_first_column_is_the_name(resource: Resource) -> None:
    columns = table(resource, [], now_s=NOW_S, columns=Registry().columns_of(resource))[
        "columnDefinitions"
    ]
    named = [column for column in columns if column["format"] == "name"]
    assert [column["name"] for column in named] == ["Name"]


def test_as_much_of_the_object_goes_along_as_is_wanted() -> None:
    def included(how: str) -> Any:
        return table(PODS, [pod()], now_s=NOW_S, include=how)["rows"][0]["object"]

    assert included("None") is None
    assert included("Object") == pod()
    assert included("Metadata") == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": pod()["metadata"],
    }


def test_wide_columns_are_of_low_priority() -> None:
    columns = table(PODS, [], now_s=NOW_S)["columnDefinitions"]
    wide = [column["name"] for column in columns if column["priority"]]
    assert wide == ["IP", "Node", "Nominated Node", "Readiness Gates"]


def init(*states: dict[str, Any]) -> dict[str, Any]:
    main = {"waiting": {"reason": "PodInitializing"}}
    return {
        "metadata": {"name": "p"},
        "status": {
            "phase": "Pending",
            "initContainerStatuses": [{"state": state} for state in states],
            "containerStatuses": [{"state": main}],
        },
    }


@pytest.mark.parametrize(
    ("pod", "word"),
    [
        (init({"running": {}}), "Init:0/1"),
        (init({"terminated": {"exitCode": 0, "reason": "Completed"}}, {"waiting": {}}), "Init:1/2"),
        (init({"waiting": {"reason": "PodInitializing"}}), "Init:0/1"),
        (init({"terminated": {"exitCode": 1, "reason": "Error"}}), "Init:Error"),
        (init({"terminated": {"exitCode": 137, "signal": 9}}), "Init:Signal:9"),
        (init({"waiting": {"reason": "CrashLoopBackOff"}}), "Init:CrashLoopBackOff"),
        (init({"terminated": {"exitCode": 0}}), "PodInitializing"),
    ],
)
def test_a_pod_that_is_initializing_says_how_far_it_is(pod: dict[str, Any], word: str) -> None:
    assert pod_status(pod) == word
