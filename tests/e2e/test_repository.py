"""A folder of models as one Service, through the whole platform."""

import os
import shutil
from pathlib import Path

import pytest

from examples.running import Platform
from tests.e2e.conftest import FAHRENHEIT, ROOT, at_zero, infer_body

pytestmark = pytest.mark.e2e

HOST = "menagerie.default.localhost"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file, and a model as Triton lays it out."""
    folder = tmp_path_factory.mktemp("menagerie")
    shutil.copy(FAHRENHEIT, folder / "plain.onnx")
    (folder / "laid-out/1").mkdir(parents=True)
    shutil.copy(FAHRENHEIT, folder / "laid-out/1/model.onnx")
    return folder


def boiling(platform: Platform, model: str) -> int:
    answer = platform.request(HOST, f"/v2/models/{model}/infer", infer_body())
    assert answer.status != 200 or answer.json()["outputs"][0]["data"] == [212.0]
    return answer.status


def test_a_folder_is_deployed_and_serves_each_of_its_models_from_zero(
    platform: Platform, models: Path
) -> None:
    given = os.path.relpath(models, ROOT)  # where the command line runs
    words = ("menagerie", "--repository", given, "--window", "6s", "--arg=--models-max=1")
    done = platform.relight("deploy", *words)
    assert "relight invoke menagerie --model MODEL --data @request.json" in done.stderr
    assert [boiling(platform, name) for name in ("plain", "laid-out", "plain")] == [200] * 3
    assert boiling(platform, "none") == 404
    shown = platform.relight("get", "services", "menagerie", "-o", "wide").stdout
    assert os.path.normpath(shown.split()[-1]) == str(models)
    at_zero(platform, "menagerie")
    data = '{"instances": [[100.0]]}'
    words = ("menagerie", "--model", "laid-out", "--v1", "--data", data)
    assert platform.relight("invoke", *words).stdout.strip() == '{"predictions":[[212.0]]}'
    shutil.copy(FAHRENHEIT, models / "late.onnx")
    assert boiling(platform, "late") == 200, "found when it is asked for"


def test_two_models_of_one_name_are_told(platform: Platform, tmp_path: Path) -> None:
    for name in ("a.onnx", "a.pkl"):
        (tmp_path / name).touch()
    done = platform.relight("deploy", "twins", "--repository", str(tmp_path), check=False)
    assert done.returncode == 1
    assert "holds two models named 'a': a.onnx and a.pkl" in done.stderr
