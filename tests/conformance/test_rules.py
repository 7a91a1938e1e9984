"""Validation of our kinds: by our own code here, by the CEL of their definitions on a cluster.

The words looked for are in both; each says more, in its own way.
"""

import copy
from typing import Any

import pytest

from api.kinds import (
    CONFIGURATIONS,
    DOMAINMAPPINGS,
    INFERENCESERVICES,
    PODAUTOSCALERS,
    REVISIONS,
    ROUTES,
    SERVICES,
    SERVINGRUNTIMES,
    Resource,
)
from tests.conformance.servers import Api
from tests.conformance.test_objects import refused, service

pytestmark = pytest.mark.needs("cel")
IMAGE = {"image": "example.com/serve"}
TWICE = [{"revisionName": "r", "percent": 50, "tag": "a"}] * 2


def made(resource: Resource, spec: dict[str, Any], name: str = "x") -> dict[str, Any]:
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {**head, "metadata": {"name": name}, "spec": copy.deepcopy(spec)}


def of_container(**container: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{**IMAGE, **container}]}}}


def scaled(low: str, high: str) -> dict[str, Any]:
    keys = {"autoscaling.knative.dev/min-scale": low, "autoscaling.knative.dev/max-scale": high}
    return {"template": {**of_container()["template"], "metadata": {"annotations": keys}}}


def predictor(**fields: Any) -> dict[str, Any]:
    model = {"modelFormat": {"name": "onnx"}, "storageUri": "file:///m"}
    return {"predictor": {"model": model, **fields}}


def formats(*priorities: int) -> dict[str, Any]:
    found = [{"name": "onnx", "autoSelect": True, "priority": each} for each in priorities]
    return {"supportedModelFormats": found, "containers": [{**IMAGE, "name": "kserve-container"}]}


def target(name: str) -> dict[str, Any]:
    return {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}}


CASES: dict[str, tuple[Resource, dict[str, Any], str, str]] = {
    "sum": (
        SERVICES,
        {**of_container(), "traffic": [{"latestRevision": True, "percent": 90}]},
        "x",
        "Traffic targets",
    ),
    "a tag twice": (
        SERVICES,
        {**of_container(), "traffic": TWICE},
        "x",
        "Multiple definitions for",
    ),
    "latest and a name": (
        SERVICES,
        {
            **of_container(),
            "traffic": [{"latestRevision": True, "revisionName": "r", "percent": 100}],
        },
        "x",
        'may not set revisionName "r" when latestRevision is true',
    ),
    "neither latest nor a name": (
        SERVICES,
        {**of_container(), "traffic": [{"latestRevision": False, "percent": 100}]},
        "x",
        'may not set revisionName "" when latestRevision is false',
    ),
    "a name with a dot": (SERVICES, of_container(), "x.y", "not a DNS 1035 label"),
    "a name of a Revision": (
        SERVICES,
        {"template": {**of_container()["template"], "metadata": {"name": "other"}}},
        "x",
        'must have prefix "x-"',
    ),
    "a reserved variable": (
        SERVICES,
        of_container(env=[{"name": "K_SERVICE", "value": "x"}]),
        "x",
        '"K_SERVICE" is a reserved environment variable',
    ),
    "a reserved container": (
        CONFIGURATIONS,
        of_container(name="queue-proxy"),
        "x",
        '"queue-proxy" is a reserved container name',
    ),
    "a reserved port": (
        REVISIONS,
        {"containers": [{**IMAGE, "ports": [{"containerPort": 8012}]}]},
        "x",
        "is a reserved port",
    ),
    "two ports": (
        SERVICES,
        {
            "template": {
                "spec": {
                    "containers": [
                        {**IMAGE, "name": "a", "ports": [{"containerPort": 8080}]},
                        {**IMAGE, "name": "b", "ports": [{"containerPort": 8081}]},
                    ]
                }
            }
        },
        "x",
        "more than one container port is set",
    ),
    "scales": (SERVICES, scaled("3", "2"), "x", "max-scale=2 is less than min-scale=3"),
    "a Route of both": (
        ROUTES,
        {"traffic": [{"configurationName": "c", "revisionName": "r", "percent": 100}]},
        "x",
        "expected exactly one, got both",
    ),
    "the name of an InferenceService": (
        INFERENCESERVICES,
        predictor(),
        "1x",
        "a InferenceService name must consist of lower case alphanumeric characters or '-'",
    ),
    "replicas": (
        INFERENCESERVICES,
        predictor(minReplicas=3, maxReplicas=2),
        "x",
        "'MinReplicas' cannot be greater than MaxReplicas",
    ),
    "fewer than none": (
        INFERENCESERVICES,
        predictor(minReplicas=-1),
        "x",
        "'MinReplicas' cannot be less than 0",
    ),
    "at most fewer than none": (
        INFERENCESERVICES,
        predictor(maxReplicas=-1),
        "x",
        "'MaxReplicas' cannot be less than 0",
    ),
    "parallelism": (
        INFERENCESERVICES,
        predictor(containerConcurrency=-1),
        "x",
        "parallelism cannot be less than 0",
    ),
    "a target of rps": (
        INFERENCESERVICES,
        predictor(scaleMetric="rps", scaleTarget=0),
        "x",
        "the target for rps should be greater than 1",
    ),
    "a canary of more than all": (
        INFERENCESERVICES,
        predictor(canaryTrafficPercent=101),
        "x",
        "spec.predictor.canaryTrafficPercent",
    ),
    "two models": (
        INFERENCESERVICES,
        predictor(sklearn={"storageUri": "file:///m"}),
        "x",
        "exactly one of [Name, SKLearn, XGBoost",
    ),
    "a model and its container": (
        INFERENCESERVICES,
        predictor(containers=[{**IMAGE, "name": "kserve-container"}]),
        "x",
        "exactly one of [Name, SKLearn, XGBoost",
    ),
    "no model": (INFERENCESERVICES, {"predictor": {}}, "x", "exactly one of [Name, SKLearn"),
    "a transformer of nothing": (
        INFERENCESERVICES,
        {**predictor(), "transformer": {}},
        "x",
        "exactly one of [PodSpec, ComponentExtensionSpec] must be specified in TransformerSpec",
    ),
    "an explainer of too many": (
        INFERENCESERVICES,
        {
            **predictor(),
            "explainer": {
                "minReplicas": 3,
                "maxReplicas": 2,
                "containers": [{**IMAGE, "name": "kserve-container"}],
            },
        },
        "x",
        "'MinReplicas' cannot be greater than MaxReplicas",
    ),
    "priorities": (SERVINGRUNTIMES, formats(1, 2), "x", "different priorities assigned"),
    "a protocol": (
        SERVINGRUNTIMES,
        {**formats(1), "protocolVersions": ["v9"]},
        "x",
        "invalid protocol v9. Must be one of [v1, v2, grpc-v1, grpc-v2]",
    ),
    "a host of the cluster": (
        DOMAINMAPPINGS,
        target("s"),
        "s.default.svc.cluster.local",
        'must not be a subdomain of cluster local domain "cluster.local"',
    ),
    "what can not be scaled": (
        PODAUTOSCALERS,
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Job", "name": "j"}},
        "x",
        "only Deployment can be scaled",
    ),
}


# exception: codes-of-refusals
@pytest.mark.parametrize("case", CASES)
async def test_a_mistake_is_refused(api: Api, case: str) -> None:
    resource, spec, name, words = CASES[case]
    error = await refused(api.do("create", resource, body=made(resource, spec, name)))
    assert error.status in (400, 403, 422)
    assert words in error.message


# exception: rules-of-our-kinds
@pytest.mark.parametrize(
    ("resource", "spec"),
    [
        (SERVICES, {**of_container(), "traffic": [{"latestRevision": True, "percent": 100}]}),
        (SERVICES, scaled("2", "3")),
        (INFERENCESERVICES, predictor(minReplicas=0, maxReplicas=3, canaryTrafficPercent=20)),
        (INFERENCESERVICES, {"predictor": {"sklearn": {"storageUri": "file:///m"}}}),
        (INFERENCESERVICES, {"predictor": {"containers": [{**IMAGE, "name": "own"}]}}),
        (SERVINGRUNTIMES, {**formats(1, 1), "protocolVersions": ["v1", "grpc-v2"]}),
        (DOMAINMAPPINGS, target("s")),
    ],
    ids=["service", "scales", "model", "framework", "containers", "runtime", "host"],
)
async def test_what_is_right_is_taken(api: Api, resource: Resource, spec: dict[str, Any]) -> None:
    name = f"{api.namespace}.example.com" if resource == DOMAINMAPPINGS else "x"
    await api.do("create", resource, body=made(resource, spec, name))


async def test_a_revision_never_changes(api: Api) -> None:
    await api.do("create", REVISIONS, body=made(REVISIONS, {"containers": [IMAGE]}))
    patch = {"spec": {"timeoutSeconds": 7}}
    error = await refused(api.do("patch", REVISIONS, "x", patch))
    assert "Immutable fields changed (-old +new)" in error.message


async def test_a_template_with_a_name_changes_with_it(api: Api) -> None:
    body = service()
    body["spec"]["template"]["metadata"] = {"name": "s-one"}
    await api.do("create", SERVICES, body=body)
    patch = {"spec": {"template": {"spec": {"timeoutSeconds": 7}}}}
    error = await refused(api.do("patch", SERVICES, "s", patch))
    assert "Saw the following changes without a name change (-old +new)" in error.message


@pytest.mark.needs("admission")
async def test_what_only_code_can_say_is_said(api: Api) -> None:
    body = made(SERVICES, of_container(livenessProbe={"httpGet": {"path": "/", "port": "grpc"}}))
    error = await refused(api.do("create", SERVICES, body=body))
    assert "livenessProbe" in error.message
