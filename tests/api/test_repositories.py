"""What a repository's settings choose."""

import json

import pytest

from api.modelfiles import Kind, ModelFileError
from api.repositories import Wanted, of_mlserver, of_triton


def test_settings_that_choose_nothing() -> None:
    assert of_triton('name: "x" max_batch_size: 8') == Wanted()
    assert of_mlserver('{"name": "x"}') == Wanted()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ('platform: "onnxruntime_onnx"', {Kind.ONNX}),
        ('backend: "onnxruntime"', {Kind.ONNX}),
        ('platform: "tensorflow_savedmodel" backend: "tensorflow"', {Kind.SAVED_MODEL}),
        ('backend: "pytorch"', {Kind.TORCHSCRIPT, Kind.TORCH_EXPORT}),
        ('backend: "fil"', {Kind.XGBOOST, Kind.LIGHTGBM}),
    ],
)
def test_tritons_words_for_what_runs_a_model(text: str, kinds: set[Kind]) -> None:
    assert of_triton(text).kinds == kinds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('platform: "tensorrt_plan"', 'asks for platform "tensorrt_plan": a TensorRT engine'),
        ('platform: "tensorflow_graphdef"', "a frozen graph has no signature"),
        ('platform: "ensemble"', "no ensembles are served"),
        ('backend: "python"', "serve a class with --python"),
        ('backend: "vllm"', 'backend "vllm": only onnxruntime_onnx,'),
        ("name: ", "holds config.pbtxt that cannot be read: line 1"),
        ('default_model_filename: "../x"', "is no name"),
        ("version_policy { specific { } }", "names no versions"),
    ],
)
def test_what_of_triton_is_not_served(text: str, words: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        of_triton(text)
    assert words in str(caught.value)


def test_tritons_file_and_versions() -> None:
    found = of_triton('default_model_filename: "m.onnx" version_policy{specific{versions:[1,3]}}')
    assert (found.file, found.versions) == ("m.onnx", (1, 3))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([], "not an object"),
        ({"parameters": {"uri": "s3://b/m"}}, "leads out of the folder: s3:"),
        ({"parameters": {"uri": "/m"}}, "leads out of the folder: /m"),
        ({"parameters": {"uri": "a/../../m"}}, "leads out of the folder: ../m"),
        ({"parameters": {"uri": 1}}, "is not text"),
        ({"parameters": []}, ""),
        ({"implementation": "mine.Model"}, '"mine.Model": only models of mlserver_sklearn,'),
    ],
)
def test_what_of_mlserver_is_not_served(said: object, words: str) -> None:
    if not words:
        assert of_mlserver(json.dumps(said)) == Wanted()
        return
    with pytest.raises(ModelFileError) as caught:
        of_mlserver(json.dumps(said))
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_what_is_no_json_is_told(text: str) -> None:
    with pytest.raises(ModelFileError, match=r"holds model-settings\.json that cannot be read"):
        of_mlserver(text)


def test_another_kind_than_the_settings_speak_of() -> None:
    wanted = of_mlserver('{"implementation": "mlserver_lightgbm.LightGBMModel"}')
    wanted.check(Kind.LIGHTGBM, "m.bst")
    with pytest.raises(ModelFileError, match=r"holds m\.ubj, which is XGBoost, while"):
        wanted.check(Kind.XGBOOST, "m.ubj")
