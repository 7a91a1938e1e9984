"""From a path to a model file and its kind."""

import hashlib
from pathlib import Path

import pytest

from api.modelfiles import Kind
from predictor import artifacts
from predictor.errors import LoadError

ONNX = b"\x08\x08\x12\x04tiny"


def test_a_file_is_what_its_name_or_its_bytes_say(tmp_path: Path) -> None:
    for name, content, kind in (
        ("m.onnx", ONNX, Kind.ONNX),
        ("m", ONNX, Kind.ONNX),
        ("m.joblib", b"\x80\x04", Kind.PICKLE),
        ("weights.bin", b"\x80\x04", Kind.PICKLE),
        ("m.skops", b"PK\x03\x04", Kind.SKOPS),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        found = artifacts.find(path)
        assert (found.path, found.kind) == (path, kind)
        assert found.digest() == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_the_model_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "3").mkdir()
    (tmp_path / "3/model.onnx").write_bytes(ONNX)
    (tmp_path / "config.pbtxt").write_text("name: 'x'")
    found = artifacts.find(tmp_path)
    assert (found.path, found.kind) == (tmp_path / "3/model.onnx", Kind.ONNX)
    assert found.digest() != artifacts.find(found.path).digest()  # the settings are in it


def failure(path: Path) -> str:
    with pytest.raises(LoadError) as caught:
        artifacts.find(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_not_there_or_empty(tmp_path: Path) -> None:
    assert failure(tmp_path / "no.onnx").startswith("there is no model file at")
    assert "holds no file" in failure(tmp_path)
    (tmp_path / "empty.onnx").touch()
    assert failure(tmp_path / "empty.onnx").endswith("is empty")
    (tmp_path / "loop").symlink_to("loop")
    assert failure(tmp_path / "loop").startswith("cannot read")


def test_what_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "run git lfs pull" in failure(path)
    path.write_text("<!doctype html><title>404")
    assert "is an HTML page" in failure(path)
    (tmp_path / "b.onnx").write_bytes(ONNX)
    assert "2 model files (b.onnx, m.onnx)" in failure(tmp_path)


def test_code_is_known_by_itself_and_the_neighbours_it_imports(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_bytes(b"import columns")
    alone = artifacts.code_digest(path)
    assert alone == f"sha256:{hashlib.sha256(b'import columns').hexdigest()}"
    (tmp_path / "columns.py").write_bytes(b"N = 1")
    assert artifacts.code_digest(path) != alone
    with pytest.raises(LoadError, match="there is no model file at"):
        artifacts.code_digest(tmp_path / "gone.py")
