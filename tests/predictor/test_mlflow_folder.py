"""MLmodel and requirements.txt, read without MLflow."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.modelfiles import Kind
from predictor import mlflow_folder
from predictor.errors import LoadError
from predictor.mlflow_folder import Inner

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(flavor: str, own: dict[str, Any], *files: str, **function: Any) -> Path:
        function = {"loader_module": f"mlflow.{flavor}"} | function
        flavors = {"python_function": function, flavor: own}
        (tmp_path / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def sign(path: Path, **parts: Any) -> None:
    raw = yaml.safe_load((path / "MLmodel").read_text())
    raw["signature"] = {part: json.dumps(specs) for part, specs in parts.items()}
    (path / "MLmodel").write_text(yaml.safe_dump(raw))


def failure(path: Path) -> str:
    with pytest.raises(LoadError) as caught:
        mlflow_folder.read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("flavor", "own", "file", "kind"),
    [
        ("sklearn", {"pickled_model": "model.skops"}, "model.skops", Kind.SKOPS),
        ("sklearn", {"pickled_model": "model.pkl"}, "model.pkl", Kind.PICKLE),
        ("xgboost", {"data": "model.ubj"}, "model.ubj", Kind.XGBOOST),
        ("lightgbm", {"data": "model.lgb"}, "model.lgb", Kind.LIGHTGBM),
        ("lightgbm", {"data": "model.pkl"}, "model.pkl", Kind.PICKLE),
        ("onnx", {"data": "model.onnx"}, "model.onnx", Kind.ONNX),
        ("pytorch", {"model_data": "data"}, "data/model.pt2", Kind.TORCH_EXPORT),
        ("pytorch", {"model_data": "data"}, "data/model.pth", Kind.TORCHSCRIPT),
    ],
)
def test_the_file_inside_is_found(
    write: Write, flavor: str, own: dict[str, Any], file: str, kind: Kind
) -> None:
    path = write(flavor, own, file)
    found = mlflow_folder.read(path)
    assert found.inner == Inner(path=path / file, kind=kind)
    assert found.loader == f"mlflow.{flavor}"


def test_folders_inside_are_found(write: Write) -> None:
    path = write("tensorflow", {}, "data/model/saved_model.pb", data="data")
    assert mlflow_folder.read(path).inner == Inner(path=path / "data/model", kind=Kind.SAVED_MODEL)
    path = write("transformers", {"model_binary": "model"}, "model/config.json")
    inner = mlflow_folder.read(path).inner
    assert inner == Inner(path=path / "model", kind=Kind.HUGGINGFACE)
    (path / "components/tokenizer").mkdir(parents=True)
    inner = mlflow_folder.read(path).inner
    assert inner is not None
    assert inner.tokenizer == path / "components/tokenizer"


def test_what_only_mlflow_can_open(write: Write) -> None:
    for flavor, own, function in (
        ("pyfunc.model", {}, {}),
        ("xgboost", {"data": "model.pkl"}, {}),
        ("sklearn", {"pickled_model": "model.pkl"}, {"code": "code"}),
        ("tensorflow", {}, {"data": "keras"}),
        ("transformers", {"model_binary": "keras"}, {}),
        ("transformers", {}, {}),
        ("pytorch", {"model_data": "keras"}, {}),
    ):
        path = write(flavor, own, "model.pkl", "keras/model.keras", **function)
        assert mlflow_folder.read(path).inner is None


def test_names_stay_in_the_folder(write: Write, tmp_path: Path) -> None:
    for name in ("../model.pkl", "/etc/passwd", ""):
        assert "which is not in the folder" in failure(write("sklearn", {"pickled_model": name}))
    assert "names model.pkl, which is not there" in failure(
        write("sklearn", {"pickled_model": "model.pkl"})
    )
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert "not in the folder" in failure(write("sklearn", {"pickled_model": "link"}))


def test_a_broken_mlmodel_is_explained(tmp_path: Path) -> None:
    assert "there is no" in failure(tmp_path)
    for text, said in (
        ("a: [", "is not YAML"),
        ("- 1", "is not a YAML mapping"),
        ("flavors: {}", "names no flavors"),
        ("a: !!python/object/apply:os.mkdir [proof]", "is not YAML"),
        (f"{{flavors: {{x: {{}}}}, signature: {{inputs: '{'[' * 100_000}'}}}}", "is not JSON"),
    ):
        (tmp_path / "MLmodel").write_text(text)
        assert said in failure(tmp_path)


def test_the_signature_names_columns_or_tensors(write: Write) -> None:
    path = write("onnx", {"data": "m.onnx"}, "m.onnx")
    column = {"type": "double", "name": "a", "required": True}
    day = {"type": "datetime", "name": "day", "required": False}
    label = {"type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}
    sign(path, inputs=[column, day], outputs=[label])
    declared = mlflow_folder.read(path).declared
    assert [(one.name, one.datatype, one.shape) for one in declared.columns] == [
        ("a", "FP64", (-1,)),
        ("day", "BYTES", (-1,)),
    ]
    assert (declared.optional, declared.dates) == ({"day"}, {"day"})
    assert [(one.name, one.datatype) for one in declared.outputs] == [("output-0", "BYTES")]
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "<f4", "shape": [-1, 2]}}
    sign(path, inputs=[tensor])
    assert "tensor 'input-0' is <f4" in failure(path)
    tensor["tensor-spec"] = {"dtype": "float32", "shape": [-1, 2]}
    sign(path, inputs=[tensor])
    [spec] = mlflow_folder.read(path).declared.tensors
    assert (spec.name, spec.datatype, spec.shape) == ("input-0", "FP32", (-1, 2))
    for inputs, said in (
        ([{"type": "array", "name": "v"}], "column 'v' is of type array, which has no form in V2"),
        ([column, tensor], "mixes columns and tensors"),
        ({"a": 1}, "is not a list of objects"),
        ([{"type": "tensor", "name": "z"}], "tensor 'z' is None None"),
    ):
        sign(path, inputs=inputs)
        assert said in failure(path)


def test_requirements_that_differ(tmp_path: Path) -> None:
    here = {"numpy": "2.4.6", "torch": "2.13.0+cpu", "scikit-learn": "1.9.1"}
    assert mlflow_folder.differences(tmp_path, lambda name: here.get(name, "")) == []
    (tmp_path / "requirements.txt").write_text(
        "mlflow==3.1\nnumpy==2.4.6\ntorch==2.13.0\n# scikit-learn==1\nscikit-learn[x]==1.0 ; a\n"
        "pandas==2.0\nxgboost>=2\n"
    )
    assert mlflow_folder.differences(tmp_path, lambda name: here.get(name, "")) == [
        "scikit-learn 1.0 (1.9.1 here)",
        "pandas 2.0 (not here)",
    ]
