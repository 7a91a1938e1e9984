from dataclasses import replace
from typing import Any

import pytest

from api.conditions import Condition
from api.kinds import PODAUTOSCALERS
from controller.failures import Fault
from controller.pinning import MODEL_RETRY_S, Digest, Problem, Underway
from controller.predictor_pods import PredictorPods
from controller.revision import NOT_OWNED_RETRY_S, Observed, plan
from controller.workload import make_deployment, make_podautoscaler
from tests.controller.objects import (
    LATER,
    NOW,
    a_revision,
    applied,
    condition,
    ready,
    saying,
)

PREDICTOR = {
    "containers": [
        {"name": "user-container", "image": "relight/predictor", "args": ["--model", "m.onnx"]}
    ]
}
NO_TRAFFIC = Condition(
    type="Active",
    status="False",
    reason="NoTraffic",
    message="The target is not receiving traffic.",
)


def as_stored(made: dict[str, Any]) -> dict[str, Any]:
    metadata = {**made["metadata"], "uid": f"{made['kind']}-1", "resourceVersion": "5"}
    return {**made, "metadata": {**metadata, "generation": 1}}


def deployment_of(revision: dict[str, Any], *, replicas: int = 1, available: int = 0) -> Any:
    made = as_stored(make_deployment(revision, replicas=replicas))
    made["status"] = {"availableReplicas": available} if available else {}
    return made


def autoscaler_of(revision: dict[str, Any], *conditions: Condition, **fields: Any) -> Any:
    return saying(as_stored(make_podautoscaler(revision, is_broken=False)), *conditions, **fields)


def crashed(message: str = "out of memory", **state: Any) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": 137, "message": message}}
    status = {"containerStatuses": [{"name": "user-container", "state": state or ended}]}
    return {"metadata": {"name": "p", "labels": {}}, "status": status}


def seeing(revision: dict[str, Any], **seen: Any) -> Observed:
    defaults = {"deployment": None, "podautoscaler": None, "pods": []}
    return Observed(revision=revision, **{**defaults, **seen})


INITIALIZED = Condition(type="ScaleTargetInitialized", status="True")
ACTIVE = Condition(type="Active", status="True")


def test_deployment_and_podautoscaler_are_made() -> None:
    two = {"autoscaling.knative.dev/initial-scale": "2"}
    step = plan(seeing(a_revision(annotations=two)), now=NOW)
    assert [write.object["kind"] for write in step.creates] == ["Deployment", "PodAutoscaler"]
    assert step.creates[0].object["spec"]["replicas"] == 2
    for type_ in ("ResourcesAvailable", "ContainerHealthy"):
        assert condition(step.status, type_) == {
            "type": type_,
            "status": "Unknown",
            "reason": "Deploying",
        }
    assert condition(step.status, "Active")["severity"] == "Info"


def test_it_is_ready_when_the_first_replicas_served() -> None:
    revision = a_revision()
    seen = seeing(
        revision,
        deployment=deployment_of(revision, available=1),
        podautoscaler=autoscaler_of(revision, ACTIVE, INITIALIZED, actualScale=1, desiredScale=1),
    )
    step = plan(seen, now=NOW)
    assert step.creates == step.updates == ()
    assert step.status is not None
    assert condition(step.status)["status"] == "True"
    assert (step.status["actualReplicas"], step.status["desiredReplicas"]) == (1, 1)
    assert [note.reason for note in step.notes] == ["RevisionReady"]
    again = plan(
        seeing(
            applied(revision, step), deployment=seen.deployment, podautoscaler=seen.podautoscaler
        ),
        now=LATER,
    )
    assert (again.status, again.notes) == (None, ())


def test_it_stays_ready_at_zero() -> None:
    revision = saying(a_revision(), ready())
    step = plan(
        seeing(
            revision,
            deployment=deployment_of(revision, replicas=0),
            podautoscaler=autoscaler_of(revision, NO_TRAFFIC, actualScale=0),
        ),
        now=NOW,
    )
    assert condition(step.status)["status"] == "True"
    assert condition(step.status, "Active") == {
        "type": "Active",
        "status": "False",
        "severity": "Info",
        "reason": "NoTraffic",
        "message": "The target is not receiving traffic.",
    }


def test_a_crash_before_the_first_success_fails_it() -> None:
    revision = a_revision()
    seen = seeing(
        revision,
        deployment=deployment_of(revision),
        podautoscaler=autoscaler_of(revision),
        pods=[crashed()],
    )
    step = plan(seen, now=NOW)
    assert condition(step.status) == {
        "type": "Ready",
        "status": "False",
        "reason": "ExitCode137",
        "message": "Container failed with: out of memory",
    }
    assert [note.reason for note in step.notes] == ["ExitCode137"]
    # The Pods may go: what they said stays, and is said once.
    gone = plan(
        seeing(
            applied(revision, step),
            deployment=deployment_of(revision),
            podautoscaler=autoscaler_of(revision),
        ),
        now=LATER,
    )
    assert (gone.status, gone.notes) == (None, ())


def test_a_replica_that_serves_after_all_makes_it_ready() -> None:
    revision = saying(
        a_revision(),
        ready("False", "ExitCode1"),
        Condition(type="ContainerHealthy", status="False", reason="ExitCode1"),
    )
    step = plan(
        seeing(
            revision,
            deployment=deployment_of(revision, available=1),
            podautoscaler=autoscaler_of(revision, ACTIVE, INITIALIZED),
        ),
        now=NOW,
    )
    assert condition(step.status)["status"] == "True"


def test_a_crash_after_the_first_success_is_told_without_failing_it() -> None:
    revision = saying(a_revision(), ready())
    seen = seeing(
        revision,
        deployment=deployment_of(revision),
        podautoscaler=autoscaler_of(revision, INITIALIZED),
        pods=[crashed("weights are gone")],
    )
    step = plan(seen, now=NOW)
    assert condition(step.status)["status"] == "True"
    assert condition(step.status, "Active") == {
        "type": "Active",
        "status": "False",
        "severity": "Info",
        "reason": "ExitCode137",
        "message": "Container failed with: weights are gone",
    }
    assert [(note.type, note.reason) for note in step.notes] == [("Warning", "ExitCode137")]


def test_initial_scale_never_achieved() -> None:
    revision = a_revision()
    step = plan(
        seeing(
            revision,
            deployment=deployment_of(revision, replicas=0),
            podautoscaler=autoscaler_of(revision, NO_TRAFFIC),
        ),
        now=NOW,
    )
    assert condition(step.status, "ResourcesAvailable") == {
        "type": "ResourcesAvailable",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "Initial scale was never achieved",
    }


def test_why_it_never_came_up_says_more_than_that_it_did_not() -> None:
    revision = saying(
        a_revision(),
        ready("False", "ProgressDeadlineExceeded", "too late"),
        Condition(
            type="ResourcesAvailable",
            status="False",
            reason="ProgressDeadlineExceeded",
            message="too late",
        ),
    )
    at_zero = seeing(
        revision,
        deployment=deployment_of(revision, replicas=0),
        podautoscaler=autoscaler_of(revision, NO_TRAFFIC),
    )
    step = plan(at_zero, now=LATER)
    # Nor does the time since when it is so begin anew: some day it is given up.
    assert condition(step.status)["message"] == "too late"
    assert step.status is not None
    (said,) = [each for each in step.status["conditions"] if each["type"] == "Ready"]
    assert said["lastTransitionTime"] == NOW


@pytest.mark.parametrize("kind", ["deployment", "podautoscaler"])
def test_a_child_that_is_somebody_elses_is_left_alone(kind: str) -> None:
    revision = a_revision()
    children = {"deployment": deployment_of(revision), "podautoscaler": autoscaler_of(revision)}
    theirs = children[kind]
    theirs["metadata"] = {**theirs["metadata"], "ownerReferences": [], "labels": {}}
    theirs["spec"] = {**theirs["spec"], "template": {}, "containerConcurrency": 9}
    step = plan(seeing(revision, **children), now=NOW)
    assert theirs["metadata"]["name"] not in [write.name for write in step.updates]
    assert condition(step.status)["reason"] == "NotOwned"
    assert condition(step.status)["message"] == (
        f'There is an existing {theirs["kind"]} "{theirs["metadata"]["name"]}" that we do not own.'
    )
    assert step.requeue_after_s == NOT_OWNED_RETRY_S
    errors = [note.message for note in step.notes if note.reason == "InternalError"]
    name = theirs["metadata"]["name"]
    assert errors == [f'revision: "mnist-00001" does not own {theirs["kind"]}: "{name}"']
    again = plan(seeing(applied(revision, step), **children), now=LATER)
    assert again.notes == ()


def test_nobody_scales_a_deployment_of_somebody_elses() -> None:
    revision = a_revision()
    theirs = deployment_of(revision)
    theirs["metadata"] = {**theirs["metadata"], "ownerReferences": []}
    assert plan(seeing(revision, deployment=theirs), now=NOW).creates == ()


def test_a_changed_template_keeps_the_replicas_and_others_annotations() -> None:
    revision = a_revision()
    deployment = deployment_of(revision, replicas=7)
    deployment["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    revision["metadata"]["annotations"] = {"example.com/note": "new"}
    step = plan(seeing(revision, deployment=deployment), now=NOW)
    written = step.updates[0].object
    assert written["spec"]["replicas"] == 7
    assert written["metadata"]["annotations"] == {
        "deployment.kubernetes.io/revision": "1",
        "example.com/note": "new",
    }
    assert written["spec"]["template"]["metadata"]["annotations"] == {
        "example.com/note": "new",
        "kubectl.kubernetes.io/default-container": "user-container",
    }
    again = plan(seeing(revision, deployment=written), now=NOW)
    assert again.updates == ()


def test_what_an_api_server_adds_to_a_template_is_no_change() -> None:
    revision = a_revision()
    deployment = deployment_of(revision)
    deployment["spec"] = {**deployment["spec"], "revisionHistoryLimit": 10}
    assert plan(seeing(revision, deployment=deployment), now=NOW).updates == ()


@pytest.mark.parametrize(
    ("state", "reachability"), [("active", "Reachable"), ("reserve", "Unreachable")]
)
def test_the_podautoscaler_learns_whether_a_route_points_here(
    state: str, reachability: str
) -> None:
    revision = a_revision()
    autoscaler = autoscaler_of(revision)
    revision["metadata"]["labels"]["serving.knative.dev/routingState"] = state
    step = plan(seeing(revision, podautoscaler=autoscaler), now=NOW)
    assert step.updates[0].object["spec"]["reachability"] == reachability


def test_a_broken_revision_is_out_of_reach() -> None:
    revision = a_revision(labels={"serving.knative.dev/routingState": "active"})
    step = plan(
        seeing(
            revision,
            deployment=deployment_of(revision),
            podautoscaler=autoscaler_of(revision),
            pods=[crashed()],
        ),
        now=NOW,
    )
    assert step.updates[0].object["spec"]["reachability"] == "Unreachable"


def test_only_some_of_the_first_replicas_came_in_time() -> None:
    revision = a_revision(annotations={"autoscaling.knative.dev/initial-scale": "4"})
    deployment = deployment_of(revision, replicas=4, available=2)
    late = Condition(
        type="Progressing", status="False", reason="ProgressDeadlineExceeded", message="too late"
    )
    some = saying(deployment, late, availableReplicas=2, readyReplicas=2)
    waiting = autoscaler_of(revision, ACTIVE)
    step = plan(seeing(revision, deployment=some, podautoscaler=waiting), now=NOW)
    assert condition(step.status)["reason"] == "ProgressDeadlineExceeded"
    assert condition(step.status)["message"] == "too late"
    assert step.updates == (), "those that serve are kept"
    done = autoscaler_of(revision, ACTIVE, INITIALIZED)
    step = plan(seeing(applied(revision, step), deployment=some, podautoscaler=done), now=NOW)
    assert condition(step.status)["status"] == "True"


def test_a_minimum_does_not_keep_a_broken_revision_trying_for_ever() -> None:
    revision = saying(
        a_revision(labels={"serving.knative.dev/routingState": "active"}),
        ready("False", "ExitCode1", "Container failed with: x"),
        Condition(
            type="ContainerHealthy",
            status="False",
            reason="ExitCode1",
            message="Container failed with: x",
        ),
    )
    at_zero = seeing(
        revision,
        deployment=deployment_of(revision, replicas=0),
        podautoscaler=autoscaler_of(revision),
    )
    assert plan(at_zero, now="2027-01-15T08:10:00Z").updates == ()
    step = plan(at_zero, now="2027-01-15T08:10:01Z")
    assert step.updates[0].object["spec"]["reachability"] == "Unreachable"


def test_every_container_has_its_digest_or_none() -> None:
    pinned = f"a/b@sha256:{'0' * 64}"
    spec = {
        "containers": [
            {**PREDICTOR["containers"][0], "ports": [{"containerPort": 1}]},
            {"name": "side", "image": pinned},
            {"name": "other", "image": "a/b"},
        ],
        "initContainers": [{"name": "fetch", "image": "a/c"}],
    }
    revision = a_revision(spec=spec, annotations={"relight.dev/model-digest": "sha256:ab"})
    step = plan(seeing(revision), now=NOW)
    assert step.status is not None
    assert step.status["containerStatuses"] == [
        {"name": "user-container", "imageDigest": "sha256:ab"},
        {"name": "side", "imageDigest": pinned},
        {"name": "other"},
    ]
    assert step.status["initContainerStatuses"] == [{"name": "fetch"}]


def test_an_image_that_can_not_be_had_stays_told_when_its_pods_are_gone() -> None:
    revision = a_revision()
    waiting = {"waiting": {"reason": "ErrImageNeverPull", "message": "no"}}
    pod = crashed(**waiting)
    pod["status"]["containerStatuses"][0]["image"] = "a/b"
    seen = {"deployment": deployment_of(revision), "podautoscaler": autoscaler_of(revision)}
    step = plan(seeing(revision, **seen, pods=[pod]), now=NOW)
    assert condition(step.status, "ContainerHealthy") == {
        "type": "ContainerHealthy",
        "status": "False",
        "reason": "ContainerMissing",
        "message": 'Unable to fetch image "a/b": no',
    }
    assert plan(seeing(applied(revision, step), **seen), now=LATER).status is None


def test_a_kubectl_rollout_restart_is_not_undone() -> None:
    revision = a_revision()
    deployment = deployment_of(revision)
    restarted = {"kubectl.kubernetes.io/restartedAt": "2027"}
    template = deployment["spec"]["template"]
    template["metadata"]["annotations"] = {**template["metadata"]["annotations"], **restarted}
    assert plan(seeing(revision, deployment=deployment), now=NOW).updates == ()
    revision["metadata"]["annotations"] = {"example.com/note": "new"}
    written = plan(seeing(revision, deployment=deployment), now=NOW).updates[0].object
    assert written["spec"]["template"]["metadata"]["annotations"] == {
        "example.com/note": "new",
        "kubectl.kubernetes.io/default-container": "user-container",
        **restarted,
    }


def test_nothing_is_made_before_the_model_is_pinned() -> None:
    revision = a_revision(spec=PREDICTOR)
    waiting = plan(seeing(revision), now=NOW)
    assert waiting.creates == ()
    assert condition(waiting.status, "ContainerHealthy")["reason"] == "ResolvingDigests"
    found = plan(seeing(revision, model=Digest(text="sha256:ab")), now=NOW)
    assert found.creates == ()
    assert found.status is None
    pinned = found.updates[0].object
    assert pinned["metadata"]["annotations"] == {"relight.dev/model-digest": "sha256:ab"}
    step = plan(seeing(pinned), now=NOW)
    assert len(step.creates) == 2
    assert step.status is not None
    assert step.status["containerStatuses"] == [
        {"name": "user-container", "imageDigest": "sha256:ab"}
    ]


def test_a_model_that_is_missing_is_told_and_looked_for_again() -> None:
    revision = a_revision(spec=PREDICTOR)
    problem = Problem(reason="ModelMissing", message="model /m.onnx does not exist")
    step = plan(seeing(revision, model=problem), now=NOW)
    assert condition(step.status)["reason"] == "ModelMissing"
    assert condition(step.status)["message"] == "model /m.onnx does not exist"
    assert step.requeue_after_s == MODEL_RETRY_S
    told = {**revision, "status": step.status}
    assert plan(seeing(told), now=LATER).status is None, "looking again is no news"
    again = plan(seeing(applied(revision, step), model=problem), now=LATER)
    assert (again.status, again.notes) == (None, ())


def test_a_model_that_is_fetched_says_how_far_it_is() -> None:
    revision = a_revision(spec=PREDICTOR)
    asking = Underway(message="asking s3://b/m", has_begun=False)
    step = plan(seeing(revision, model=asking), now=NOW)
    assert condition(step.status, "ContainerHealthy")["reason"] == "Fetching"
    assert condition(step.status)["status"] == "Unknown"
    assert step.requeue_after_s == 1.0
    half = Underway(message="5 of 10 bytes of s3://b/m", has_begun=True)
    step = plan(seeing(applied(revision, step), model=half), now=LATER)
    assert condition(step.status, "ContainerHealthy")["message"] == "5 of 10 bytes of s3://b/m"
    found = Digest(text="sha256:ab", told="Fetched s3://b/m")
    pinned = plan(seeing(revision, model=found), now=NOW)
    assert [(n.type, n.reason, n.message) for n in pinned.notes] == [
        ("Normal", "Fetched", "Fetched s3://b/m")
    ]


def test_what_was_said_of_a_fetch_that_failed_holds_until_something_comes() -> None:
    revision = a_revision(spec=PREDICTOR)
    final = Problem(reason="ModelFetchFailed", message="another digest", retry_s=None)
    step = plan(seeing(revision, model=final), now=NOW)
    assert step.requeue_after_s is None
    failed = applied(revision, step)
    asking = Underway(message="asking", has_begun=False)
    assert plan(seeing(failed, model=asking), now=LATER).status is None
    coming = replace(asking, has_begun=True)
    again = plan(seeing(failed, model=coming), now=LATER)
    assert condition(again.status, "ContainerHealthy")["status"] == "Unknown"


def test_a_revision_that_is_going_is_left_alone() -> None:
    step = plan(seeing(a_revision(deletionTimestamp=NOW)), now=NOW)
    assert (step.creates, step.status) == ((), None)


# -- on a cluster --------------------------------------------------------------------------------

ON_A_CLUSTER = PredictorPods(image="example.com/relight/predictor:1")
PINNED = {"relight.dev/model-digest": "sha256:" + "ab" * 32}
LATE = {
    "type": "Progressing",
    "status": "False",
    "reason": "ProgressDeadlineExceeded",
    "message": "timed out",
}


def pinned(**metadata: Any) -> dict[str, Any]:
    container = {"name": "user-container", "image": "relight/predictor", "args": ["--model", "m"]}
    return a_revision(spec={"containers": [container]}, annotations=PINNED, **metadata)


def late(revision: dict[str, Any]) -> Any:
    made = deployment_of(revision)
    return {**made, "status": {"conditions": [LATE]}}


def unplaced(message: str) -> dict[str, Any]:
    words = {"reason": "Unschedulable", "message": message}
    placed = {"type": "PodScheduled", "status": "False", **words}
    return {"metadata": {"name": "p", "uid": "u"}, "status": {"conditions": [placed]}}


def test_a_deadline_stands_still_while_a_pod_waits_for_room() -> None:
    revision = pinned()
    seen = {"deployment": late(revision), "podautoscaler": autoscaler_of(revision)}
    step = plan(
        seeing(revision, **seen, pods=[unplaced("0/3 nodes")], predictor=ON_A_CLUSTER), now=NOW
    )
    for type_ in ("Ready", "ResourcesAvailable", "Active"):
        found = condition(step.status, type_)
        found.pop("severity", None)
        assert found == {
            "type": type_,
            "status": "Unknown",
            "reason": "Unschedulable",
            "message": "0/3 nodes",
        }
    [autoscaler] = [each.object for each in step.updates if each.resource == PODAUTOSCALERS]
    assert autoscaler["metadata"]["annotations"]["relight.dev/waits"] == "Unschedulable"
    assert autoscaler["spec"].get("reachability") != "Unreachable"
    alone = plan(seeing(revision, **seen, pods=[unplaced("0/3 nodes")]), now=NOW)
    assert condition(alone.status)["status"] == "False"  # one machine has one node


def test_what_somebody_has_to_change_does_not_stop_it() -> None:
    revision = pinned()
    seen = {"deployment": deployment_of(revision), "podautoscaler": autoscaler_of(revision)}
    gone = 'persistentvolumeclaim "m" not found.'
    step = plan(seeing(revision, **seen, pods=[unplaced(gone)], predictor=ON_A_CLUSTER), now=NOW)
    assert condition(step.status, "ResourcesAvailable")["status"] == "False"
    assert condition(step.status)["message"] == gone
    creating = {"waiting": {"reason": "ContainerCreating"}}
    pod = {
        "metadata": {"name": "p", "uid": "u"},
        "status": {
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "user-container", "state": creating}],
        },
    }
    mount = Fault(reason="FailedMount", message='secret "nope" not found')
    step = plan(
        seeing(revision, **seen, pods=[pod], predictor=ON_A_CLUSTER, mishaps={"u": mount}), now=NOW
    )
    assert condition(step.status) == {
        "type": "Ready",
        "status": "False",
        "reason": "FailedMount",
        "message": mount.message,
    }


def test_from_zero_what_replicas_wait_for_is_told_beside_a_ready_revision() -> None:
    revision = saying(pinned(), ready())
    running = {
        "metadata": {"name": "p", "uid": "u"},
        "status": {
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "user-container", "state": {"running": {}}}],
        },
    }
    seen = {
        "deployment": late(revision),
        "podautoscaler": autoscaler_of(revision, INITIALIZED),
        "pods": [running],
    }
    step = plan(seeing(revision, **seen, predictor=ON_A_CLUSTER), now=NOW)
    assert condition(step.status)["status"] == "True"
    active = condition(step.status, "Active")
    assert (active["status"], active["reason"]) == ("Unknown", "LoadingModel")
    assert active["message"] == "loading m"


def test_what_keeps_the_pod_that_finds_a_model_from_running_is_of_resources() -> None:
    raw = pinned()
    raw["metadata"]["annotations"] = {}
    problem = Problem(reason="FailedCreate", message="quota", is_of_resources=True)
    step = plan(seeing(raw, model=problem), now=NOW)
    assert condition(step.status, "ResourcesAvailable")["reason"] == "FailedCreate"
    assert condition(step.status, "ContainerHealthy")["status"] == "Unknown"
    waits = Underway(message="0/3 nodes", has_begun=False, reason="Unschedulable")
    step = plan(seeing(raw, model=waits), now=NOW)
    assert condition(step.status)["reason"] == "Unschedulable"
    assert condition(step.status)["status"] == "Unknown"


def test_what_failed_before_is_no_wait() -> None:
    revision = pinned()
    ended = {"terminated": {"exitCode": 2, "message": "unknown argument"}}
    container = {"name": "user-container", "state": {"running": {}}, "lastState": ended}
    again = {
        "metadata": {"name": "p", "uid": "u"},
        "status": {
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [container],
        },
    }
    seen = {"deployment": deployment_of(revision), "podautoscaler": autoscaler_of(revision)}
    step = plan(seeing(revision, **seen, pods=[again], predictor=ON_A_CLUSTER), now=NOW)
    assert condition(step.status)["reason"] == "ExitCode2"
    assert condition(step.status, "ResourcesAvailable")["reason"] == "Deploying"
    for write in step.updates:
        assert "relight.dev/waits" not in write.object["metadata"]["annotations"]
