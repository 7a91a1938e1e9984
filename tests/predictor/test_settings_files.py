"""The settings files beside a model, as they lie there."""

import json
from pathlib import Path

import pytest

from predictor import artifacts, settings_files
from predictor.errors import LoadError
from predictor.model_settings import ModelSettings

ONNX = b"\x08\x08\x12\x04tiny"
SIGNATURE = {"inputs": [{"name": "ours", "datatype": "FP32", "shape": [-1]}]}
TRITON = """
    name: "theirs" max_batch_size: 4 dynamic_batching { }
    input { name: "a" data_type: TYPE_FP32 dims: 2 }
    output { name: "y" data_type: TYPE_FP32 dims: 1 label_filename: "classes.txt" }
"""
REQUEST = {"inputs": []}


def read(top: Path, named: str = "", **files: object) -> ModelSettings:
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return settings_files.read(artifacts.find(top / named))


def test_all_that_lies_there(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        **{
            "1/model.onnx": ONNX,
            "signature.json": SIGNATURE,
            "config.pbtxt": TRITON,
            "classes.txt": "cat\ndog",
            "warmup.json": [REQUEST, REQUEST],
            "warmup/b.json": REQUEST,
            "warmup/raw": b"\0",
        },
    )
    assert found.name == "theirs"
    assert found.signature is not None
    assert found.signature.inputs[0].name == "ours"
    assert found.signature_by == str(tmp_path / "signature.json")
    assert found.labels == {"y": ("cat", "dog")}
    assert found.batching is not None
    names = [str(Path(each.name).relative_to(tmp_path)) for each in found.warmups]
    assert names == ["warmup.json[0]", "warmup.json[1]", "warmup/b.json"]


def test_a_version_goes_before_all_versions(tmp_path: Path) -> None:
    own = {"inputs": [{"name": "own", "datatype": "FP64", "shape": []}]}
    files = {"2/model.onnx": ONNX, "2/signature.json": own, "signature.json": SIGNATURE}
    found = read(tmp_path, **files)
    assert found.signature_by == str(tmp_path / "2/signature.json")


def test_mlservers_settings(tmp_path: Path) -> None:
    said = {"name": "m", "parameters": {"uri": "./model.onnx"}, "parallel_workers": 2}
    found = read(tmp_path, **{"model.onnx": ONNX, "model-settings.json": said})
    assert (found.name, len(found.without_effect)) == ("m", 1)


def test_a_file_that_was_named_is_alone(tmp_path: Path) -> None:
    files = {"m.onnx": ONNX, "signature.json": "not even JSON"}
    assert read(tmp_path, "m.onnx", **files) == ModelSettings()
    with pytest.raises(LoadError, match=r"signature\.json is not JSON"):
        read(tmp_path, **files)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.pbtxt", TRITON, "holds no classes.txt, which its settings name"),
        ("config.pbtxt", TRITON.replace("classes.txt", "../x"), "outside of it: ../x"),
        ("config.pbtxt", "sequence_batching {}", "sequence_batching can not be honoured"),
        ("model-settings.json", '{"name": "a/b"}', "a name that can not be served: a/b"),
        ("warmup.json", "{}", "expected a V2 request"),
        ("signature.json", b"\xff", "holds signature.json, which is not UTF-8 text"),
    ],
)
def test_what_is_wrong_names_the_file(
    tmp_path: Path, name: str, content: object, words: str
) -> None:
    with pytest.raises(LoadError) as caught:
        read(tmp_path, **{"model.onnx": ONNX, name: content})
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_baseline_of_explanations(tmp_path: Path) -> None:
    files: dict[str, object] = {"1/model.onnx": ONNX, "baseline.json": [1, 2]}
    assert read(tmp_path, **files).baseline == [1, 2]
    assert read(tmp_path, **{"1/baseline.json": {"a": 1}}).baseline == {"a": 1}
    with pytest.raises(LoadError, match=r"1/baseline.json: expected a row or a list of rows"):
        read(tmp_path, **{"1/baseline.json": "3"})
