from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from predictor import config, loading
from predictor.errors import LoadError
from predictor.model_settings import Batching


def test_a_model_that_cannot_be_batched_as_asked_is_refused(
    python_file: Callable[[str], Path],
) -> None:
    path = python_file("class Mine(Model): pass")
    flags = ["--python", f"{path}:Mine", "--max-batch-size", "4"]
    with pytest.raises(LoadError, match=r"--max-batch-size: .* can not be batched"):
        loading.load(config.parse(flags, {}))


def test_settings_files_fill_what_no_flag_says(identity_model: Callable[..., Path]) -> None:
    plain = config.parse(["--model", str(identity_model())], {})
    loaded = loading.load(plain)
    said = replace(
        loaded, name="said", batching=Batching(size_max=8, delay_s=0.1, said_by="config.pbtxt")
    )
    filled = loading.completed(plain, said)
    assert (filled.model_name, filled.batch_size_max, filled.batch_delay_s) == ("said", 8, 0.1)
    flags = ["--model", "m.onnx", "--model-name", "mine", "--max-batch-size", "2"]
    kept = loading.completed(config.parse(flags, {}), said)
    assert (kept.model_name, kept.batch_size_max) == ("mine", 2)
    assert loading.completed(plain, loaded) == plain
