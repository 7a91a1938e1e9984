"""What becomes of an InferenceService: Services, traffic, conditions and columns of KServe."""

from typing import Any

import pytest

from api.kinds import (
    CONFIGURATIONS,
    INFERENCESERVICES,
    REVISIONS,
    ROUTES,
    SERVICES,
    SERVINGRUNTIMES,
)
from tests.conformance.platform import Platform, condition
from tests.conformance.servers import OverHttp

pytestmark = pytest.mark.needs("core", "apps")
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ONE, TWO, THREE = (f"iris-predictor-0000{number}" for number in (1, 2, 3))
RUNTIME = {
    "apiVersion": SERVINGRUNTIMES.api_version,
    "kind": "ServingRuntime",
    "metadata": {"name": "toys"},
    "spec": {
        "supportedModelFormats": [{"name": "toy", "version": "1", "autoSelect": True}],
        "protocolVersions": ["v1", "v2"],
        "containers": [
            {
                "name": "kserve-container",
                "image": "example.com/toys:1",
                "args": ["--name={{.Name}}", "--dir=/mnt/models"],
            }
        ],
    },
}


def isvc(platform: Platform, **model: Any) -> dict[str, Any]:
    found = {"modelFormat": {"name": "toy"}, "storageUri": "file:///models/iris", **model}
    selector = {"nodeSelector": platform.selector} if platform.selector else {}
    return {
        "apiVersion": INFERENCESERVICES.api_version,
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {"predictor": {"model": found, **selector}},
    }


def uri(folder: str, **predictor: Any) -> dict[str, Any]:
    """A merge patch: another model."""
    return {"spec": {"predictor": {"model": {"storageUri": f"file:///{folder}"}, **predictor}}}


def split(obj: dict[str, Any]) -> list[tuple[str, int, str]]:
    predictor = ((obj.get("status") or {}).get("components") or {}).get("predictor") or {}
    return [
        (each["revisionName"], each["percent"], each.get("tag", ""))
        for each in predictor.get("traffic") or ()
    ]


async def until_split(platform: Platform, *wanted: tuple[str, int, str]) -> dict[str, Any]:
    return await platform.until(
        INFERENCESERVICES,
        "iris",
        lambda o: split(o) == list(wanted) and condition(o)["status"] == "True",
    )


async def start(platform: Platform, **model: Any) -> None:
    await platform.api.do("create", SERVINGRUNTIMES, body=RUNTIME)
    await platform.api.do("create", INFERENCESERVICES, body=isvc(platform, **model))


async def test_an_inference_service_becomes_ready(platform: Platform) -> None:
    await start(platform)
    found = (await until_split(platform, (ONE, 100, "")))["status"]
    namespace = platform.api.namespace
    assert found["url"] == f"http://iris-{namespace}.localhost:8080"
    assert found["address"] == {"url": f"http://iris.{namespace}.svc.cluster.local"}
    assert found["deploymentMode"] == "Knative"
    assert found["servingRuntimeName"] == "toys"
    assert found["components"]["predictor"]["latestReadyRevision"] == ONE
    assert found["components"]["predictor"]["latestRolledoutRevision"] == ONE
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
    child = await platform.api.do("get", SERVICES, "iris-predictor")
    assert child["metadata"]["labels"]["serving.kserve.io/inferenceservice"] == "iris"
    container = child["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["--name=iris", "--dir=/mnt/models"]
    until = await platform.until(
        INFERENCESERVICES,
        "iris",
        lambda o: o["status"]["modelStatus"]["transitionStatus"] == "UpToDate",
    )
    assert until["status"]["modelStatus"]["states"]["activeModelState"] == "Loaded"


async def test_a_canary_is_promoted_and_the_next_rolled_back(platform: Platform) -> None:
    await start(platform, args=["--first"])
    await until_split(platform, (ONE, 100, ""))
    await platform.api.do("patch", INFERENCESERVICES, "iris", uri("two", canaryTrafficPercent=20))
    canary = await until_split(platform, (TWO, 20, ""), (ONE, 80, "prev"))
    predictor = canary["status"]["components"]["predictor"]
    assert predictor["latestRolledoutRevision"] == ONE
    await _shows_the_canary(platform)
    await platform.api.do("patch", INFERENCESERVICES, "iris", uri("two", canaryTrafficPercent=None))
    promoted = await until_split(platform, (TWO, 100, ""))
    predictor = promoted["status"]["components"]["predictor"]
    assert predictor["latestRolledoutRevision"] == TWO
    assert predictor["previousRolledoutRevision"] == ONE
    patch = uri("three", canaryTrafficPercent=10)
    await platform.api.do("patch", INFERENCESERVICES, "iris", patch)
    await until_split(platform, (THREE, 10, ""), (TWO, 90, "prev"))
    patch = uri("three", canaryTrafficPercent=0)
    await platform.api.do("patch", INFERENCESERVICES, "iris", patch)
    await until_split(platform, (THREE, 0, ""), (TWO, 100, "prev"))


async def _shows_the_canary(platform: Platform) -> None:
    """KServe's columns, where there are tables: over HTTP."""
    api = platform.api
    if not isinstance(api, OverHttp):
        return
    table = await api.raw(api.path(INFERENCESERVICES).removeprefix(api.url.rstrip("/")), TABLE)
    columns = [each["name"] for each in table["columnDefinitions"]]
    assert columns == [
        *("Name", "URL", "Ready", "Prev", "Latest"),
        *("PrevRolledoutRevision", "LatestReadyRevision", "Age"),
    ]
    url = f"http://iris-{api.namespace}.localhost:8080"
    cells = table["rows"][0]["cells"]
    assert [str(each) for each in cells[:-1]] == ["iris", url, "True", "80", "20", ONE, TWO]


async def test_a_runtime_that_is_not_there_is_named(platform: Platform) -> None:
    body = isvc(platform, runtime="nothing")
    await platform.api.do("create", INFERENCESERVICES, body=body)
    found = await platform.ready(INFERENCESERVICES, "iris", "False")
    assert "nothing" in condition(found, "PredictorReady")["message"]
    status = found["status"]["modelStatus"]
    assert status["transitionStatus"] == "InvalidSpec"
    assert status["lastFailureInfo"]["reason"] == "RuntimeNotRecognized"
    # It is looked for again as soon as there is one.
    runtime = {**RUNTIME, "metadata": {"name": "nothing"}}
    await platform.api.do("create", SERVINGRUNTIMES, body=runtime)
    await platform.ready(INFERENCESERVICES, "iris")


async def test_a_format_that_nobody_serves_is_named(platform: Platform) -> None:
    body = isvc(platform, modelFormat={"name": "clay"})
    await platform.api.do("create", INFERENCESERVICES, body=body)
    found = await platform.ready(INFERENCESERVICES, "iris", "False")
    status = found["status"]["modelStatus"]
    assert status["transitionStatus"] == "InvalidSpec"
    assert status["lastFailureInfo"]["reason"] == "NoSupportingRuntime"


async def test_a_broken_model_says_why(platform: Platform) -> None:
    await start(platform, args=["broken"])
    found = await platform.until(
        INFERENCESERVICES, "iris", lambda o: condition(o, "PredictorReady")["status"] == "False"
    )
    assert "model.onnx is not an ONNX model" in condition(found, "PredictorReady")["message"]


async def test_deleting_an_inference_service_deletes_what_it_made(platform: Platform) -> None:
    await start(platform)
    await until_split(platform, (ONE, 100, ""))
    await platform.api.do("delete", INFERENCESERVICES, "iris")
    for resource, name in (
        (INFERENCESERVICES, "iris"),
        (SERVICES, "iris-predictor"),
        (ROUTES, "iris-predictor"),
        (CONFIGURATIONS, "iris-predictor"),
        (REVISIONS, ONE),
    ):
        await platform.gone(resource, name)
