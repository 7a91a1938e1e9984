"""InferenceServices: rollouts beside a real API server, and what the planner says by itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.kinds import INFERENCESERVICES, SERVICES
from tests.controller.inferences import isvc, runtime
from tests.controller.world import FAILURE, World, a_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path / "store.db") as world:
        await world.apply(runtime())
        yield world


def status(world: World, name: str = "iris") -> dict[str, Any]:
    found: dict[str, Any] = world.get(INFERENCESERVICES, name).get("status", {})
    return found


def predictor(world: World) -> dict[str, Any]:
    found: dict[str, Any] = status(world).get("components", {}).get("predictor", {})
    return found


def split(world: World) -> list[tuple[str, int, str]]:
    return [
        (each["revisionName"], each["percent"], each.get("tag", ""))
        for each in predictor(world).get("traffic", ())
    ]


async def until_ready(world: World, *wanted: tuple[str, int, str]) -> None:
    """Wait until it is ready and requests go where they should."""

    def is_so() -> bool:
        is_ready = world.says(INFERENCESERVICES, "iris", "True")
        return is_ready and (not wanted or split(world) == list(wanted))

    await world.until(is_so, f"ready with {wanted}")


ONE, TWO, THREE = (f"iris-predictor-0000{number}" for number in (1, 2, 3))


async def test_an_inference_service_becomes_ready(world: World) -> None:
    async with world.controller():
        await world.apply(isvc(labels={"team": "flowers"}))
        await until_ready(world)
        await world.until(lambda: world.events("InferenceServiceReady"))
    found = status(world)
    assert found["url"] == "http://iris-default.localhost:8080"
    assert found["address"] == {"url": "http://iris.default.svc.cluster.local"}
    assert found["deploymentMode"] == "Knative"
    assert found["servingRuntimeName"] == "toys"
    assert found["observedGeneration"] == 1
    assert predictor(world) == {
        "latestCreatedRevision": ONE,
        "latestReadyRevision": ONE,
        "latestRolledoutRevision": ONE,
        "traffic": [{"latestRevision": True, "percent": 100, "revisionName": ONE}],
        "url": "http://iris-predictor.default.localhost:8080",
        "address": {"url": "http://iris-predictor.default.svc.cluster.local"},
    }
    assert {each["type"]: each["status"] for each in found["conditions"]} == {
        "IngressReady": "True",
        "LatestDeploymentReady": "True",
        "PredictorConfigurationReady": "True",
        "PredictorReady": "True",
        "PredictorRouteReady": "True",
        "Ready": "True",
        "RoutesReady": "True",
        "Stopped": "False",
    }
    assert found["modelStatus"]["transitionStatus"] == "UpToDate"
    child = world.get(SERVICES, "iris-predictor")
    assert child["metadata"]["labels"] == {
        "team": "flowers",
        "serving.kserve.io/inferenceservice": "iris",
        "component": "predictor",
    }
    assert world.events("InferenceServiceReady") == ["InferenceService [iris] is Ready"]


async def test_a_canary_is_rolled_out_promoted_and_rolled_back(world: World) -> None:
    async with world.controller():
        await world.apply(isvc(canaryTrafficPercent=20))
        # The first rollout ignores it; then, as in KServe, both shares are the one's.
        await until_ready(world, (ONE, 20, ""), (ONE, 80, "prev"))
        assert predictor(world)["latestRolledoutRevision"] == ONE
        await world.apply(isvc("iris", "good2", canaryTrafficPercent=20))
        await until_ready(world, (TWO, 20, ""), (ONE, 80, "prev"))
        assert predictor(world)["latestRolledoutRevision"] == ONE
        await world.apply(isvc("iris", "good2"))  # promoted by removing it
        await until_ready(world, (TWO, 100, ""))
        await world.until(lambda: predictor(world)["latestRolledoutRevision"] == TWO)
        assert predictor(world)["previousRolledoutRevision"] == ONE
        await world.apply(isvc("iris", "good2", canaryTrafficPercent=0))  # rolled back
        await until_ready(world, (TWO, 0, ""), (ONE, 100, "prev"))
        assert predictor(world)["latestRolledoutRevision"] == ONE
        await world.apply(isvc("iris", "good3", canaryTrafficPercent=100))
        await until_ready(world, (THREE, 100, ""))


async def test_zero_percent_is_a_dark_launch_with_a_tag(world: World) -> None:
    tagged = {"serving.kserve.io/enable-tag-routing": "true"}
    async with world.controller():
        await world.apply(isvc(annotations=tagged))
        await until_ready(world, (ONE, 100, "latest"))
        await world.apply(isvc("iris", "good2", annotations=tagged, canaryTrafficPercent=0))
        await until_ready(world, (TWO, 0, "latest"), (ONE, 100, "prev"))
    urls = {each["tag"]: each["url"] for each in predictor(world)["traffic"]}
    assert urls == {
        "latest": "http://latest-iris-predictor.default.localhost:8080",
        "prev": "http://prev-iris-predictor.default.localhost:8080",
    }


async def test_a_broken_revision_gets_nothing_and_says_why(world: World) -> None:
    async with world.controller():
        await world.apply(isvc())
        await until_ready(world, (ONE, 100, ""))
        await world.apply(isvc("iris", "broken", canaryTrafficPercent=20))
        await world.until(
            lambda: (
                world.says(INFERENCESERVICES, "iris", "False")
                and status(world)["modelStatus"].get("lastFailureInfo", {}).get("exitCode")
            )
        )
        assert {name for name, _, _ in split(world)} == {ONE}
        assert sum(percent for _, percent, _ in split(world)) == 100
        assert predictor(world)["latestRolledoutRevision"] == ONE
        model = status(world)["modelStatus"]
        assert model["transitionStatus"] == "BlockedByFailedLoad"
        assert model["states"]["targetModelState"] == "FailedToLoad"
        info = model["lastFailureInfo"]
        assert (info["reason"], info["message"]) == ("ModelLoadFailed", FAILURE)
        assert (info["exitCode"], info["modelRevisionName"]) == (1, TWO)
        assert FAILURE in world.condition(INFERENCESERVICES, "iris", "PredictorReady")["message"]
        await world.apply(isvc("iris", "good3", canaryTrafficPercent=20))
        await until_ready(world, (THREE, 20, ""), (ONE, 80, "prev"))
        assert "lastFailureInfo" not in status(world)["modelStatus"]


async def test_no_runtime_is_told_and_waited_for(world: World) -> None:
    other = {"modelFormat": {"name": "lego"}}
    async with world.controller():
        await world.apply(isvc(model=other))
        await world.until(lambda: world.says(INFERENCESERVICES, "iris", "False"))
        assert status(world)["modelStatus"] == {
            "transitionStatus": "InvalidSpec",
            "states": {"activeModelState": "", "targetModelState": "FailedToLoad"},
            "copies": {"failedCopies": 0, "totalCopies": 0},
            "lastFailureInfo": {
                "reason": "NoSupportingRuntime",
                "message": "No runtime found to support specified framework/version",
            },
        }
        ready = world.condition(INFERENCESERVICES, "iris", "PredictorReady")
        assert ready["reason"] == "NoSupportingRuntime"
        assert "model type: lego" in ready["message"]
        await world.until(lambda: world.events("InternalError"))
        await world.apply(runtime("bricks", [{"name": "lego", "autoSelect": True}]))
        await until_ready(world, (ONE, 100, ""))


async def test_stop_deletes_what_runs_and_starting_again_brings_it_back(world: World) -> None:
    async with world.controller():
        await world.apply(isvc())
        await until_ready(world)
        await world.apply(isvc(annotations={"serving.kserve.io/stop": "true"}))
        await world.until(
            lambda: (
                not world.get(SERVICES, "iris-predictor")
                and world.condition(INFERENCESERVICES, "iris", "Stopped").get("status") == "True"
            )
        )
        assert world.condition(INFERENCESERVICES, "iris", "PredictorReady")["reason"] == "Stopped"
        assert "url" not in status(world)
        await world.apply(isvc(annotations={"serving.kserve.io/stop": "false"}))
        await until_ready(world)


async def test_a_service_of_somebody_else_is_left_alone(world: World) -> None:
    foreign = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "iris-predictor", "namespace": "default"},
        "spec": {
            "template": {"spec": {"containers": [{"image": "example.com/mine", "args": ["good"]}]}}
        },
    }
    await world.apply(foreign)
    async with world.controller():
        await world.apply(isvc())
        await world.until(lambda: world.says(INFERENCESERVICES, "iris", "False"))
        assert world.condition(INFERENCESERVICES, "iris", "PredictorReady") == {
            "type": "PredictorReady",
            "status": "False",
            "reason": "NotOwned",
            "message": 'There is an existing Service "iris-predictor" that we do not own.',
            "lastTransitionTime": "2027-01-15T08:00:00Z",
        }
        await world.client.delete(SERVICES, "default", "iris-predictor")
        await until_ready(world)


async def test_what_the_server_refuses_is_told(world: World) -> None:
    """A pod that only turns out wrong once it is put together."""
    mount = {"volumeMounts": [{"name": "nowhere", "mountPath": "/x"}]}
    async with world.controller():
        await world.apply(isvc(model=mount))
        await world.until(lambda: world.says(INFERENCESERVICES, "iris", "False"))
        ready = world.condition(INFERENCESERVICES, "iris", "PredictorReady")
        assert ready["reason"] == "ReconcileFailed"
        assert "volumeMount has no matching volume" in ready["message"]
        await world.apply(isvc())
        await until_ready(world)


async def test_a_transformer_stands_before_the_predictor_and_goes_with_its_spec(
    world: World,
) -> None:
    mine = {"image": "example.com/mine", "command": ["/bin/mine"], "args": ["--x", "y"]}
    others = {"transformer": {"containers": [mine]}}
    async with world.controller():
        await world.apply(isvc(others=others))
        await until_ready(world)
        child = world.get(SERVICES, "iris-transformer")
        [container] = child["spec"]["template"]["spec"]["containers"]
        assert container["args"] == [
            *("--x", "y", "--model_name", "iris"),
            *("--predictor_host", "iris-predictor.default.localhost:8080"),
            *("--http_port", "$(PORT)"),
        ]
        types = {each["type"] for each in status(world)["conditions"]}
        assert {"TransformerReady", "TransformerRouteReady"} <= types
        assert world.condition(INFERENCESERVICES, "iris", "TransformerReady")["severity"] == "Info"
        await world.apply(isvc())
        await world.until(lambda: not world.get(SERVICES, "iris-transformer"))
        await until_ready(world)


async def test_deleting_it_deletes_its_children(world: World) -> None:
    async with world.controller():
        await world.apply(isvc())
        await until_ready(world)
        await world.client.delete(INFERENCESERVICES, "default", "iris")
        await world.until(lambda: not world.get(SERVICES, "iris-predictor"))
