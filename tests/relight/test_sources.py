import hashlib
from pathlib import Path

import pytest

from api.modeldigests import pair
from relight import sources
from relight.errors import UsageError


def test_a_relative_path_becomes_absolute_and_is_fingerprinted(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"weights")
    source = sources.model("a.onnx", folder=tmp_path, is_checked=True)
    assert source.text == str(tmp_path / "a.onnx")
    assert source.digest == "sha256:" + hashlib.sha256(b"weights").hexdigest()


def test_a_file_uri_is_a_local_path(tmp_path: Path) -> None:
    (tmp_path / "a b.onnx").write_bytes(b"")
    source = sources.model(f"file://{tmp_path}/a%20b.onnx", folder=Path("/"), is_checked=True)
    assert source.text == str(tmp_path / "a b.onnx")


def test_another_uri_is_taken_as_it_is() -> None:
    source = sources.model("s3://bucket/a.onnx", folder=Path("/"), is_checked=True)
    assert source == sources.Source(text="s3://bucket/a.onnx", digest=None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--model: {tmp_path}/no.onnx does not exist"):
        sources.model("no.onnx", folder=tmp_path, is_checked=True)


def test_a_folder_is_fingerprinted_by_the_model_in_it(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1/model.onnx").write_bytes(b"model")
    source = sources.model(".", folder=tmp_path, is_checked=True)
    assert source.digest == f"sha256:{hashlib.sha256(b'model').hexdigest()}"
    assert source.text == str(tmp_path)


def test_a_folder_without_one_model_is_refused(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"--model: .* holds 2 model files \(a\.onnx, b\.onnx\)"):
        sources.model(".", folder=tmp_path, is_checked=True)
    with pytest.raises(UsageError, match="is a directory; name a file"):
        sources.python(f"{tmp_path}:Model", folder=tmp_path, is_checked=True)


def test_unchecked_paths_may_be_anything(tmp_path: Path) -> None:
    source = sources.model("no.onnx", folder=tmp_path, is_checked=False)
    assert source == sources.Source(text=f"{tmp_path}/no.onnx", digest=None)


def test_a_python_class(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("class Model: ...")
    source = sources.python("m.py:Model", folder=tmp_path, is_checked=True)
    assert source.text == f"{tmp_path}/m.py:Model"
    assert source.digest is not None


@pytest.mark.parametrize("given", ["m.py", "m.py:", "m.py:1x", "m.py:a.b"])
def test_a_python_source_without_a_class(given: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected FILE\.py:CLASS"):
        sources.python(given, folder=tmp_path, is_checked=True)


def test_a_missing_python_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--python: .*/m\.py does not exist"):
        sources.python("m.py:Model", folder=tmp_path, is_checked=True)


def test_a_folder_is_fingerprinted_with_what_belongs_to_its_model(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1/model.onnx").write_bytes(b"model")
    config = tmp_path / "config.pbtxt"
    config.write_text("max_batch_size: 4")
    first = sources.model(".", folder=tmp_path, is_checked=True)
    (tmp_path / "README.md").write_text("of nobody")
    assert sources.model(".", folder=tmp_path, is_checked=True) == first
    config.write_text("max_batch_size: 8")
    assert sources.model(".", folder=tmp_path, is_checked=True).digest != first.digest


def test_code_is_fingerprinted_with_the_neighbours_it_imports(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("import columns")
    (tmp_path / "columns.py").write_text("N = 1")
    first = sources.python("m.py:Model", folder=tmp_path, is_checked=True)
    (tmp_path / "columns.py").write_text("N = 2")
    assert sources.python("m.py:Model", folder=tmp_path, is_checked=True).digest != first.digest


def test_a_model_with_code_around_it_changes_when_either_does(tmp_path: Path) -> None:
    for name in ("a.onnx", "t.py"):
        (tmp_path / name).write_bytes(name.encode())
    model = sources.model("a.onnx", folder=tmp_path, is_checked=True)
    code = sources.python("t.py:T", folder=tmp_path, is_checked=True, flag="--transformer")
    assert model.digest is not None
    assert code.digest is not None
    both = sources.Source(text=model.text, digest=pair(model.digest, code.digest))
    assert sources.paired(model, code) == both
    assert sources.paired(model, None) == model
    assert sources.paired(None, code) == code
    remote = sources.model("s3://bucket/a.onnx", folder=tmp_path, is_checked=True)
    assert sources.paired(remote, code) == remote
    with pytest.raises(UsageError, match=r"--transformer: expected FILE.py:CLASS, got t.py"):
        sources.python("t.py", folder=tmp_path, is_checked=True, flag="--transformer")


def test_a_repository_is_a_folder_without_a_digest(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "a.onnx").touch()
    for given in ("models", f"file://{tmp_path}/models"):
        found = sources.repository(given, folder=tmp_path, is_checked=True)
        assert found == f"{tmp_path}/models", "though it is empty: models may come later"
    assert sources.repository("no", folder=tmp_path, is_checked=False) == f"{tmp_path}/no"
    with pytest.raises(UsageError, match=r"--repository: .*/no does not exist \(--no-check"):
        sources.repository("no", folder=tmp_path, is_checked=True)
    with pytest.raises(UsageError, match=r"--repository: .*/a.onnx is a file: name the folder"):
        sources.repository("a.onnx", folder=tmp_path, is_checked=True)
    with pytest.raises(UsageError, match=r"--repository: s3://b/models is not fetched"):
        sources.repository("s3://b/models", folder=tmp_path, is_checked=False)
