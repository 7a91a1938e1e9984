"""From settings to a model that answers."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predictor import config, loader, loading
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


def test_a_signature_is_chosen_only_of_models_that_have_some(
    identity_model: Callable[..., Path],
) -> None:
    path = identity_model()
    with pytest.raises(LoadError, match=r"--signature-name: .* is ONNX, which has no signatures"):
        load("--model", str(path), "--signature-name", "a")


def test_what_makes_no_difference_to_a_format_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "m.lgb").write_text("tree\n")
    with pytest.raises(LoadError):
        load("--model", str(tmp_path / "m.lgb"), "--providers", "CUDAExecutionProvider")
    assert f"WARNING: {tmp_path}/m.lgb: LightGBM runs on the CPU" in caplog.text


def test_a_card_that_was_given_is_told_of(
    identity_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    load("--model", str(identity_model()), "--providers", "CPUExecutionProvider")
    assert "CUDA_VISIBLE_DEVICES" not in caplog.text
    load("--model", str(identity_model()))
    assert (
        "WARNING: CUDA_VISIBLE_DEVICES=1, and ONNX Runtime has no CUDAExecutionProvider"
        in caplog.text
    )


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
    assert loader.resolve("FILE:///a") == Path("/a")


@pytest.mark.parametrize("uri", ["hdfs://host/m.onnx", "ftp://example.com/m.onnx"])
def test_other_schemes_are_refused_by_name(uri: str) -> None:
    with pytest.raises(LoadError, match=rf"cannot fetch {uri}: (HDFS|only paths)"):
        loader.resolve(uri)


def test_a_file_on_another_machine_is_refused() -> None:
    with pytest.raises(LoadError, match="names a file on another machine"):
        loader.resolve("file://server/m.onnx")


def test_a_missing_file_is_told_before_onnx_runtime_sees_it(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="there is no model file at"):
        load("--model", str(tmp_path / "no.onnx"))


def test_what_lies_beside_a_model_is_read_and_is_part_of_its_digest(
    identity_model: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "iris/1").mkdir(parents=True)
    path = identity_model(shape=["n", 2]).rename(tmp_path / "iris/1/model.onnx")
    alone = load("--model", str(tmp_path / "iris"))
    (tmp_path / "iris/config.pbtxt").write_text(
        'max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: 2 } dynamic_batching {}'
    )
    (tmp_path / "iris/warmup.json").write_text('{"inputs": []}')
    found = load("--model", str(tmp_path / "iris"))
    assert found.digest != alone.digest == load("--model", str(path)).digest
    assert (found.batching is not None, len(found.warmups)) == (True, 1)
    assert found.signature == alone.signature
    (tmp_path / "iris/signature.json").write_text(
        '{"inputs": [{"name": "z", "datatype": "FP32", "shape": [-1, 2]}]}'
    )
    with pytest.raises(LoadError, match=r"signature\.json names input 'z', which the model has"):
        load("--model", str(tmp_path / "iris"))


def test_a_folder_names_its_model_unless_somebody_did(
    identity_model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "iris-1.5"
    folder.mkdir()
    identity_model().rename(folder / "model.onnx")
    plain = config.parse(["--model", str(folder)], {})
    assert loading.completed(plain, loader.load(plain)).model_name == "iris-1.5"
    (folder / "config.pbtxt").write_text('name: "theirs"')
    with pytest.raises(LoadError, match=r"config\.pbtxt names the model 'theirs', while its folde"):
        loader.load(plain)
    for flags, environment in ((["--model-name", "m"], {}), ([], {"K_SERVICE": "m"})):
        given = config.parse(["--model", str(folder), *flags], environment)
        assert loading.completed(given, loader.load(given)).model_name == "m"


def test_a_signature_gives_names_to_a_model_that_has_none(tmp_path: Path) -> None:
    samples = Path(__file__).parents[2].parent / "shared" / "data" / "kserve"
    if not samples.is_dir():
        pytest.skip("KServe's models are not here")
    pytest.importorskip("xgboost")
    (tmp_path / "model.ubj").write_bytes((samples / "xgboost/model.ubj").read_bytes())
    (tmp_path / "signature.json").write_text(
        '{"inputs": [{"name": "sepals", "datatype": "FP32", "shape": [-1, 2]},'
        '{"name": "petals", "datatype": "FP32", "shape": [-1, 2]}],'
        '"outputs": [{"name": "species", "datatype": "FP32", "shape": [-1]}]}'
    )
    found = load("--model", str(tmp_path))
    rows = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], np.float32)
    answer = found.run({"sepals": rows[:, :2], "petals": rows[:, 2:]}, ("species",))
    assert answer["species"].tolist() == [1.0, 1.0]
    assert found.signature is not None
    assert [each.name for each in found.signature.inputs] == ["sepals", "petals"]
