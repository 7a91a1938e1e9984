"""KServe's own iris models, in five formats, as InferenceServices, with KServe's golden answers.

Asked over V1, V2 as JSON, V2 as binary and gRPC, each through the activator.
"""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest

from examples.running import Platform
from tests.e2e.conftest import ROOT, Kubectl
from tests.e2e.test_grpc import ask
from tests.golden.asking import binary_body, grpc_fields, json_body, read_binary, read_grpc
from tests.golden.asking import read_json as outputs_of

pytestmark = pytest.mark.e2e

KSERVE = ROOT.parent / "shared/data/kserve"
# Per format: its file, the libraries it needs, the name of its input.
FORMATS = {
    "onnx": ("onnx/model.onnx", ("onnxruntime",), "X"),
    "sklearn": ("sklearn/model.joblib", ("sklearn", "joblib"), "input-0"),
    "xgboost": ("xgboost/model.json", ("xgboost",), "input-0"),
    "lightgbm": ("lightgbm/model.bst", ("lightgbm",), "input-0"),
    "pmml": ("pmml/model.pmml", ("py4j", "pypmml"), "input-0"),
}
INPUTS = ("iris_input.json", "iris_input_v2.json")
SETOSA = {
    "Species": "setosa",
    "Probability_setosa": 1.0,
    "Probability_versicolor": 0.0,
    "Probability_virginica": 0.0,
    "Node_Id": "2",
}


def read(name: str) -> Any:
    return json.loads((KSERVE / "requests" / name).read_bytes())


def inference_service(name: str, kind: str, path: Path) -> str:
    model = {
        "modelFormat": {"name": kind},
        "protocolVersion": "v2",
        "storageUri": f"file://{path}",
    }
    made = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"relight.dev/trust-pickle": "true"}},
        "spec": {"predictor": {"minReplicas": 0, "model": model}},
    }
    return json.dumps(made)


def classes(values: Any) -> list[Any]:
    """Of V1's predictions or one V2 output: labels, or the likeliest of probabilities."""
    rows = [each["label"] if isinstance(each, dict) else each for each in values]
    array = np.array(rows)
    return list((array.argmax(axis=1) if array.ndim == 2 else array).tolist())


def check(kind: str, outputs: dict[str, Any]) -> None:
    if kind == "pmml":
        assert {name: array.tolist() for name, array in outputs.items()} == {
            name: [value] for name, value in SETOSA.items()
        }
    else:
        assert classes(next(iter(outputs.values()))) == [1, 1]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_golden_answers(platform: Platform, kubectl: Kubectl, kind: str) -> None:
    file, libraries, column = FORMATS[kind]
    if not (KSERVE / file).exists():
        pytest.skip(f"{KSERVE / file} is not here")
    for library in libraries:
        pytest.importorskip(library)
    if kind == "pmml" and shutil.which("java") is None:
        pytest.skip("its Node_Id is evaluated in Java only")
    name = f"iris-{kind}"
    kubectl("apply", "-f", "-", stdin=inference_service(name, kind, KSERVE / file))
    kubectl("wait", "isvc", name, "--for=condition=Ready", "--timeout=60s")
    url = kubectl("get", "isvc", name, "-o", "jsonpath={.status.url}").stdout
    host = urlsplit(url).netloc

    v1, v2 = ("pmml_input.json", "pmml-input-v2.json") if kind == "pmml" else INPUTS
    answer = platform.request(host, f"/v1/models/{name}:predict", read(v1))
    assert answer.status == 200, answer.body
    predictions = answer.json()["predictions"]
    assert predictions == [SETOSA] if kind == "pmml" else classes(predictions) == [1, 1]

    path = f"/v2/models/{name}/infer"
    asked = read(v2)
    asked["inputs"][0]["name"] = column
    answer = platform.request(host, path, asked)
    assert answer.status == 200, answer.body
    check(kind, outputs_of(answer.body))

    tensors = {column: np.array(asked["inputs"][0]["data"], np.float32)}
    body, headers = binary_body(tensors)
    headers = {each.replace("_", "-"): value for each, value in headers.items()}
    answer = platform.request(host, path, body, headers=headers)
    assert answer.status == 200, answer.body
    check(kind, read_binary(answer.body, answer.headers))
    assert platform.request(host, path, json_body(tensors)).status == 200

    with grpc.insecure_channel(urlsplit(platform.activator).netloc) as channel:
        response, _ = ask(channel, "ModelInfer", **grpc_fields(name, tensors))
    check(kind, read_grpc(response))
    kubectl("delete", "isvc", name, "--wait=false")
