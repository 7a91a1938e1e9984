"""The runtimes that come with Relight can be stored, and are chosen for what we load."""

import pytest

from api import kinds
from api.admission import admit
from api.inference_components import Model
from api.runtime_builtin import built_in
from api.runtime_selection import NoRuntime, select
from api.runtimes import Runtime

OURS = [Runtime.parse(each, resource=kinds.CLUSTERSERVINGRUNTIMES) for each in built_in()]


def test_each_is_admitted_as_it_is() -> None:
    for each in built_in():
        assert admit(kinds.CLUSTERSERVINGRUNTIMES, each, None, user="") == each


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("onnx", "relight-onnx"),
        ("sklearn", "relight-sklearn"),
        ("xgboost", "relight-xgboost"),
        ("tensorflow", "relight-tensorflow"),
        ("pytorch", "relight-pytorch"),
        ("huggingface", "relight-huggingface"),
    ],
)
@pytest.mark.parametrize("protocol", ["", "v1", "v2", "grpc-v2"])
@pytest.mark.parametrize("version", ["", "1"])
def test_ours_is_chosen_under_our_name(name: str, wanted: str, protocol: str, version: str) -> None:
    found = select(Model(format=name, protocol=protocol, format_version=version), OURS)
    assert not isinstance(found, NoRuntime)
    assert found.metadata.name == wanted


@pytest.mark.parametrize(
    ("name", "model_format"),
    [
        ("kserve-sklearnserver", "sklearn"),
        ("kserve-mlserver", "sklearn"),
        ("kserve-mlserver", "mlflow"),
        ("kserve-tritonserver", "onnx"),
        ("kserve-tritonserver", "triton"),
        ("kserve-pmmlserver", "pmml"),
    ],
)
def test_names_of_kserves_work(name: str, model_format: str) -> None:
    found = select(Model(format=model_format, runtime=name), OURS)
    assert not isinstance(found, NoRuntime)
    assert found.metadata.name == name


@pytest.mark.parametrize("name", ["paddle", "openvino", "vllm", "autogluon"])
def test_formats_that_we_do_not_load_are_not_promised(name: str) -> None:
    assert isinstance(select(Model(format=name), OURS), NoRuntime)
