"""Every message about a component, and what is read of a good one."""

import json
from typing import Any

import pytest

from api import fields
from api.inference_components import (
    Batcher,
    Component,
    Extension,
    Kind,
    Logger,
    read_component,
    to_annotation,
)
from api.inference_names import FRAMEWORKS
from tests.api.inferences import complaints, container, predictor

P = "spec.predictor"
HPA = "only an HPA or KEDA reads it, and Knative mode, the one that is served, has neither"
NODES = "a model on several nodes is not served by this version"
BATCHES = "only relight/predictor puts requests together, and only for a model of its own"
ONE_OF_PREDICTOR = (
    "exactly one of [Name, SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, PMML, "
    "LightGBM, Paddle, Model, StorageUris, StorageContainerName, WorkerSpec, PodSpec] must be "
    "specified in PredictorSpec"
)
PREFIXES = (
    "gs://, s3://, pvc://, file://, https://, http://, hdfs://, webhdfs://, oci://, "
    "oci+native://, oci+fetch://, hf://"
)


def read(raw: Any, kind: Kind = "predictor") -> Component:
    faults = fields.Faults()
    component = read_component(raw, kind, faults)
    faults.raise_any()
    return component


def bad_uri(uri: str) -> str:
    return (
        f"storageUri, must be one of: [{PREFIXES}] or match "
        "https://{}.blob.core.windows.net/{}/{} or be an absolute or relative local path. "
        f"StorageUri [{uri}] is not supported: {P}.model.storageUri"
    )


def refused(path: str, why: str) -> str:
    return f"must not set the field(s): {path}\n{why}"


CASES: list[tuple[str, Any, str]] = [
    (
        "min above max",
        predictor(minReplicas=3, maxReplicas=2),
        f"'MinReplicas' cannot be greater than MaxReplicas: {P}.minReplicas",
    ),
    (
        "min below zero",
        predictor(minReplicas=-1),
        f"'MinReplicas' cannot be less than 0: {P}.minReplicas",
    ),
    (
        "max below zero",
        predictor(minReplicas=0, maxReplicas=-1),
        f"'MaxReplicas' cannot be less than 0: {P}.maxReplicas",
    ),
    (
        "max too many",
        predictor(maxReplicas=2**31),
        f"expected 0 <= {2**31} <= {2**31 - 1}: {P}.maxReplicas",
    ),
    (
        "not a number",
        predictor(minReplicas="2"),
        f"invalid value: 2: {P}.minReplicas\nmust be an integer",
    ),
    (
        "concurrency",
        predictor(containerConcurrency=-1),
        f"parallelism cannot be less than 0: {P}.containerConcurrency",
    ),
    (
        "much concurrency",
        predictor(containerConcurrency=1001),
        f"expected 0 <= 1001 <= 1000: {P}.containerConcurrency",
    ),
    ("timeout", predictor(timeout=601), f"expected 0 <= 601 <= 600: {P}.timeout"),
    (
        "percent",
        predictor(canaryTrafficPercent=101),
        f"expected 0 <= 101 <= 100: {P}.canaryTrafficPercent",
    ),
    ("cpu", predictor(scaleMetric="cpu"), f"[cpu] is not a supported metric: {P}.scaleMetric"),
    (
        "memory",
        predictor(scaleMetric="memory"),
        f"[memory] is not a supported metric: {P}.scaleMetric",
    ),
    (
        "rps",
        predictor(scaleMetric="rps", scaleTarget=0),
        f"the target for rps should be greater than 1: {P}.scaleTarget",
    ),
    (
        "target",
        predictor(scaleTarget=0),
        f"expected 1 <= 0 <= {2**31 - 1}: {P}.scaleTarget",
    ),
    ("metric type", predictor(scaleMetricType="Value"), refused(f"{P}.scaleMetricType", HPA)),
    ("metrics", predictor(autoScaling={"metrics": [{}]}), refused(f"{P}.autoScaling", HPA)),
    (
        "strategy",
        predictor(deploymentStrategy={"type": "Recreate"}),
        "customizing deploymentStrategy is only supported for raw deployment mode: "
        f"{P}.deploymentStrategy",
    ),
    (
        "logger's mode",
        predictor(logger={"url": "http://a", "mode": "none"}),
        f"invalid logger type: {P}.logger.mode",
    ),
    ("nothing is something", predictor(workerSpec={}), refused(f"{P}.workerSpec", NODES)),
    ("logger's url", predictor(logger={}), f"missing field(s): {P}.logger.url"),
    (
        "logger's headers",
        predictor(logger={"url": "http://a", "metadataHeaders": ["ok", "not ok"]}),
        f"invalid value: not ok: {P}.logger.metadataHeaders[1]\nmust be the name of a header",
    ),
    (
        "logger's scheme",
        predictor(logger={"url": "a:1"}),
        f"invalid value: a:1: {P}.logger.url\nmust be an http or https URL",
    ),
    (
        "logger's store",
        predictor(logger={"url": "http://a", "storage": {"path": "x"}}),
        refused(
            f"{P}.logger.storage",
            "only KServe's agent writes to an object store; events go to the url",
        ),
    ),
    (
        "batch size",
        predictor(batcher={"maxBatchSize": 0}),
        f"expected 1 <= 0 <= {2**31 - 1}: {P}.batcher.maxBatchSize",
    ),
    (
        "batch timeout",
        predictor(batcher={"timeout": 60}),
        refused(
            f"{P}.batcher.timeout",
            "the component's own timeout bounds a request, batched or not",
        ),
    ),
    (
        "batcher of one's own",
        {"containers": [container()], "batcher": {"maxBatchSize": 2}},
        refused(f"{P}.batcher", BATCHES),
    ),
    ("nothing", {}, f"{ONE_OF_PREDICTOR}: {P}"),
    (
        "two models",
        {**predictor(), "onnx": {"storageUri": "b"}},
        f"{ONE_OF_PREDICTOR}: {P}",
    ),
    (
        "model and kserve-container",
        predictor(containers=[container(ports=[{"containerPort": 8080}])]),
        f'duplicate container name "kserve-container": {P}.containers[0].name\n'
        f"{ONE_OF_PREDICTOR}: {P}",
    ),
    (
        "no format",
        predictor(model={"modelFormat": {}}),
        f"missing field(s): {P}.model.modelFormat.name",
    ),
    (
        "unknown in format",
        predictor(model={"modelFormat": {"name": "x", "nam": 1}}),
        f"unknown field: {P}.model.modelFormat.nam",
    ),
    (
        "name",
        predictor(model={"name": "x"}),
        f"the 'name' field is not allowed in standard predictor: {P}.model.name",
    ),
    (
        "storage",
        predictor(model={"storage": {"key": "k"}}),
        refused(
            f"{P}.model.storage",
            "no storage-config Secret is read: give a storageUri, and credentials in env of the "
            "model",
        ),
    ),
    (
        "confidential",
        predictor(model={"confidential": {"enabled": True}}),
        refused(f"{P}.model.confidential", "models are not decrypted by this version"),
    ),
    ("scheme", predictor(model={"storageUri": "ftp://a/b"}), bad_uri("ftp://a/b")),
    (
        "azure",
        predictor(model={"storageUri": "http://a.blob.core.windows.net/b"}),
        bad_uri("http://a.blob.core.windows.net/b"),
    ),
    (
        "claim",
        predictor(model={"storageUri": "pvc:///b"}),
        "storageUri, must be pvc://<claim>/<path>. StorageUri [pvc:///b] names no claim: "
        f"{P}.model.storageUri",
    ),
    (
        "grpc",
        predictor(model={"protocolVersion": "grpc-v1"}),
        f"invalid value: grpc-v1: {P}.model.protocolVersion\n{fields.NOT_SUPPORTED}",
    ),
    (
        "protocol",
        predictor(model={"protocolVersion": "v3"}),
        f"invalid protocol v3. Must be one of [v1, v2, grpc-v2]: {P}.model.protocolVersion",
    ),
    (
        "unknown in a model",
        predictor(model={"storageURI": "x"}),
        f"unknown field: {P}.model.storageURI",
    ),
    (
        "a container's field",
        predictor(model={"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}),
        f"must not set the field(s): {P}.model.lifecycle",
    ),
    (
        "pythonpath",
        predictor(model={"env": [{"name": "PYTHONPATH", "value": "x"}]}),
        'setting PYTHONPATH in container "" is not allowed for security reasons: '
        f"{P}.model.env[0].name",
    ),
    ("unknown", predictor(foo=1), f"unknown field: {P}.foo"),
    ("Knative's name", predictor(timeoutSeconds=1), f"unknown field: {P}.timeoutSeconds"),
    ("never in Knative", predictor(nodeName="x"), f"must not set the field(s): {P}.nodeName"),
    (
        "variant",
        predictor(name="v2"),
        refused(f"{P}.name", "it names variants in Standard mode; here a canary is a Revision"),
    ),
    (
        "nodes",
        predictor(workerSpec={"tensorParallelSize": 2}),
        refused(f"{P}.workerSpec", NODES),
    ),
    (
        "several models",
        predictor(storageUris=[{"uri": "a"}]),
        refused(f"{P}.storageUris", "one model from one storageUri is what this version reads"),
    ),
    (
        "storage container",
        predictor(storageContainerName="x"),
        refused(
            f"{P}.storageContainerName",
            "no storage container runs here: our predictor's models are fetched",
        ),
    ),
    (
        "custom protocol",
        {"containers": [container(env=[{"name": "PROTOCOL", "value": "v9"}])]},
        f"invalid protocol v9. Must be one of [v1, v2, grpc-v2]: {P}.containers[0].env[0].value",
    ),
    (
        "model of a side",
        {
            "containers": [
                container(ports=[{"containerPort": 8080}]),
                container(
                    name="transformer-container", env=[{"name": "STORAGE_URI", "value": "a"}]
                ),
            ]
        },
        "storage uri should not be specified in transformer container: "
        f"{P}.containers[1].env[0].value",
    ),
    (
        "no image",
        {"containers": [{"name": "kserve-container"}]},
        f"missing field(s): {P}.containers[0].image",
    ),
    (
        "bounds",
        predictor(annotations={"autoscaling.knative.dev/maxScale": "3"}),
        refused(
            f"{P}.annotations.autoscaling.knative.dev/maxScale", "KServe drops it: use maxReplicas"
        ),
    ),
]


@pytest.mark.parametrize(("raw", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_every_complaint(raw: Any, message: str) -> None:
    assert complaints(read, raw) == message


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        (
            "transformer",
            {},
            "exactly one of [PodSpec, ComponentExtensionSpec] must be specified in "
            "TransformerSpec: spec.transformer",
        ),
        (
            "explainer",
            {},
            "exactly one of [ART, PodSpec, ComponentExtensionSpec] must be specified in "
            "ExplainerSpec: spec.explainer",
        ),
        (
            "explainer",
            {"art": {"type": "SquareAttack"}},
            refused(
                "spec.explainer.art",
                "its server is not part of this version; give containers of your own",
            ),
        ),
        (
            "transformer",
            {"containers": [container()], "batcher": {"maxBatchSize": 2}},
            refused("spec.transformer.batcher", BATCHES),
        ),
        (
            "transformer",
            {"containers": [container()], "model": {}},
            "unknown field: spec.transformer.model",
        ),
    ],
)
def test_every_complaint_about_the_others(kind: Kind, raw: Any, message: str) -> None:
    assert complaints(lambda each: read(each, kind), raw) == message


def test_a_predictor_is_read() -> None:
    component = read(
        predictor(
            minReplicas=0,
            maxReplicas=3,
            scaleTarget=2,
            scaleMetric="rps",
            containerConcurrency=4,
            timeout=60,
            canaryTrafficPercent=10,
            logger={"url": "http://sink", "metadataHeaders": ["x-a"]},
            batcher={"maxLatency": 5},
            labels={"a": "b"},
            annotations={"c": "d"},
            nodeSelector={"gpu": "yes"},
            model={"args": ["--threads", "2"], "runtime": "mine", "runtimeVersion": "1"},
        )
    )
    assert component.extension == Extension(
        min_replicas=0,
        max_replicas=3,
        scale_target=2,
        scale_metric="rps",
        container_concurrency=4,
        timeout_s=60,
        canary_percent=10,
        logger=Logger(url="http://sink", metadata_headers=("x-a",)),
        batcher=Batcher(max_batch_size=32, max_latency_ms=5),
        labels={"a": "b"},
        annotations={"c": "d"},
    )
    assert component.pod == {"nodeSelector": {"gpu": "yes"}}
    assert component.model is not None
    assert component.model.container == {"args": ["--threads", "2"]}
    assert (component.model.runtime, component.model.runtime_version) == ("mine", "1")


def test_one_replica_is_the_default() -> None:
    assert read(predictor()).extension.min_replicas == 1


def test_a_logger_for_the_activator() -> None:
    text = to_annotation(Logger(url="http://sink", mode="request", metadata_headers=("x-a",)))
    assert json.loads(text) == {
        "url": "http://sink",
        "mode": "request",
        "metadataHeaders": ["x-a"],
    }


def test_containers_that_stand_beside_a_model_need_not_be_whole() -> None:
    """Ports and volumes may come from the runtime."""
    side = {"name": "side", "image": "example.com/side"}
    mount = {"volumeMounts": [{"name": "cache", "mountPath": "/cache"}]}
    component = read(predictor(containers=[side], model=mount))
    assert component.pod["containers"] == [side]


def test_every_framework_is_an_older_way_to_write_a_model() -> None:
    assert len(FRAMEWORKS) == 10
    for each in FRAMEWORKS:
        assert complaints(read, {each: {"storageUri": "a"}}) == ""
