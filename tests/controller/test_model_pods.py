from typing import Any

import pytest

from api.model_reports import FoundModel, NoModel, to_text
from controller.failures import Fault
from controller.model_pods import (
    LOOK_AGAIN_S,
    Ended,
    asked_of,
    make_pod,
    name_of,
    next_attempt,
    read,
)
from controller.pinning import Digest, ModelFile, Problem, Underway
from controller.predictor_pods import STEP, PredictorPods
from tests.controller.objects import NOW, NOW_S, a_revision

DIGEST = "sha256:" + "ab" * 32
URI = "https://host/m.onnx?signature=1"
SHOWN = "https://host/m.onnx?…"
ASKED = ModelFile(path=URI)
PODS = PredictorPods(image="example.com/relight/predictor:1")


def revision(*args: str, **more: Any) -> dict[str, Any]:
    container = {"name": "user-container", "image": "relight/predictor", "args": [*args]}
    extra = more.pop("container", {})
    return a_revision(spec={"containers": [{**container, **extra}], **more})


def made(raw: dict[str, Any], **more: Any) -> dict[str, Any]:
    asked = asked_of(raw)
    assert asked is not None
    return dict(make_pod(raw, asked, PODS, **more))


def test_it_runs_as_the_revision_would_and_where() -> None:
    placing = {
        "serviceAccountName": "reader",
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"key": "gpu"}],
        "runtimeClassName": "nvidia",
        "securityContext": {"fsGroup": 7},
    }
    affinity = {"nodeAffinity": {"a": 1}, "podAntiAffinity": {"b": 2}}
    raw = revision("--model", URI, **placing, affinity=affinity, timeoutSeconds=60)
    raw["metadata"]["labels"] |= {"team": "a", "app": "mine"}
    pod = made(raw)
    spec = pod["spec"]
    assert {key: spec[key] for key in placing} == placing
    assert spec["affinity"] == {"nodeAffinity": {"a": 1}}  # others may keep it from where it is
    assert spec["restartPolicy"] == "Never"
    assert spec["readinessGates"]  # no Service sends requests to it
    [container] = spec["containers"]
    assert container["image"] == PODS.image
    assert container["name"] == STEP
    assert "--digest" not in container["args"]
    metadata = pod["metadata"]
    assert metadata["name"] == name_of(raw) == "mnist-00001-model"
    assert metadata["labels"]["team"] == "a"
    assert metadata["labels"]["relight.dev/model-of"] == "mnist-00001"
    assert "serving.knative.dev/revision" not in metadata["labels"]  # it is no replica
    assert metadata["ownerReferences"][0]["uid"] == raw["metadata"]["uid"]
    assert next_attempt(pod) == 1
    assert next_attempt(made(raw, attempt=4)) == 5


def test_only_volumes_that_it_mounts_are_needed() -> None:
    volumes = [
        {"name": "claim", "persistentVolumeClaim": {"claimName": "models"}},
        {"name": "other", "secret": {"secretName": "of a sidecar"}},
    ]
    mounts = {"volumeMounts": [{"name": "claim", "mountPath": "/mnt"}]}
    pod = made(revision("--model", "/mnt/m.onnx", container=mounts, volumes=volumes))
    assert [each["name"] for each in pod["spec"]["volumes"]] == ["claim", "relight-cache"]


def test_what_puts_a_model_into_a_volume_runs_before() -> None:
    mount = [{"name": "work", "mountPath": "/work"}]
    more = {
        "volumes": [{"name": "work", "emptyDir": {}}],
        "initContainers": [{"name": "mine", "image": "example.com/i", "volumeMounts": mount}],
    }
    local = made(revision("--model", "/work/m", container={"volumeMounts": mount}, **more))
    assert [each["name"] for each in local["spec"]["initContainers"]] == ["mine"]
    remote = made(revision("--model", URI, container={"volumeMounts": mount}, **more))
    assert "initContainers" not in remote["spec"]


# -- what it says --------------------------------------------------------------------------------


def pod(state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    raw = made(revision("--model", URI), attempt=status.pop("attempt", 0))
    raw["metadata"]["creationTimestamp"] = NOW
    if state is not None:
        status["containerStatuses"] = [{"name": STEP, "image": "i", "state": state}]
    raw["status"] = {"phase": "Pending", **status}
    return raw


def ended(message: str = "", code: int = 0, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "message": message, "finishedAt": NOW, **more}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def unplaced(message: str) -> dict[str, Any]:
    words = {"reason": "Unschedulable", "message": message}
    return pod(conditions=[{"type": "PodScheduled", "status": "False", **words}])


def test_a_digest() -> None:
    found = read(pod(ended(to_text(FoundModel(digest=DIGEST)))), ASKED)
    assert found == Digest(text=DIGEST, told=f"Fetched {SHOWN} ({DIGEST})")


def test_a_reason_of_its_own_is_what_one_machine_says() -> None:
    said = to_text(NoModel(reason="ModelMissing", message="model m does not exist"))
    found = read(pod(ended(said, 1), attempt=2), ASKED)
    assert isinstance(found, Ended)
    assert (found.problem.reason, found.problem.message) == (
        "ModelMissing",
        "model m does not exist",
    )
    assert found.due_s == NOW_S + 40.0  # the third of 10, 20, 40 ... 300 s
    later = read(pod(ended(said, 1), attempt=50), ASKED)
    assert isinstance(later, Ended)
    assert later.due_s == NOW_S + 300.0
    final = to_text(NoModel(reason="ModelFetchFailed", message="x", is_final=True))
    found = read(pod(ended(final, 1)), ASKED)
    assert isinstance(found, Ended)
    assert found.due_s is None


@pytest.mark.parametrize(
    ("seen", "reason", "message"),
    [
        (
            pod(ended(code=137, reason="OOMKilled")),
            "OOMKilled",
            f"{SHOWN}: the step that finds it was killed for want of memory (limit 1Gi)",
        ),
        (
            pod(ended("Traceback: no module named s3fs", 1, reason="Error")),
            "ModelFetchFailed",
            f"{SHOWN}: the step that finds it ended with code 1: Traceback: no module named s3fs",
        ),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on disk."),
            "Evicted",
            f"{SHOWN}: The node was low on disk.",
        ),
        (
            pod(
                phase="Failed",
                initContainerStatuses=[
                    {"name": "mine", "state": {"terminated": {"exitCode": 3, "message": "no"}}}
                ],
            ),
            "ExitCode3",
            'Init container "mine" failed with: no',
        ),
    ],
)
def test_an_end_without_a_word(seen: dict[str, Any], reason: str, message: str) -> None:
    found = read(seen, ASKED)
    assert isinstance(found, Ended)
    assert (found.problem.reason, found.problem.message) == (reason, message)


@pytest.mark.parametrize(
    ("seen", "reason", "message"),
    [
        (
            pod(waiting("CreateContainerConfigError", 'secret "nope" not found')),
            "CreateContainerConfigError",
            'secret "nope" not found',
        ),
        (pod(waiting("ImagePullBackOff", "Back-off")), "ImagePullBackOff", "Back-off"),
        (pod(waiting("ErrImageNeverPull")), "ErrImageNeverPull", "i can not be pulled"),
        (
            unplaced('persistentvolumeclaim "m" not found.'),
            "Unschedulable",
            'persistentvolumeclaim "m" not found.',
        ),
    ],
)
def test_what_somebody_has_to_change(seen: dict[str, Any], reason: str, message: str) -> None:
    assert read(seen, ASKED) == Problem(
        reason=reason, message=message, retry_s=LOOK_AGAIN_S, is_of_resources=True
    )


@pytest.mark.parametrize(
    ("seen", "underway"),
    [
        (pod(), Underway(message=f"asking {SHOWN}", has_begun=False)),
        (
            unplaced("0/3 nodes"),
            Underway(message="0/3 nodes", has_begun=False, reason="Unschedulable"),
        ),
        (
            pod(waiting("ErrImagePull", "again")),
            Underway(message="again", has_begun=False, reason="PullingImage"),
        ),
        (pod({"running": {}}), Underway(message=f"fetching {SHOWN}", has_begun=True)),
    ],
)
def test_how_far_it_is(seen: dict[str, Any], underway: Underway) -> None:
    assert read(seen, ASKED) == underway


def test_events_tell_of_volumes_and_images() -> None:
    stuck = pod(waiting("ContainerCreating"))
    gone = Fault(reason="FailedMount", message='secret "nope" not found')
    found = read(stuck, ASKED, gone)
    assert isinstance(found, Problem)
    assert found.reason == "FailedMount"
    slow = read(stuck, ASKED, Fault(reason="PullingImage", message="Pulling"))
    assert slow == Underway(message="Pulling", has_begun=False, reason="PullingImage")
