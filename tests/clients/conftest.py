"""One running platform, and other people's clients in an environment of their own.

`RELIGHT_CLIENTS` names that environment; `make clients` makes it in `.clients`. What a client
saw comes back as JSON, and the tests judge it.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.running import Platform

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
FAHRENHEIT = ROOT / "examples/models/fahrenheit.onnx"
KSERVE_IRIS = ROOT.parent / "shared/data/kserve/sklearn/model.joblib"
DEADLINE_S = 120.0

# Asked once: which of the packages are there, and which version.
_VERSIONS = """
import importlib.metadata, json
print(json.dumps({each.metadata["Name"].lower().replace("_", "-"): each.version
                  for each in importlib.metadata.distributions()}))
"""

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """One `relight up` for all, in a short path: Unix sockets live in it."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        with Platform(Path(name) / "d", cwd=ROOT) as running:
            yield running
        assert running.process is not None
        assert running.process.returncode == 0, (Path(name) / "d/up.log").read_text()[-3000:]


@pytest.fixture(scope="session")
def clients() -> Path:
    """The Python of the clients' environment."""
    python = (ROOT / os.environ.get("RELIGHT_CLIENTS", ".clients") / "bin/python").absolute()
    if not python.exists():
        pytest.skip(f"no clients at {python}: run make clients, or set RELIGHT_CLIENTS")
    return python


@pytest.fixture(scope="session")
def apart() -> Callable[[str], Path]:
    """A program of an environment that is its own, as its requirements contradict the others'."""
    environment = (ROOT / os.environ.get("RELIGHT_CLIENTS", ".clients")).absolute()

    def find(name: str) -> Path:
        program = environment / "apart" / name / "bin" / name
        if not program.exists():
            pytest.skip(f"no {name} at {program}: run make clients, or set RELIGHT_CLIENTS")
        return program

    return find


@pytest.fixture(scope="session")
def versions(clients: Path) -> dict[str, str]:
    """What is installed there."""
    done = subprocess.run(
        [clients, "-c", _VERSIONS], capture_output=True, text=True, check=True, timeout=DEADLINE_S
    )
    return dict(json.loads(done.stdout))


@pytest.fixture
def run(platform: Platform, clients: Path, versions: dict[str, str]) -> Run:
    """Run a script with a client; returns the facts it told, fails with what it wrote."""

    def facts(script: str, *packages: str, **settings: Any) -> Any:
        missing = [package for package in packages if package not in versions]
        if missing:
            pytest.skip(f"{', '.join(missing)} is not installed in {clients.parent.parent}")
        told = {
            "namespace": "default",
            "fahrenheit": str(FAHRENHEIT),
            "activator": platform.activator,
            **settings,
        }
        done = subprocess.run(
            [clients, "-B", SCRIPTS / f"{script}.py", platform.kubeconfig, json.dumps(told)],
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, f"{script}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    return facts
