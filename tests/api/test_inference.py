"""Every message about an InferenceService as a whole, and what is read of a good one."""

from typing import Any

import pytest

from api import kinds
from api.admission import admit
from api.errors import InvalidObjectError
from api.inference import REFUSED_ANNOTATIONS, InferenceService, is_passed_on
from tests.api.inferences import complaints, container, isvc, predictor

KSERVE = "serving.kserve.io"
NOT_A_NAME = (
    'the InferenceService "{}" is invalid: a InferenceService name must consist of lower case '
    "alphanumeric characters or '-', and must start with alphabetical character. (e.g. "
    '"my-name" or "abc-123", regex used for validation is \'[a-z]([-a-z0-9]*[a-z0-9])?\')'
)


def annotated(**found: str) -> dict[str, Any]:
    return isvc(annotations={f"{KSERVE}/{key.replace('_', '-')}": v for key, v in found.items()})


def at(key: str) -> str:
    return f"metadata.annotations.{KSERVE}/{key}"


CASES = [
    ("upper case", isvc(name="Iris"), NOT_A_NAME.format("Iris")),
    ("digit first", isvc(name="1iris"), NOT_A_NAME.format("1iris")),
    ("dot", isvc(name="i.ris"), NOT_A_NAME.format("i.ris")),
    (
        "long",
        isvc(name="a" * 52),
        "must be no more than 51 characters: metadata.name\n"
        "its components are Services named <name>-predictor, -transformer, -explainer",
    ),
    ("nameless", isvc(name=""), "name or generateName is required: metadata.name"),
    (
        "kind",
        {**isvc(), "kind": "Service"},
        "invalid value: Service: kind\nmust be InferenceService",
    ),
    (
        "raw deployment",
        annotated(deploymentMode="RawDeployment"),
        f"invalid value: RawDeployment: {at('deploymentMode')}\n"
        "everything is deployed as in Knative mode: with revisions and from zero",
    ),
    (
        "standard",
        annotated(deploymentMode="Standard"),
        f"invalid value: Standard: {at('deploymentMode')}\n"
        "everything is deployed as in Knative mode: with revisions and from zero",
    ),
    (
        "modelmesh",
        annotated(deploymentMode="ModelMesh"),
        f"invalid value: ModelMesh: {at('deploymentMode')}\n"
        "ModelMesh is not served by this version",
    ),
    (
        "no mode",
        annotated(deploymentMode="Whatever"),
        f"invalid value: Whatever: {at('deploymentMode')}\nthe mode served is Knative",
    ),
    *(
        (
            each,
            annotated(autoscalerClass=each),
            f"invalid value: {each}: {at('autoscalerClass')}\n"
            "it is for Standard mode; Knative's autoscaler is ours",
        )
        for each in ("hpa", "external", "keda", "none")
    ),
    (
        "no autoscaler",
        annotated(autoscalerClass="kpb"),
        f"[kpb] is not a supported autoscaler class type: {at('autoscalerClass')}",
    ),
    *(
        (
            key,
            isvc(annotations={key: "x"}),
            f"must not set the field(s): metadata.annotations.{key}\n{why}",
        )
        for key, why in REFUSED_ANNOTATIONS.items()
    ),
    (
        "unknown annotation",
        annotated(nope="x"),
        f'invalid key name "{KSERVE}/nope": metadata.annotations\n'
        "not an annotation that Relight reads here",
    ),
    (
        "annotation of KServe's own",
        isvc(annotations={"internal.serving.kserve.io/agent": "true"}),
        'invalid key name "internal.serving.kserve.io/agent": metadata.annotations\n'
        "not an annotation that Relight reads here",
    ),
    (
        "annotation of a component",
        isvc({"predictor": predictor(annotations={f"{KSERVE}/stop": "true"})}),
        f'invalid key name "{KSERVE}/stop": spec.predictor.annotations\n'
        'it must be put under "metadata.annotations" to work',
    ),
    (
        "stop",
        annotated(stop="yes"),
        f"invalid value: yes: {at('stop')}\nmust be one of: true, false, True, False",
    ),
    (
        "trust",
        isvc(annotations={"relight.dev/trust-pickle": "maybe"}),
        "invalid value: maybe: metadata.annotations.relight.dev/trust-pickle\n"
        "must be one of: true, false",
    ),
    (
        "bounds of scaling",
        isvc(annotations={"autoscaling.knative.dev/min-scale": "1"}),
        "must not set the field(s): metadata.annotations.autoscaling.knative.dev/min-scale\n"
        "KServe drops it: use minReplicas",
    ),
    (
        "scaling",
        isvc(annotations={"autoscaling.knative.dev/window": "1s"}),
        "expected 6s <= 1s <= 1h0m0s: metadata.annotations.autoscaling.knative.dev/window",
    ),
    (
        "rollout",
        isvc(annotations={"serving.knative.dev/rollout-duration": "-1s"}),
        "rollout-duration=-1s must be positive: "
        "metadata.annotations.serving.knative.dev/rollout-duration",
    ),
    (
        "visibility",
        isvc(labels={"networking.kserve.io/visibility": "public"}),
        "invalid value: public: metadata.labels.networking.kserve.io/visibility\n"
        "the only value is cluster-local",
    ),
    (
        "Knative's label",
        isvc(labels={"serving.knative.dev/service": "x"}),
        'invalid key name "serving.knative.dev/service": metadata.labels',
    ),
    (
        "canary",
        isvc({"predictor": predictor(), "canary": [{"trafficPercent": 10}]}),
        "canary is only supported in Standard deployment mode: spec.canary",
    ),
    ("unknown", isvc({"predictor": predictor(), "foo": 1}), "unknown field: spec.foo"),
    (
        "no predictor",
        isvc({}),
        "exactly one of [Name, SKLearn, XGBoost, Tensorflow, PyTorch, Triton, ONNX, HuggingFace, "
        "PMML, LightGBM, Paddle, Model, StorageUris, StorageContainerName, WorkerSpec, PodSpec] "
        "must be specified in PredictorSpec: spec.predictor",
    ),
]


@pytest.mark.parametrize(("raw", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_every_complaint(raw: Any, message: str) -> None:
    assert complaints(InferenceService.parse, raw) == message


@pytest.mark.parametrize("mode", ["Knative", "Serverless"])
def test_the_mode_that_is_served_may_be_named(mode: str) -> None:
    InferenceService.parse(annotated(deploymentMode=mode))


def test_components_come_predictor_first() -> None:
    other = {"containers": [container()]}
    raw = isvc({"explainer": other, "transformer": other, "predictor": predictor()})
    kinds_found = [each.kind for each in InferenceService.parse(raw).components()]
    assert kinds_found == ["predictor", "transformer", "explainer"]


@pytest.mark.parametrize("text", ["true", "True"])
def test_stop(text: str) -> None:
    assert InferenceService.parse(annotated(stop=text)).is_stopped
    assert not InferenceService.parse(annotated(stop="false")).is_stopped
    assert not InferenceService.parse(isvc()).is_stopped


@pytest.mark.parametrize(
    "key", ["networking.kserve.io/visibility", "networking.knative.dev/visibility"]
)
def test_visibility(key: str) -> None:
    assert InferenceService.parse(isvc(labels={key: "cluster-local"})).is_cluster_local
    assert not InferenceService.parse(isvc()).is_cluster_local


def test_how_long_replicas_are_kept_goes_to_the_revisions() -> None:
    key = "relight.dev/keep-alive"
    assert is_passed_on(key)
    kept = isvc({"predictor": predictor(annotations={key: "fast"})}, annotations={key: "cheap"})
    assert InferenceService.parse(kept).predictor.extension.annotations == {key: "fast"}
    assert complaints(InferenceService.parse, isvc(annotations={key: "dear"})) == (
        f"invalid value: dear: metadata.annotations.{key}"
    )


def test_switches_make_no_new_revision() -> None:
    assert is_passed_on("example.com/anything")
    assert is_passed_on("autoscaling.knative.dev/window")
    for key in (f"{KSERVE}/stop", "relight.dev/trust-pickle", "storage.kserve.io/readonly"):
        assert not is_passed_on(key)


def test_two_ways_to_write_a_model_are_refused_when_new() -> None:
    """Later, an apply of the older way meets the newer one that defaulting stored."""
    both = isvc({"predictor": {**predictor(), "sklearn": {"storageUri": "b"}}})
    with pytest.raises(InvalidObjectError, match="exactly one of"):
        admit(kinds.INFERENCESERVICES, both, None, user="")
    old = admit(kinds.INFERENCESERVICES, isvc(), None, user="")
    stored = admit(kinds.INFERENCESERVICES, both, old, user="")
    assert stored["spec"]["predictor"]["model"]["storageUri"] == "b"
    assert "sklearn" not in stored["spec"]["predictor"]
