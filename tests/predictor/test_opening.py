from collections.abc import Callable
from pathlib import Path

import pytest

from predictor import config, loading, opening


def test_a_model_and_what_it_took(identity_model: Callable[..., Path]) -> None:
    found = opening.open_measured(config.parse(["--model", str(identity_model())], {}))
    assert found.loaded is not None
    assert found.failure == ""
    assert found.load_s > 0
    assert found.memory_bytes >= 0
    assert opening.own_bytes() > 0


def test_a_name_that_its_folder_contradicts_is_told_though_it_is_settled(
    identity_model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "iris"
    folder.mkdir()
    identity_model().rename(folder / "model.onnx")
    settings = config.parse(["--model", str(folder), "--model-name", "iris"], {})
    (folder / "config.pbtxt").write_text('name: "iris"')
    assert opening.open_measured(settings).settings.model_name == "iris"
    (folder / "config.pbtxt").write_text('name: "theirs"')
    assert "names the model 'theirs', while" in opening.open_measured(settings).failure


def test_what_goes_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.parse(["--model", str(tmp_path / "no.onnx")], {})
    assert "there is no model file" in opening.open_measured(settings).failure

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(loading, "load", fail)
    assert opening.open_measured(settings).failure == "ZeroDivisionError; the log says more"
