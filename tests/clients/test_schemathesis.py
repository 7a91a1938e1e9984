"""schemathesis over the documents of services on `relight up`, and over Open Inference's own.

That one is not ours to keep here: RELIGHT_OPEN_INFERENCE names the file.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.running import Platform
from tests.clients.conftest import DEADLINE_S, FAHRENHEIT, ROOT, SCRIPTS
from tests.clients.test_packages import WRITER

pytestmark = pytest.mark.e2e

TAKER = """
import numpy as np
from predictor.model import Model

class Taker(Model):
    def predict(self, inputs):
        return {"sizes": np.array([each.size for each in inputs.values()], np.int64)}
"""
COMMON = ["--no-color", "--generation-database", "none", "--seed", "1"]
OPTIONS = {
    "tensors": ["--exclude-path-regex", "explain", "--max-examples", "10"],
    # What a baseline has to be is the model's business, beyond what a schema says.
    "explanations": [
        *("--include-path-regex", "explain", "--max-examples", "5"),
        *("--exclude-checks", "positive_data_acceptance", "--warnings", "off"),
    ],
    "text": [
        *("--include-path-regex", "generate|completions|embeddings", "--max-examples", "10"),
    ],
    # What each model takes stands in its metadata. Loading and unloading changes what is ready.
    "repository": [
        *("--exclude-path-regex", "load$", "--max-examples", "10"),
        *("--exclude-checks", "positive_data_acceptance", "--warnings", "off"),
    ],
}


@pytest.fixture
def program(apart: Callable[[str], Path]) -> Path:
    return apart("schemathesis")


def deployed(platform: Platform, name: str, *model: str) -> str:
    """The host of a new Service."""
    platform.relight("deploy", name, *model)
    return str(urlsplit(platform.service(name)["status"]["url"]).netloc)


def check(command: list[str | Path], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"[1-9]\d* generated, \d+ passed", done.stdout), done.stdout[-2000:]


@pytest.mark.parametrize("what", OPTIONS)
def test_our_own_document(platform: Platform, program: Path, tmp_path: Path, what: str) -> None:
    model = ["--model", str(FAHRENHEIT)]
    if what == "text":
        (tmp_path / "writer.py").write_text(WRITER)
        model = ["--python", f"{tmp_path}/writer.py:Writer"]
    if what == "repository":
        (tmp_path / "models").mkdir()
        for name in "ab":
            shutil.copy(FAHRENHEIT, tmp_path / f"models/{name}.onnx")
        model = ["--repository", f"{tmp_path}/models"]
    host = deployed(platform, f"schemathesis-{what}", *model)
    (tmp_path / "config.toml").write_text(f'hooks = "{SCRIPTS}/schemathesis_hooks.py"\n')
    command: list[str | Path] = [program, "--config-file", "config.toml", "run", *COMMON]
    command += [f"{platform.activator}/openapi.json", "--header", f"Host: {host}"]
    command += ["--phases", "examples,coverage,fuzzing", *OPTIONS[what]]
    check(command, tmp_path)


def test_open_inference(platform: Platform, program: Path, tmp_path: Path) -> None:
    document = os.environ.get("RELIGHT_OPEN_INFERENCE")
    if document is None:
        pytest.skip("RELIGHT_OPEN_INFERENCE is not open_inference_rest.yaml")
    (tmp_path / "taker.py").write_text(TAKER)
    name = "schemathesis-given"
    host = deployed(platform, name, "--python", f"{tmp_path}/taker.py:Taker")
    command: list[str | Path] = [ROOT / "hack/schemathesis.sh", Path(document).absolute()]
    command += [platform.activator, name, f"{name}-00001", "--header", f"Host: {host}"]
    check([*command, "--seed", "1", "--max-examples", "30"], tmp_path, SCHEMATHESIS=str(program))
