"""From settings to a model that answers."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor import config, loader
from predictor.errors import LoadError
from predictor.loaded import Loaded


def load(*arguments: str, **environment: str) -> Loaded:
    return loader.load(config.parse(arguments, environment))


def test_an_onnx_model_with_its_digest(identity_model: Callable[..., Path]) -> None:
    path = identity_model()
    loaded = load("--model", str(path))
    assert loaded.digest == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.platform == "onnx_onnxv1"
    assert loaded.provider == "CPUExecutionProvider"
    assert loaded.signature is not None


def test_a_pinned_digest_is_believed(identity_model: Callable[..., Path]) -> None:
    pinned = "sha256:" + "0" * 64
    assert load("--model", str(identity_model()), RELIGHT_MODEL_DIGEST=pinned).digest == pinned


def test_a_python_model_has_the_digest_of_its_file(python_file: Callable[[str], Path]) -> None:
    path = python_file("class Mine(Model): pass")
    loaded = load("--python", f"{path}:Mine")
    assert loaded.digest == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert (loaded.platform, loaded.provider, loaded.signature) == ("python", "", None)


def test_paths() -> None:
    assert loader.resolve("a/b.onnx") == Path("a/b.onnx")
    assert loader.resolve("/a/b.onnx") == Path("/a/b.onnx")
    assert loader.resolve("file:///a/b%20c.onnx") == Path("/a/b c.onnx")
    assert loader.resolve("file://localhost/a") == Path("/a")


@pytest.mark.parametrize("uri", ["s3://bucket/m.onnx", "https://example.com/m.onnx"])
def test_other_schemes_are_refused_by_name(uri: str) -> None:
    with pytest.raises(LoadError, match=f"cannot fetch {uri}: only local paths and file://"):
        loader.resolve(uri)


def test_a_file_on_another_machine_is_refused() -> None:
    with pytest.raises(LoadError, match="names a file on another machine"):
        loader.resolve("file://server/m.onnx")


def test_a_missing_file_is_told_before_onnx_runtime_sees_it(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="there is no model file at"):
        load("--model", str(tmp_path / "no.onnx"))
