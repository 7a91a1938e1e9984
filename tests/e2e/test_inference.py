"""InferenceServices as users of KServe know them: kubectl, real processes, real requests."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples.running import Platform, wait_until
from tests.e2e.conftest import FAHRENHEIT, ROOT, Kubectl

pytestmark = pytest.mark.e2e

ISVC = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
CELSIUS = {"name": "celsius", "shape": [1, 1], "datatype": "FP32", "data": [100]}
REQUESTS = 500
READY_S = 60.0


def isvc(name: str, predictor: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictor": predictor, **others},
    }


def onnx(path: Path, *args: str, **predictor: Any) -> dict[str, Any]:
    model = {"modelFormat": {"name": "onnx"}, "storageUri": str(path), "args": list(args)}
    return {"minReplicas": 0, "model": model, **predictor}


def apply(kubectl: Kubectl, obj: dict[str, Any]) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps(obj))


def status(platform: Platform, name: str) -> dict[str, Any]:
    found: dict[str, Any] = platform.get(f"{ISVC}/{name}")
    seen = found.get("status", {})
    is_current = seen.get("observedGeneration") == found["metadata"]["generation"]
    return seen if is_current else {}


def split(platform: Platform, name: str) -> dict[str, int]:
    """Percent by Revision, once the InferenceService is ready; empty before."""
    seen = status(platform, name)
    is_ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in seen.get("conditions", ())
    )
    if not is_ready:
        return {}
    return {
        each["revisionName"]: each["percent"] for each in seen["components"]["predictor"]["traffic"]
    }


def until_split(platform: Platform, name: str, wanted: dict[str, int]) -> None:
    wait_until(lambda: split(platform, name) == wanted, READY_S, f"{name}: {wanted}")


def test_a_canary_by_kubectl(platform: Platform, kubectl: Kubectl) -> None:
    one, two = "canary-predictor-00001", "canary-predictor-00002"
    host, path = "canary-default.localhost", "/v2/models/canary/infer"
    second = "examples/kserve/canary/2-canary.yaml"
    kubectl("apply", "-f", "examples/kserve/canary/1-first.yaml")
    until_split(platform, "canary", {one: 100})
    kubectl("apply", "-f", second)
    until_split(platform, "canary", {two: 20, one: 80})

    def columns() -> list[str]:
        header, row = kubectl("get", "isvc", "canary").stdout.splitlines()
        assert header.split() == [
            *("NAME", "URL", "READY", "PREV", "LATEST"),
            *("PREVROLLEDOUTREVISION", "LATESTREADYREVISION", "AGE"),
        ]
        url = f"http://{host}:{platform.activator.rpartition(':')[2]}"
        assert row.split()[:3] == ["canary", url, "True"]
        return row.split()[3:-1]

    def answered() -> Counter[str]:
        found: Counter[str] = Counter()
        for _ in range(REQUESTS):
            answer = platform.request(host, path, {"inputs": [{**CELSIUS, "data": [36.6]}]})
            assert answer.status == 200, answer.body
            (said,) = answer.json()["outputs"][0]["data"]
            revision = answer.headers["relight-revision"]
            assert said == pytest.approx(98.0 if revision == two else 97.88)
            found[revision] += 1
        return found

    deviation = (REQUESTS * 0.2 * 0.8) ** 0.5  # 4.5 of it: once in 100,000 runs
    counts = answered()
    assert counts[two] == pytest.approx(REQUESTS * 0.2, abs=4.5 * deviation)
    assert counts[one] == REQUESTS - counts[two]
    assert columns() == ["80", "20", one, two]
    promoted = (ROOT / second).read_text().replace("    canaryTrafficPercent: 20\n", "")
    kubectl("apply", "-f", "-", stdin=promoted)
    until_split(platform, "canary", {two: 100})
    assert set(answered()) == {two}
    assert columns() == ["100", two]
    back = (ROOT / second).read_text().replace("Percent: 20", "Percent: 0")
    kubectl("apply", "-f", "-", stdin=back)
    until_split(platform, "canary", {two: 0, one: 100})
    assert set(answered()) == {one}
    assert columns() == ["100", "0", one, two]
    kubectl("delete", "isvc", "canary", "--wait")
    wait_until(lambda: not platform.pods("canary-predictor"), READY_S, "its Pods to go")


def test_a_model_that_does_not_load_says_why(
    platform: Platform, kubectl: Kubectl, tmp_path: Path
) -> None:
    bad = tmp_path / "model.onnx"
    bad.write_bytes(b"hello")
    apply(kubectl, isvc("bad", onnx(bad)))
    wait_until(
        lambda: status(platform, "bad").get("modelStatus", {}).get("lastFailureInfo"),
        READY_S,
        "a failure",
    )
    model = status(platform, "bad")["modelStatus"]
    assert model["transitionStatus"] == "BlockedByFailedLoad"
    assert model["states"] == {"activeModelState": "", "targetModelState": "FailedToLoad"}
    assert model["lastFailureInfo"]["reason"] == "ModelLoadFailed"
    assert "ONNX" in model["lastFailureInfo"]["message"]
    kubectl("delete", "isvc", "bad")


TRANSFORMER = """
import argparse, json, os, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
parser = argparse.ArgumentParser()
for flag in ("--model_name", "--predictor_host", "--http_port"):
    parser.add_argument(flag, required=True)
args = parser.parse_args()
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(200, b"{}")
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        celsius = [[(each - 32) / 1.8] for each in body["instances"]]
        url = f"http://{args.predictor_host}/v1/models/{args.model_name}:predict"
        asked = urllib.request.Request(url, json.dumps({"instances": celsius}).encode())
        with urllib.request.urlopen(asked, timeout=20) as found:
            self.answer(found.status, json.dumps({"mine": json.load(found)}).encode())
    def answer(self, code, body):
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
HTTPServer(("127.0.0.1", int(args.http_port)), Handler).serve_forever()
"""


def test_a_transformer_of_ones_own_calls_the_predictor(
    platform: Platform, kubectl: Kubectl, tmp_path: Path
) -> None:
    program = tmp_path / "transformer.py"
    program.write_text(TRANSFORMER)
    own = {"image": "x/transformer", "command": [sys.executable, str(program)]}
    apply(kubectl, isvc("warm", onnx(FAHRENHEIT), transformer={"containers": [own]}))
    kubectl("wait", "--for=condition=Ready", "isvc/warm", f"--timeout={READY_S:.0f}s")
    for host in ("warm-default.localhost", "warm.default.svc.cluster.local"):
        answer = platform.request(host, "/v1/models/warm:predict", {"instances": [212]})
        assert answer.status == 200, answer.body
        [[value]] = answer.json()["mine"]["predictions"]
        assert value == pytest.approx(212)
    kubectl("delete", "isvc", "warm")


def test_a_predictor_of_ones_own(platform: Platform, kubectl: Kubectl) -> None:
    own = {
        "name": "kserve-container",
        "image": "x/echo",
        "command": [sys.executable, str(ROOT / "examples/echo.py")],
        "env": [{"name": "GREETING", "value": "hello"}],
    }
    apply(kubectl, isvc("mine", {"containers": [own], "containerConcurrency": 1}))
    kubectl("wait", "--for=condition=Ready", "isvc/mine", f"--timeout={READY_S:.0f}s")
    answer = platform.request("mine-default.localhost", "/any")
    assert answer.status == 200
    assert b"hello" in answer.body
    assert "serving.kserve.io/inferenceservice" in json.dumps(platform.pods("mine-predictor"))
    kubectl("delete", "isvc", "mine")


def test_stop_and_start(platform: Platform, kubectl: Kubectl) -> None:
    key = "serving.kserve.io/stop"
    apply(kubectl, isvc("rest", onnx(FAHRENHEIT)))
    kubectl("wait", "--for=condition=Ready", "isvc/rest", f"--timeout={READY_S:.0f}s")
    kubectl("annotate", "isvc", "rest", f"{key}=true")
    kubectl("wait", "--for=condition=Stopped", "isvc/rest", f"--timeout={READY_S:.0f}s")
    wait_until(lambda: not platform.pods("rest-predictor"), READY_S, "its Pods to go")
    kubectl("annotate", "isvc", "rest", f"{key}-")
    kubectl("wait", "--for=condition=Ready", "isvc/rest", f"--timeout={READY_S:.0f}s")
    kubectl("delete", "isvc", "rest")


def test_the_first_example_of_kserve(platform: Platform, kubectl: Kubectl) -> None:
    pytest.importorskip("skops.io", reason="pip install 'relight[sklearn]'")
    kubectl("apply", "-f", "examples/kserve/sklearn-iris.yaml")
    kubectl("wait", "--for=condition=Ready", "isvc/sklearn-iris", f"--timeout={READY_S:.0f}s")
    body = {"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}
    path = "/v1/models/sklearn-iris:predict"
    answer = platform.request("sklearn-iris-default.localhost", path, body)
    assert answer.json() == {"predictions": [1, 1]}
    used = status(platform, "sklearn-iris")["clusterServingRuntimeName"]
    assert used == "relight-sklearn"
    kubectl("delete", "isvc", "sklearn-iris")


def test_refusals_name_the_field(platform: Platform, kubectl: Kubectl) -> None:
    wrong = isvc("wrong", onnx(FAHRENHEIT, scaleMetric="cpu"))
    done = kubectl("apply", "-f", "-", stdin=json.dumps(wrong), check=False)
    assert (
        'admission webhook "inferenceservice.kserve-webhook-server.validator" denied the request: '
        "[cpu] is not a supported metric: spec.predictor.scaleMetric"
    ) in done.stderr
