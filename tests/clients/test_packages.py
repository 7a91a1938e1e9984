"""Other people's Python clients, unchanged, against `relight up`."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import KSERVE_IRIS, Run

pytestmark = pytest.mark.e2e

KINDS = ["ksvc", "isvc"]
FINALIZER = "clients.example.com/finalizer"


def test_kubernetes(run: Run) -> None:
    found = run("kubernetes_sync", "kubernetes")
    for kind in KINDS:
        custom = found[kind]
        assert {"MODIFIED", "READY"} <= set(custom["watched"])
        assert custom["listed"] == [f"kubernetes-{kind}"]
        assert custom["everywhere"] is True
        assert (custom["patched"], custom["replaced"]) == ("patched", "yes")
        assert custom["conflict"] == 409
        assert {"conditions", "observedGeneration", "url"} <= set(custom["status"])
    core = found["core"]
    assert (core["phase"], core["containers"]) == ("Running", [True])
    assert (core["log"], core["tail"]) == ("hello\nworld\n", "world\n")
    assert core["followed"] == ["hello", "world"]
    assert core["configmap"] == {"a": "b", "c": "d"}
    assert core["secret"] == {"k": "dg=="}
    assert core["noted"].startswith("kubernetes-")
    assert core["events"] > 0
    assert (core["nodes"], core["accounts"]) == (1, ["default"])
    assert found["apps"] == {"selector": "app=kubernetes-deployment", "scaled": 0}
    dynamic = found["dynamic"]
    assert dynamic["kinds"] == ["Service", "InferenceService"]
    assert dynamic["scoped"] is True
    assert {"create", "deletecollection", "patch", "watch"} <= set(dynamic["verbs"])
    assert dynamic["subresources"] == ["status"]
    assert dynamic["manager"] == ["one"]
    assert 'conflict with "one": .metadata.labels.owner' in dynamic["conflict"]
    assert dynamic["forced"] == "second"
    assert {"ADDED", "MODIFIED", "DELETED"} <= set(dynamic["watched"])
    assert found["definitions"]["size"] == 3
    assert found["definitions"]["status"] == {"ok": True}
    assert (
        "spec.size in body should be greater than or equal to 0"
        in (found["definitions"]["refused"])
    )
    assert found["allowed"] is True
    assert found["election"] == {"leaders": True}
    assert found["lease"] == {"holder": "a", "late": 409, "times": True}
    assert found["version"] == dynamic["version"]


def test_kubernetes_asyncio(run: Run) -> None:
    found = run("kubernetes_async", "kubernetes-asyncio")
    for kind in KINDS:
        assert found[kind]["generation"] == 1
        assert {"ADDED", "MODIFIED", "DELETED"} <= set(found[kind]["seen"])
    core = found["core"]
    assert core["phase"] == "Running"
    assert [line.strip() for line in core["log"]] == ["hello", "world"]
    assert (core["data"], core["scaled"]) == ({"a": "b"}, 2)
    assert found["dynamic"] == {"kind": "InferenceService", "applied": "Apply"}
    assert found["allowed"] is True


def test_kr8s(run: Run) -> None:
    found = run("kr8s_client", "kr8s")
    for kind, host in (("ksvc", "kr8s-ksvc.default.localhost"), ("isvc", "kr8s-isvc-default.")):
        custom = found[kind]
        assert custom["url"].startswith(f"http://{host}")
        assert custom["uid"] is True
        assert custom["listed"] == [f"kr8s-{kind}"]
        assert (custom["note"], custom["other"]) == ("patched", "annotated")
        assert custom["label"] == "test"
        assert (custom["existed"], custom["exists"]) == (True, False)
    core = found["core"]
    assert [line.strip() for line in core["log"]] == ["hello", "world"]
    assert (core["ready"], core["replicas"]) == (True, 2)
    assert core["data"] == {"a": "b", "c": "d"}
    for names in (found["named"]["services.serving.knative.dev"], found["named"]["ksvc"]):
        assert names == ["kr8s-named"]
    assert {"ADDED", "MODIFIED", "DELETED"} <= set(found["watched"])
    assert {"inferenceservices", "servingruntimes", "clusterservingruntimes"} <= set(found["kinds"])


def test_lightkube(run: Run) -> None:
    found = run("lightkube_client", "lightkube", "lightkube-models")
    for kind in KINDS:
        custom = found[kind]
        assert custom["unmoved"] is True
        assert custom["conflict"] == 409
        assert custom["ready"] is True
        assert custom["labels"] == ["yes", "yes"]
        assert custom["listed"] is True
        assert {"ADDED", "DELETED"} <= set(custom["seen"])
    core = found["core"]
    assert core["data"] == {"c": "d"}
    assert core["phase"] == "Running"
    assert [line.strip() for line in core["log"]] == ["hello", "world"]
    assert core["scaled"] == 2
    assert {"relight-onnx", "relight-sklearn"} <= set(found["runtimes"])


@pytest.mark.parametrize("args", [["--standalone"], []], ids=["standalone", "no_peering_kind"])
def test_kopf(run: Run, args: list[str]) -> None:
    found = run("kopf_client", "kopf", "kubernetes", kopf=args)
    changes: dict[str, Any] = {
        "ksvc": ["change", ["template", "spec", "containerConcurrency"], 2],
        "isvc": ["add", ["predictor", "timeout"], 42],
        "gadget": ["add", ["word"], "x"],
    }
    for kind, change in changes.items():
        assert found[kind]["finalizers"] == [FINALIZER]
        assert change in found[kind]["diff"]
        assert found[kind]["is_going"] is True
    assert found["own"] == {"doubled": 42, "returned": {"size": 21}}
    assert found["conditions"] is True
    assert found["errors"] == []
    assert found["code"] == 0


ECHO = """
from predictor.model import Model

class Echo(Model):
    def predict(self, inputs):
        return {f"{name}_out": array for name, array in inputs.items()}
"""


def test_tritonclient_http(run: Run, tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    found = run("tritonclient_http", "tritonclient", "kubernetes", echo=f"{tmp_path}/echo.py:Echo")
    assert found["health"] == [True, True, True]
    assert "binary_tensor_data" in found["extensions"]
    assert found["model"] == "tritonclient-echo"
    assert set(found["defaults"].values()) == set(found["plain"].values()) == {True}
    assert found["wrong"] == []
    assert found["later"] is True
    assert found["classes"].startswith("400 outputs[0].parameters.classification: ")
    assert found["memory"].startswith("400 inputs[0].parameters.shared_memory_region: ")


def test_tritonclient_grpc(run: Run, tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    found = run("tritonclient_grpc", "tritonclient", "kubernetes", echo=f"{tmp_path}/echo.py:Echo")
    name = "tritonclient-grpc-echo"
    assert found["health"] == [True, True, True]
    assert (found["server"], found["model"], found["version"]) == ("relight", name, f"{name}-00001")
    assert name in found["index"]
    assert set(found["defaults"].values()) == {True}
    assert found["wrong"] == []
    assert found["later"] is True
    assert found["chosen"] == ["small_out"]
    ids = [str(number) for number in range(20)]
    ids[7] = "Model with name nobody does not exist."
    assert found["streamed"] == ids
    assert found["typed"] == [1.0, 2.0, 3.0]
    assert found["unknown"].startswith("StatusCode.NOT_FOUND no model is served")
    assert found["classes"].startswith("StatusCode.INVALID_ARGUMENT output 'large_out': ")
    assert found["unload"].startswith("StatusCode.UNIMPLEMENTED RepositoryModelUnload is not")


def test_a_client_that_knows_nothing_beforehand(run: Run, tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    echo = f"{tmp_path}/echo.py:Echo"
    found = run("reflection", "grpcio-reflection", "kubernetes", echo=echo)
    assert {"grpc.health.v1.Health", "inference.GRPCInferenceService"} <= set(found["services"])
    assert {"ModelInfer", "ModelMetadata", "ServerReady"} <= set(found["methods"])
    assert found["values"] == [1.0, 2.0]


def test_kserve_grpc(run: Run) -> None:
    found = run("kserve_grpc", "kserve", "kubernetes")
    assert found["raw"] == found["typed"] == ["7", [32.0, 212.0]]
    assert (found["live"], found["ready"], found["model"]) == (True, True, True)
    assert found["code"] == "NOT_FOUND"


WRITER = """
import numpy as np
from predictor.model import Model, Piece

class Writer(Model):
    def generate(self, prompt, how):
        words = prompt.split()
        for at, word in enumerate(words[:how.max_tokens], 1):
            reason = "length" if at == how.max_tokens else "eos_token" if at == len(words) else ""
            yield Piece(text=f" {word}", token=at, logprob=-0.5, finish_reason=reason)

    def chat_prompt(self, messages):
        return " ".join(f"{one['role']}: {one['content']}" for one in messages)

    def embed(self, texts):
        return np.array([[len(text), 0.5] for text in texts], np.float32)

    def count_tokens(self, text):
        return len(text.split())
"""


def test_openai(run: Run, tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER)
    program = f"{tmp_path}/writer.py:Writer"
    found = run("openai_client", "openai", "kubernetes", writer=program)
    for seen in found.values():
        assert seen["models"] == ["openai-writer"]
        assert seen["completion"] == [" one two three", "stop"]
        assert seen["tokens"] == [" one", " two", " three"]
        usage = {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
        assert seen["usage"] == usage
        assert seen["chat"] == [" system: short user:", "length"]
        assert seen["streamed"] == seen["accumulated"] == " system: short user: hello there"
        assert seen["streamed_tokens"] == 5
        assert seen["words"] == [" one", " two", ""]
        assert seen["packed"] == [[1.0, 0.5], [4.0, 0.5]]
        assert seen["plain"] == [[4.0, 0.5]]
        assert seen["unknown"][:2] == ["NotFoundError", "model_not_found"]
        assert seen["tools"][0] == "BadRequestError"
        assert "tools" in seen["tools"][2]


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    datasets = pytest.importorskip("sklearn.datasets", reason="pip install 'relight[sklearn]'")
    skops = pytest.importorskip("skops.io", reason="pip install 'relight[sklearn]'")
    from sklearn.svm import SVC

    path = tmp_path_factory.mktemp("iris") / "model.skops"
    skops.dump(SVC().fit(*datasets.load_iris(return_X_y=True)), path)
    return path


@pytest.fixture
def sdk(versions: dict[str, str]) -> None:
    kubernetes = versions.get("kubernetes", "")
    if int(kubernetes.partition(".")[0] or 0) >= 37:
        pytest.skip(f"KServe's SDK sends its models, which kubernetes {kubernetes} does not take")


@pytest.mark.usefixtures("sdk")
def test_kserve_sdk_serves_iris(run: Run, iris: Path) -> None:
    found = run("kserve_sdk", "kserve", uri=f"file://{iris}", annotations={})
    check_sdk(found)


@pytest.mark.usefixtures("sdk")
def test_kserve_sdk_serves_kserves_own_pickle_by_consent(run: Run) -> None:
    pytest.importorskip("sklearn", reason="pip install 'relight[sklearn]'")
    if not KSERVE_IRIS.exists():
        pytest.skip(f"{KSERVE_IRIS} is not here")
    consent = {"relight.dev/trust-pickle": "true"}
    check_sdk(run("kserve_sdk", "kserve", uri=str(KSERVE_IRIS), annotations=consent))


def check_sdk(found: Any) -> None:
    assert found["created"] == 1
    assert found["state"] == "Loaded"
    for answers in (found["first"], found["again"]):
        assert (answers["v1"], answers["v2"]) == ([1, 1], [1, 1])
        assert answers["v2_name"] == "kserve-iris"
        health = ("v1_ready", "v2_ready", "server_ready", "server_live")
        assert {key: answers[key] for key in health} == dict.fromkeys(health, True)
    assert found["generations"] == [2, 3]
    assert found["timeouts"] == [55, 66]
    assert "kserve-iris" in found["watched"]
    assert "True" in found["watched"]
    assert found["ready"] is True
    assert "kserve-iris" in found["listed"]
    assert "ftp" in found["refused"]
