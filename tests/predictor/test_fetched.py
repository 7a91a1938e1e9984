import logging
from pathlib import Path

import pytest

from predictor import config, loader
from predictor.errors import LoadError
from predictor.fetched import local
from tests.predictor.fetch_servers import serving
from tests.predictor.test_fetching import DIGEST, MODEL


def test_a_predictor_fetches_its_model_and_loads_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with serving(m__onnx=MODEL) as server:
        flags = ["--model", f"{server.url}/m.onnx", "--cache-dir", str(tmp_path)]
        settings = config.parse(flags, {})
        assert settings.model_name == "m"
        loaded = loader.load(settings)
    assert loaded.digest == DIGEST
    assert f"fetched {DIGEST}" in caplog.text
    pinned = config.parse(flags, {"RELIGHT_MODEL_DIGEST": DIGEST})
    assert loader.load(pinned).digest == DIGEST  # the server is gone
    assert str(tmp_path) in local(pinned).model


def test_what_is_not_fetched_is_a_sentence(tmp_path: Path) -> None:
    with serving() as server:
        flags = ["--model", f"{server.url}/m.onnx", "--cache-dir", str(tmp_path)]
        with pytest.raises(LoadError, match="there is nothing"):
            loader.load(config.parse(flags, {}))
    assert local(config.parse(["--model", "m.onnx"], {})).model == "m.onnx"
