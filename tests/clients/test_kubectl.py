"""The workflow of kubectl on a Service and an InferenceService, with whichever are found here."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from examples.running import Platform, wait_until
from tests.clients.conftest import DEADLINE_S, FAHRENHEIT, ROOT

pytestmark = pytest.mark.e2e

PROGRAMS = {
    "ours": str(Path(sys.executable).parent / "kubectl"),
    "system": shutil.which("kubectl", path="/usr/local/bin:/usr/bin") or "",
}
TENSOR = {"name": "celsius", "shape": [1, 1], "datatype": "FP32", "data": [100]}
KINDS = {
    "ksvc": {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"image": "relight/predictor", "args": ["--model", str(FAHRENHEIT)]}
                    ]
                }
            }
        },
    },
    "isvc": {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "spec": {
            "predictor": {
                "minReplicas": 0,
                "model": {
                    "modelFormat": {"name": "onnx"},
                    "protocolVersion": "v2",
                    "storageUri": str(FAHRENHEIT),
                },
            }
        },
    },
}
CHANGES: dict[str, Any] = {
    "ksvc": {"spec": {"template": {"spec": {"timeoutSeconds": 33}}}},
    "isvc": {"spec": {"predictor": {"timeout": 33}}},
}
COLUMNS = {
    "ksvc": ["NAME", "URL", "LATESTCREATED", "LATESTREADY", "READY", "REASON"],
    "isvc": ["NAME", "URL", "READY", "PREV", "LATEST", "PREVROLLEDOUTREVISION"],
}


class Kubectl:
    def __init__(self, label: str, platform: Platform) -> None:
        self.label, program = label, PROGRAMS[label]
        self._program = program
        self._kubeconfig = platform.kubeconfig

    def __call__(self, *args: str, stdin: str | None = None, code: int = 0) -> str:
        done = subprocess.run(
            [self._program, "--kubeconfig", str(self._kubeconfig), *args],
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert done.returncode == code, f"kubectl {args}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "-o", "json"))


@pytest.fixture(params=PROGRAMS)
def kubectl(platform: Platform, request: pytest.FixtureRequest) -> Kubectl:
    program = PROGRAMS[request.param]
    if not program or not Path(program).exists():
        pytest.skip(f"no kubectl: {program or 'none in /usr/bin'}")
    return Kubectl(request.param, platform)


@pytest.mark.parametrize("kind", KINDS)
def test_apply_wait_get_describe_patch_delete(
    platform: Platform, kubectl: Kubectl, kind: str
) -> None:
    name = f"kubectl-{kubectl.label}-{kind}"
    manifest = KINDS[kind] | {"metadata": {"name": name, "labels": {"a": "b"}}}
    text = json.dumps(manifest)
    assert "created" in kubectl("apply", "-f", "-", stdin=text)
    assert "condition met" in kubectl(
        "wait", f"{kind}/{name}", "--for=condition=Ready", "--timeout=120s"
    )
    generation = kubectl.json("get", kind, name)["metadata"]["generation"]
    # kubectl compares lists whole: containers that were defaulted make it send them again.
    again = kubectl("apply", "-f", "-", stdin=text)
    assert again.split()[-1] in ("unchanged", "configured")
    kubectl("diff", "-f", "-", stdin=text)
    assert kubectl.json("get", kind, name)["metadata"]["generation"] == generation

    shown = kubectl("get", kind, name)
    assert [word for word in COLUMNS[kind] if word not in shown.splitlines()[0].split()] == []
    assert name in kubectl("get", kind, "-l", "a=b", "-o", "name")
    url = kubectl("get", kind, name, "-o", "jsonpath={.status.url}")
    host = url.removeprefix("http://")
    answer = platform.request(host, f"/v2/models/{name}/infer", {"inputs": [TENSOR]})
    assert answer.json()["outputs"][0]["data"] == [212.0]

    described = kubectl("describe", kind, name)
    assert re.search(rf"^Name: +{name}$", described, re.MULTILINE)
    assert re.search(r"Status: +True\n +Type: +Ready\n", described)
    assert "Events:" in described

    patch = json.dumps(CHANGES[kind])
    assert "patched" in kubectl("patch", kind, name, "--type=merge", "-p", patch)
    patched = kubectl.json("get", kind, name)
    assert patched["metadata"]["generation"] == generation + 1
    wanted = f"--for=jsonpath={{.status.observedGeneration}}={generation + 1}"
    kubectl("wait", f"{kind}/{name}", wanted, "--timeout=120s")
    kubectl("wait", f"{kind}/{name}", "--for=condition=Ready", "--timeout=120s")
    assert "labeled" in kubectl("label", kind, name, "c=d")
    assert "annotated" in kubectl("annotate", kind, name, "example.com/note=x")
    assert "yes" in kubectl("auth", "can-i", "delete", kind)
    assert "KIND:" in kubectl("explain", f"{kind}.spec")

    assert "deleted" in kubectl("delete", kind, name)
    assert "NotFound" in kubectl("get", kind, name, code=1)
    wait_until(lambda: not platform.pods(name), DEADLINE_S, f"the Pods of {name} to go")
