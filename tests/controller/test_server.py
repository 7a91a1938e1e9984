"""Scenarios: a real API server, a real controller, and stand-ins for what runs Pods."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from api import keys
from api.kinds import (
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    NAMESPACES,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    Resource,
)
from api.objects import Raw
from cluster.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from controller.failures import Fault
from tests.controller.test_phases import CREATING
from tests.controller.world import FAILURE, FaultyClient, World, a_world, ksvc

LATEST = {"latestRevision": True}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path / "store.db") as world:
        yield world


async def ready(world: World, name: str, revision: str = "") -> None:
    """Wait until the Service is ready and, if named, that Revision is its latest ready one."""

    def is_ready() -> bool:
        status = world.get(SERVICES, name).get("status", {})
        is_latest = not revision or status.get("latestReadyRevisionName") == revision
        return is_latest and world.says(SERVICES, name, "True")

    await world.until(is_ready, f"{name} ready {revision}")


async def test_a_service_becomes_ready(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist", labels={"team": "vision"}))
        await ready(world, "mnist")
    status = world.get(SERVICES, "mnist")["status"]
    assert status["latestCreatedRevisionName"] == "mnist-00001"
    assert status["latestReadyRevisionName"] == "mnist-00001"
    assert status["url"] == "http://mnist.default.localhost:8080"
    assert status["address"] == {"url": "http://mnist.default.svc.cluster.local"}
    assert world.traffic("mnist") == [("mnist-00001", 100, "")]
    types = {
        resource.kind: [each["type"] for each in world.get(resource, name)["status"]["conditions"]]
        for resource, name in (
            (SERVICES, "mnist"),
            (CONFIGURATIONS, "mnist"),
            (ROUTES, "mnist"),
            (REVISIONS, "mnist-00001"),
        )
    }
    assert types == {
        "Service": ["ConfigurationsReady", "Ready", "RoutesReady"],
        "Configuration": ["Ready"],
        "Route": ["AllTrafficAssigned", "CertificateProvisioned", "IngressReady", "Ready"],
        "Revision": ["Active", "ContainerHealthy", "Ready", "ResourcesAvailable"],
    }
    for resource in (CONFIGURATIONS, ROUTES):
        labels = world.get(resource, "mnist")["metadata"]["labels"]
        assert labels["team"] == "vision"
        assert labels["serving.knative.dev/service"] == "mnist"


async def test_its_events_tell_the_story(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.until(lambda: world.events("RevisionReady"))
        await world.until(lambda: world.events("LatestReadyUpdate"))
        await world.until(lambda: len(world.events("Created")) == 3)
    assert sorted(world.events("Created")) == [
        'Created Configuration "mnist"',
        'Created Revision "mnist-00001"',
        'Created Route "mnist"',
    ]
    assert world.events("ConfigurationReady") == ["Configuration becomes ready"]


async def test_requests_move_to_a_new_revision_only_when_it_is_ready(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.apply(ksvc("mnist", "slow"))
        await world.until(lambda: world.get(PODAUTOSCALERS, "mnist-00002"))
        await world.until(
            lambda: (
                world.condition(SERVICES, "mnist").get("status") == "Unknown"
                and world.says(CONFIGURATIONS, "mnist", "Unknown")
            )
        )
        assert world.traffic("mnist") == [("mnist-00001", 100, "")]
        assert world.says(ROUTES, "mnist", "True")
        world.stand_in.release("slow")
        await ready(world, "mnist", "mnist-00002")
        assert world.traffic("mnist") == [("mnist-00002", 100, "")]


async def test_a_failing_revision_leaves_requests_where_they_were(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.apply(ksvc("mnist", "broken"))
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        assert world.condition(SERVICES, "mnist") == {
            "type": "Ready",
            "status": "False",
            "reason": "RevisionFailed",
            "message": 'Revision "mnist-00002" failed with message: '
            f"Container failed with: {FAILURE}.",
            "lastTransitionTime": "2027-01-15T08:00:00Z",
        }
        assert (
            world.condition(REVISIONS, "mnist-00002", "ContainerHealthy")["reason"] == "ExitCode1"
        )
        assert world.traffic("mnist") == [("mnist-00001", 100, "")]
        assert world.says(ROUTES, "mnist", "True")
        # The failing Revision is out of reach, so that min-scale does not keep it trying.
        await world.until(
            lambda: (
                world.get(PODAUTOSCALERS, "mnist-00002")["spec"].get("reachability")
                == "Unreachable"
            )
        )
        await world.apply(ksvc("mnist", "mended"))
        await ready(world, "mnist", "mnist-00003")
        assert world.traffic("mnist") == [("mnist-00003", 100, "")]


async def test_a_first_revision_that_fails_says_so_on_the_service(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist", "broken"))
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        await world.until(
            lambda: (
                world.condition(ROUTES, "mnist").get("message")
                == 'Configuration "mnist" does not have any ready Revision.'
            )
        )
        await world.until(
            lambda: world.condition(SERVICES, "mnist", "RoutesReady")["status"] == "False"
        )
    assert world.condition(SERVICES, "mnist")["reason"] == "RevisionFailed"
    assert "traffic" not in world.get(SERVICES, "mnist")["status"]


async def test_a_canary_with_tags(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        split: list[dict[str, Any]] = [
            {"revisionName": "mnist-00001", "percent": 90, "tag": "stable"},
            {**LATEST, "percent": 10, "tag": "canary"},
        ]
        await world.apply(ksvc("mnist", "better", traffic=split))
        await ready(world, "mnist", "mnist-00002")
        assert world.get(SERVICES, "mnist")["status"]["traffic"] == [
            {
                "revisionName": "mnist-00001",
                "percent": 90,
                "tag": "stable",
                "latestRevision": False,
                "url": "http://stable-mnist.default.localhost:8080",
            },
            {
                "revisionName": "mnist-00002",
                "percent": 10,
                "tag": "canary",
                "latestRevision": True,
                "url": "http://canary-mnist.default.localhost:8080",
            },
        ]
        await world.until(
            lambda: marks(world) == {"mnist-00001": "active", "mnist-00002": "active"}
        )
        await world.apply(ksvc("mnist", "better", traffic=[{**LATEST, "percent": 100}]))
        await world.until(lambda: world.traffic("mnist") == [("mnist-00002", 100, "")])
        await world.until(
            lambda: marks(world) == {"mnist-00001": "reserve", "mnist-00002": "active"}
        )
        await world.until(
            lambda: (
                world.get(PODAUTOSCALERS, "mnist-00001")["spec"].get("reachability")
                == "Unreachable"
            )
        )


def marks(world: World) -> dict[str, str]:
    return {
        name: obj["metadata"]["labels"]["serving.knative.dev/routingState"]
        for (_, name), obj in world.informers[REVISIONS].objects.items()
    }


async def test_rolling_back_to_a_revision_by_name(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.apply(ksvc("mnist", "worse"))
        await ready(world, "mnist", "mnist-00002")
        back = [{"revisionName": "mnist-00001", "percent": 100}]
        await world.apply(ksvc("mnist", "worse", traffic=back))
        await world.until(lambda: world.traffic("mnist") == [("mnist-00001", 100, "")])
        await ready(world, "mnist")
        # A Revision made while traffic is pinned gets none, and is not kept running for it.
        await world.apply(ksvc("mnist", "worst", traffic=back))
        await ready(world, "mnist", "mnist-00003")
        assert world.traffic("mnist") == [("mnist-00001", 100, "")]
        await world.until(lambda: marks(world)["mnist-00003"] == "reserve")


async def test_traffic_for_a_missing_revision_changes_nothing(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        wrong = [{"revisionName": "mnist-00007", "percent": 100}]
        await world.apply(ksvc("mnist", traffic=wrong))
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
    assert world.condition(SERVICES, "mnist")["reason"] == "RevisionMissing"
    assert (
        world.condition(SERVICES, "mnist")["message"]
        == 'Revision "mnist-00007" referenced in traffic not found.'
    )
    assert world.traffic("mnist") == [("mnist-00001", 100, "")]


async def test_traffic_for_a_revision_that_is_not_ready_yet_waits(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist", revision="mnist-a"))
        await ready(world, "mnist")
        pinned = [{"revisionName": "mnist-b", "percent": 100}]
        await world.apply(ksvc("mnist", "slow", revision="mnist-b", traffic=pinned))
        await world.until(
            lambda: (
                world.condition(ROUTES, "mnist").get("message")
                == 'Revision "mnist-b" is not yet ready.'
            )
        )
        assert world.condition(ROUTES, "mnist", "AllTrafficAssigned")["status"] == "Unknown"
        assert world.traffic("mnist") == [("mnist-a", 100, "")]
        world.stand_in.release("slow")
        await ready(world, "mnist", "mnist-b")
        assert world.traffic("mnist") == [("mnist-b", 100, "")]


async def test_services_do_not_meddle_with_each_other(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("one"))
        await world.apply(ksvc("two", "broken"))
        await ready(world, "one")
        await world.until(lambda: world.says(SERVICES, "two", "False"))
        stolen = [{"revisionName": "one-00001", "percent": 100}]
        await world.apply(ksvc("two", "broken", traffic=stolen))
        await world.until(
            lambda: (
                world.condition(SERVICES, "two", "RoutesReady").get("reason") == "RevisionNotOwned"
            )
        )
        message = world.condition(ROUTES, "two")["message"]
        assert message == 'Revision "one-00001" belongs to Service "one", not Service "two".'
        await world.client.delete(SERVICES, "default", "two")
        await world.until(
            lambda: (
                not any(name.startswith("two") for _, name in world.informers[REVISIONS].objects)
            )
        )
        assert world.traffic("one") == [("one-00001", 100, "")]


async def test_a_revision_name_that_is_taken(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.apply(ksvc("mnist-x", revision="mnist-x-1"))
        await ready(world, "mnist-x")
        await world.apply(ksvc("mnist", "other", revision="mnist-x-1"))
        await world.until(
            lambda: (
                world.condition(SERVICES, "mnist", "RoutesReady").get("reason")
                == "RevisionNameTaken"
            )
        )
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        assert world.condition(CONFIGURATIONS, "mnist")["reason"] == "RevisionFailed"
        assert world.condition(SERVICES, "mnist", "RoutesReady")["message"] == (
            'The revision name "mnist-x-1" is taken by a conflicting Revision, '
            "so traffic will not be migrated"
        )
        assert world.traffic("mnist") == [("mnist-00001", 100, "")]
        # The name becomes free: nobody has to say it again.
        await world.client.delete(SERVICES, "default", "mnist-x")
        await ready(world, "mnist", "mnist-x-1")
        assert world.traffic("mnist") == [("mnist-x-1", 100, "")]


async def test_a_configuration_that_is_somebody_elses(world: World) -> None:
    template = ksvc("mnist")["spec"]["template"]
    await world.client.create(
        CONFIGURATIONS,
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Configuration",
            "metadata": {"name": "mnist", "namespace": "default"},
            "spec": {"template": template},
        },
    )
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        assert world.condition(SERVICES, "mnist")["reason"] == "NotOwned"
        assert not world.get(ROUTES, "mnist")
        await world.client.delete(CONFIGURATIONS, "default", "mnist")
        await ready(world, "mnist")


async def test_metadata_alone_makes_no_revision(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.apply(ksvc("mnist", labels={"stage": "live"}))
        await world.until(
            lambda: (
                world.get(ROUTES, "mnist")["metadata"]["labels"].get("stage") == "live"
                and world.get(CONFIGURATIONS, "mnist")["metadata"]["labels"].get("stage") == "live"
            )
        )
        await ready(world, "mnist")
        await world.apply(ksvc("mnist"))
        await world.until(
            lambda: (
                "stage" not in world.get(ROUTES, "mnist")["metadata"]["labels"]
                and "stage" not in world.get(CONFIGURATIONS, "mnist")["metadata"]["labels"]
            )
        )
        await ready(world, "mnist")
    assert list(world.informers[REVISIONS].objects) == [("default", "mnist-00001")]


async def test_autoscaling_annotations_reach_the_podautoscaler_while_it_runs(world: World) -> None:
    key = "autoscaling.knative.dev/min-scale"
    async with world.controller():
        await world.apply(ksvc("mnist", template_annotations={key: "2"}))
        await ready(world, "mnist")
        assert world.get(PODAUTOSCALERS, "mnist-00001")["metadata"]["annotations"][key] == "2"
        change = {"metadata": {"annotations": {key: "5"}}}
        await world.client.patch(REVISIONS, "default", "mnist-00001", change)
        await world.until(
            lambda: world.get(PODAUTOSCALERS, "mnist-00001")["metadata"]["annotations"][key] == "5"
        )
        await world.client.patch(
            REVISIONS, "default", "mnist-00001", {"metadata": {"annotations": {key: None}}}
        )
        await world.until(
            lambda: key not in world.get(PODAUTOSCALERS, "mnist-00001")["metadata"]["annotations"]
        )
    template = world.get(DEPLOYMENTS, "mnist-00001-deployment")["spec"]["template"]
    assert key not in template["metadata"]["annotations"]


async def test_the_autoscalers_replicas_are_left_alone(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        name = "mnist-00001-deployment"
        scale = {"spec": {"replicas": 4}}
        await world.client.patch(DEPLOYMENTS, "default", name, scale, subresource="scale")
        # A new annotation changes the Pods' template, and so the Deployment.
        change = {"metadata": {"annotations": {"example.com/note": "new"}}}
        await world.client.patch(REVISIONS, "default", "mnist-00001", change)

        def template() -> Any:
            return world.get(DEPLOYMENTS, name)["spec"]["template"]["metadata"]["annotations"]

        await world.until(lambda: template().get("example.com/note") == "new")
        assert world.get(DEPLOYMENTS, name)["spec"]["replicas"] == 4
        await world.until(
            lambda: world.get(REVISIONS, "mnist-00001")["status"].get("actualReplicas") == 4
        )


async def test_a_revision_at_zero_stays_ready(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        scale = {"spec": {"replicas": 0}}
        await world.client.patch(
            DEPLOYMENTS, "default", "mnist-00001-deployment", scale, subresource="scale"
        )
        await world.until(
            lambda: world.condition(REVISIONS, "mnist-00001", "Active").get("reason") == "NoTraffic"
        )
        assert world.says(REVISIONS, "mnist-00001", "True")
        assert world.says(SERVICES, "mnist", "True")


async def test_what_was_deleted_by_hand_is_made_again(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        doomed: tuple[tuple[Resource, str], ...] = (
            (PODAUTOSCALERS, "mnist-00001"),
            (DEPLOYMENTS, "mnist-00001-deployment"),
            (ROUTES, "mnist"),
            (REVISIONS, "mnist-00001"),
            (CONFIGURATIONS, "mnist"),
        )
        for resource, name in doomed:
            uid = world.get(resource, name)["metadata"]["uid"]
            await world.client.delete(resource, "default", name)

            def is_another(resource: Resource = resource, name: str = name, uid: str = uid) -> bool:
                found = world.get(resource, name)
                return bool(found) and found["metadata"]["uid"] != uid

            await world.until(is_another, f"another {resource.kind}")
            await world.until(lambda: world.get(DEPLOYMENTS, "mnist-00001-deployment"))
            await ready(world, "mnist")


async def test_a_service_made_again_at_once_comes_up(world: World) -> None:
    async with world.controller():
        for _ in range(3):
            await world.apply(ksvc("mnist"))
            await ready(world, "mnist", "mnist-00001")
            await world.client.delete(SERVICES, "default", "mnist")
        await world.apply(ksvc("mnist", "broken"))
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        await world.client.delete(SERVICES, "default", "mnist")
        await world.until(
            lambda: not any(world.informers[each].objects for each in (SERVICES, REVISIONS, ROUTES))
        )


async def test_a_revision_is_pinned_to_its_model_before_anything_runs(
    world: World, tmp_path: Path
) -> None:
    service = ksvc("mnist", image="relight/predictor")
    container = service["spec"]["template"]["spec"]["containers"][0]
    del container["command"]
    container["args"] = ["--model", "mnist.onnx"]
    async with world.controller(model_root=tmp_path):
        await world.apply(service)
        await world.until(
            lambda: world.condition(REVISIONS, "mnist-00001").get("reason") == "ModelMissing"
        )
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        assert str(tmp_path / "mnist.onnx") in world.condition(SERVICES, "mnist")["message"]
        assert not world.get(DEPLOYMENTS, "mnist-00001-deployment")
        (tmp_path / "mnist.onnx").write_bytes(b"weights")
        # Touched, it is looked at before its time.
        change = {"metadata": {"annotations": {"example.com/try": "again"}}}
        await world.client.patch(REVISIONS, "default", "mnist-00001", change)
        await ready(world, "mnist")
    digest = f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    annotations = world.get(REVISIONS, "mnist-00001")["metadata"]["annotations"]
    assert annotations["relight.dev/model-digest"] == digest
    status = world.get(REVISIONS, "mnist-00001")["status"]
    assert status["containerStatuses"] == [{"name": "user-container", "imageDigest": digest}]
    template = world.get(DEPLOYMENTS, "mnist-00001-deployment")["spec"]["template"]
    assert template["metadata"]["annotations"]["relight.dev/model-digest"] == digest
    env = {each["name"]: each["value"] for each in template["spec"]["containers"][0]["env"]}
    assert env["RELIGHT_MODEL_DIGEST"] == digest


# What moves slowly, what is kept inside, what is thrown away.

SLOWLY = {"serving.knative.dev/rollout-duration": "3s"}
ROLLOUT = "networking.internal.knative.dev/rollout"


async def test_a_gradual_rollout_goes_on_after_restarts(world: World) -> None:
    def split(*expected: tuple[str, int, str]) -> Callable[[], bool]:
        return lambda: world.traffic("mnist") == list(expected)

    async with world.controller():
        await world.apply(ksvc("mnist", annotations=SLOWLY))
        await ready(world, "mnist")
        assert ROLLOUT not in world.get(ROUTES, "mnist")["metadata"]["annotations"]
        await world.apply(ksvc("mnist", "better", annotations=SLOWLY))
        await world.until(split(("mnist-00001", 99, ""), ("mnist-00002", 1, "")))
        await world.until(
            lambda: (
                world.condition(SERVICES, "mnist", "RoutesReady").get("reason")
                == "RolloutInProgress"
            )
        )
        assert world.says(SERVICES, "mnist", "Unknown")
        await world.until(lambda: marks(world).get("mnist-00001") == "active")
    world.now_s += 1
    async with world.controller():
        await world.until(split(("mnist-00001", 49, ""), ("mnist-00002", 51, "")))
        # A change of the Service in the middle of it leaves its state alone.
        await world.apply(ksvc("mnist", "better", annotations=SLOWLY, labels={"a": "b"}))
        await world.until(lambda: world.get(ROUTES, "mnist")["metadata"]["labels"].get("a") == "b")
        assert ROLLOUT in world.get(ROUTES, "mnist")["metadata"]["annotations"]
    world.now_s += 1
    async with world.controller():
        await ready(world, "mnist", "mnist-00002")
        await world.until(split(("mnist-00002", 100, "")))
        await world.until(
            lambda: ROLLOUT not in world.get(ROUTES, "mnist")["metadata"]["annotations"]
        )
    assert ROLLOUT not in world.get(CONFIGURATIONS, "mnist")["metadata"]["annotations"]


async def test_the_cluster_says_how_long_rollouts_take(world: World) -> None:
    await world.configure("config-network", rollout_duration="3600")
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.apply(ksvc("mnist", "better"))
        await world.until(
            lambda: world.traffic("mnist") == [("mnist-00001", 99, ""), ("mnist-00002", 1, "")]
        )
        # Nobody waits for an hour once the cluster says otherwise; nonsense changes nothing.
        await world.configure("config-network", rollout_duration="soon")
        await world.until(lambda: world.events("InvalidConfiguration"))
        assert world.traffic("mnist")[0] == ("mnist-00001", 99, "")
        await world.configure("config-network", rollout_duration="0")
        await ready(world, "mnist", "mnist-00002")
        assert world.traffic("mnist") == [("mnist-00002", 100, "")]


async def test_first_size_and_deadline_are_the_clusters(world: World) -> None:
    await world.configure("config-autoscaler", initial_scale="3")
    await world.configure("config-deployment", progress_deadline="90s")

    def deployment(name: str) -> dict[str, Any]:
        return dict(world.get(DEPLOYMENTS, f"{name}-deployment")["spec"])

    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        said = deployment("mnist-00001")
        assert (said["replicas"], said["progressDeadlineSeconds"]) == (3, 90)
        # A deadline is a Deployment's, and a first size is over.
        await world.configure("config-deployment", progress_deadline="2m")
        await world.configure("config-autoscaler", initial_scale="1")
        await world.until(lambda: deployment("mnist-00001")["progressDeadlineSeconds"] == 120)
        assert deployment("mnist-00001")["replicas"] == 3


async def test_a_service_moves_inside_the_cluster_and_out_again(world: World) -> None:
    local = {"networking.knative.dev/visibility": "cluster-local"}
    traffic = [{**LATEST, "percent": 100, "tag": "now"}]

    def urls() -> tuple[str, str]:
        status = world.get(SERVICES, "mnist")["status"]
        return status["url"], status["traffic"][0]["url"]

    public = ("http://mnist.default.localhost:8080", "http://now-mnist.default.localhost:8080")
    inside = (
        "http://mnist.default.svc.cluster.local",
        "http://now-mnist.default.svc.cluster.local",
    )
    async with world.controller():
        await world.apply(ksvc("mnist", traffic=traffic))
        await ready(world, "mnist")
        for labels, expected in ((local, inside), ({}, public)):
            await world.apply(ksvc("mnist", traffic=traffic, labels=labels))
            await world.until(lambda expected=expected: urls() == expected)  # type: ignore[misc] # a lambda with a default
            address = world.get(SERVICES, "mnist")["status"]["address"]["url"]
            assert address == "http://mnist.default.svc.cluster.local"
        await ready(world, "mnist")
    assert list(world.informers[REVISIONS].objects) == [("default", "mnist-00001")]


async def test_revisions_that_nobody_needs_are_collected(world: World) -> None:
    keep = {"serving.knative.dev/no-gc": "true"}
    await world.configure(
        "config-gc",
        min_non_active_revisions="0",
        retain_since_create_time="1s",
        retain_since_last_active_time="1s",
    )
    async with world.controller():
        await world.apply(ksvc("mnist", "good-1"))
        await ready(world, "mnist", "mnist-00001")
        await world.apply(ksvc("mnist", "good-2", template_annotations=keep))
        await ready(world, "mnist", "mnist-00002")
        pinned = [{"revisionName": "mnist-00003", "percent": 100}]
        await world.apply(ksvc("mnist", "good-3"))
        await ready(world, "mnist", "mnist-00003")
        await world.apply(ksvc("mnist", "good-4", traffic=pinned))
        await ready(world, "mnist", "mnist-00004")
        await world.until(
            lambda: (
                marks(world)
                == {
                    "mnist-00001": "reserve",
                    "mnist-00002": "reserve",
                    "mnist-00003": "active",
                    "mnist-00004": "reserve",
                }
            )
        )
        world.now_s += 2
        await world.configure("config-gc", min_non_active_revisions="1")
        await world.configure(
            "config-gc",
            min_non_active_revisions="0",
            retain_since_create_time="1s",
            retain_since_last_active_time="disabled",
        )
        await world.until(lambda: "mnist-00001" not in marks(world))
        await ready(world, "mnist")
    assert set(marks(world)) == {"mnist-00002", "mnist-00003", "mnist-00004"}


def mapping(namespace: str = "default", to: str = "mnist") -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": "www.example.com", "namespace": namespace},
        "spec": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": to}},
    }


async def test_a_host_of_ones_own(world: World) -> None:
    async with world.controller():
        await world.client.create(DOMAINMAPPINGS, mapping())
        await world.until(lambda: world.says(DOMAINMAPPINGS, "www.example.com", "False"))
        assert world.condition(DOMAINMAPPINGS, "www.example.com")["reason"] == "ResolveFailed"
        await world.apply(ksvc("mnist"))
        await world.until(lambda: world.says(DOMAINMAPPINGS, "www.example.com", "True"))
        status = world.get(DOMAINMAPPINGS, "www.example.com")["status"]
        assert status["url"] == "http://www.example.com:8080"
        await world.client.delete(SERVICES, "default", "mnist")
        await world.until(lambda: world.says(DOMAINMAPPINGS, "www.example.com", "False"))


async def test_two_namespaces_want_one_host(world: World) -> None:
    def told(namespace: str) -> Any:
        raw = world.informers[DOMAINMAPPINGS].objects.get((namespace, "www.example.com"), {})
        conditions = raw.get("status", {}).get("conditions", ())
        return {each["type"]: each["status"] for each in conditions}.get("DomainClaimed")

    async with world.controller():
        await world.client.create(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
        )
        await world.client.create(DOMAINMAPPINGS, mapping("default"))
        await world.client.create(DOMAINMAPPINGS, mapping("other"))
        await world.until(lambda: (told("default"), told("other")) == ("True", "False"))
        await world.client.delete(DOMAINMAPPINGS, "default", "www.example.com")
        await world.until(lambda: told("other") == "True")


async def test_a_tag_does_not_take_another_services_name(world: World) -> None:
    tagged = [{**LATEST, "percent": 100, "tag": "a"}]
    async with world.controller():
        await world.apply(ksvc("a-b"))
        await ready(world, "a-b")
        await world.apply(ksvc("b", traffic=tagged))
        await world.until(
            lambda: world.condition(ROUTES, "b", "IngressReady").get("reason") == "NotOwned"
        )
        await world.until(lambda: world.says(SERVICES, "b", "False"))
        assert world.says(SERVICES, "a-b", "True")
        await world.until(
            lambda: 'route: "b" does not own Service: "a-b"' in world.events("InternalError")
        )
        await world.client.delete(SERVICES, "default", "a-b")
        await ready(world, "b")
        assert world.get(SERVICES, "b")["status"]["traffic"][0]["url"] == (
            "http://a-b.default.localhost:8080"
        )


# Faults.


async def script(world: World, resumed: Callable[[], Any]) -> None:
    """What a user does; `resumed` is called while waiting, and keeps a controller running."""
    await world.apply(ksvc("mnist"))
    await resumed()
    await ready(world, "mnist")
    split = [
        {"revisionName": "mnist-00001", "percent": 50},
        {**LATEST, "percent": 50, "tag": "new"},
    ]
    await world.apply(ksvc("mnist", "better", traffic=split))


async def run_undisturbed(path: Path) -> tuple[dict[str, Any], int]:
    async with a_world(path) as world:
        client = FaultyClient(world.server)
        async with world.controller(client):

            async def nothing() -> None:
                return

            await script(world, nothing)
            await ready(world, "mnist", "mnist-00002")
            await world.until(
                lambda: (
                    set(marks(world).values()) == {"active"}
                    and world.get(PODAUTOSCALERS, "mnist-00002")["spec"].get("reachability")
                    == "Reachable"
                    and world.get(REVISIONS, "mnist-00002")["status"].get("actualReplicas") == 1
                )
            )
        return world.state(), client.writes


@pytest.mark.parametrize("is_lost", [True, False], ids=["write lost", "answer lost"])
async def test_killed_at_any_write_it_converges_to_the_same_state(
    tmp_path: Path, is_lost: bool
) -> None:
    expected, writes = await run_undisturbed(tmp_path / "undisturbed.db")
    assert writes > 20
    for fatal in range(1, writes + 1):
        state = await run_killed_at(tmp_path / f"{fatal}.db", fatal, expected, is_lost=is_lost)
        assert state == expected, f"killed at write {fatal}"


async def run_killed_at(
    path: Path, fatal: int, expected: dict[str, Any], *, is_lost: bool
) -> dict[str, Any]:
    async with a_world(path) as world:
        client = FaultyClient(world.server)
        is_dead = asyncio.Event()

        def die(number: int, verb: str, resource: Resource, obj: Any) -> None:
            if number >= fatal:
                is_dead.set()
                raise UnavailableError("the power is off")

        async def user() -> None:
            async def nothing() -> None:
                return

            await script(world, nothing)
            await world.until(lambda: world.state() == expected, f"as undisturbed ({fatal})")

        async with asyncio.TaskGroup() as tasks:
            scripted = tasks.create_task(user())
            if is_lost:
                client.before = die
            else:
                client.after = die
            async with world.controller(client):
                dead = tasks.create_task(is_dead.wait())
                await asyncio.wait({dead, scripted}, return_when=asyncio.FIRST_COMPLETED)
            dead.cancel()
            async with world.controller():
                await scripted
        return world.state()


async def test_conflicts_without_end_delay_but_do_not_stop_it(world: World) -> None:
    client = FaultyClient(world.server)
    dice = random.Random(3)

    def conflict(number: int, verb: str, resource: Resource, obj: Any) -> None:
        if verb == "replace" and dice.random() < 0.5:
            raise ConflictError("the object has been modified")

    client.before = conflict
    async with world.controller(client) as controller:
        for turn in range(3):
            await world.apply(ksvc("mnist", f"good-{turn}"))
            await ready(world, "mnist", f"mnist-0000{turn + 1}")
        statistics = controller.statistics()
    assert statistics.stale > 0
    assert statistics.failed == 0


async def test_others_writing_at_the_same_time_lose_nothing(world: World) -> None:
    client = FaultyClient(world.server)

    def meddle(number: int, verb: str, resource: Resource, obj: Any) -> None:
        # Just before each write, somebody annotates the very object.
        if verb == "replace" and number < 60:
            name = obj["metadata"]["name"]
            annotated = {"metadata": {"annotations": {"example.com/by": str(number)}}}
            options = world.client._plain
            try:
                world.server.patch(resource, ("default", name), annotated, "merge", options)
            except NotFoundError:
                return

    client.before = meddle
    async with world.controller(client):
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
    assert "example.com/by" in world.get(SERVICES, "mnist")["metadata"]["annotations"]


async def test_a_refused_revision_is_told_and_tried_again(world: World) -> None:
    client = FaultyClient(world.server)
    is_refusing = True

    def refuse(number: int, verb: str, resource: Resource, obj: Any) -> None:
        if is_refusing and verb == "create" and resource == REVISIONS:
            raise InvalidError("quota exceeded")

    client.before = refuse
    async with world.controller(client):
        await world.apply(ksvc("mnist"))
        await world.until(lambda: world.says(SERVICES, "mnist", "False"))
        assert (
            world.condition(CONFIGURATIONS, "mnist")["message"]
            == "Revision creation failed with message: quota exceeded."
        )
        is_refusing = False
        await ready(world, "mnist")


async def test_it_survives_a_server_that_cannot_write_for_a_while(world: World) -> None:
    client = FaultyClient(world.server)

    def fail(number: int, verb: str, resource: Resource, obj: Any) -> None:
        if 3 <= number <= 12:
            raise UnavailableError("the disk is full")

    client.before = fail
    async with world.controller(client) as controller:
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        statistics = controller.statistics()
    assert statistics.failed > 0


async def test_at_rest_it_writes_nothing(world: World) -> None:
    async with world.controller():
        await world.apply(ksvc("mnist"))
        await ready(world, "mnist")
        await world.until(lambda: marks(world) == {"mnist-00001": "active"})
        await world.until(
            lambda: world.get(PODAUTOSCALERS, "mnist-00001")["spec"].get("reachability")
        )
    client = FaultyClient(world.server)
    written: list[str] = []
    client.before = lambda number, verb, resource, obj: written.append(obj["metadata"]["name"])
    async with world.controller(client):
        # It starts over and looks at everything; a second Service shows that it has.
        await world.apply(ksvc("other"))
        await ready(world, "other")
    assert [name for name in written if name.startswith("mnist")] == []
    assert written


async def test_what_events_say_is_told_though_no_other_change_comes(world: World) -> None:
    fault = Fault(reason="FailedMount", message='MountVolume.SetUp failed: secret "x" not found')

    async def mishaps(pods: Sequence[Raw]) -> dict[str, Fault]:
        return {pod["metadata"]["uid"]: fault for pod in pods}

    async with world.controller(mishaps=mishaps) as controller:
        await world.apply(ksvc("mnist", "slow"))
        await world.until(lambda: world.get(PODAUTOSCALERS, "mnist-00001"))
        await world.until(lambda: world.condition(REVISIONS, "mnist-00001"))
        # Whatever the Revision is looked at for by itself has been done.
        async with asyncio.timeout(10):
            while (now := controller.statistics().queue).waiting or now.working:
                await asyncio.sleep(0.01)
        uid = world.get(REVISIONS, "mnist-00001")["metadata"]["uid"]
        labels = {keys.REVISION: "mnist-00001", keys.REVISION_UID: uid}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "default", "labels": labels},
            "spec": {"containers": [{"name": "user-container", "image": "x"}]},
        }
        made = await world.client.create(PODS, pod)
        made["status"] = CREATING["status"]
        await world.client.replace(PODS, made, subresource="status")
        await world.until(
            lambda: world.condition(REVISIONS, "mnist-00001").get("reason") == "FailedMount"
        )
