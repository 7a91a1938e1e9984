"""MLServer's settings."""

import json
from typing import Any

import pytest

from predictor import mlserver_settings
from predictor.errors import LoadError
from predictor.model import TensorSpec


def parse(**said: Any) -> Any:
    return mlserver_settings.parse(json.dumps(said), where="f")


def test_what_is_read() -> None:
    found = parse(
        name="iris",
        implementation="mlserver_sklearn.SKLearnModel",
        inputs=[
            {
                "name": "rows",
                "datatype": "FP32",
                "shape": [-1, 4],
                "parameters": {"content_type": "np"},
            }
        ],
        max_batch_size=16,
        max_batch_time=0.25,
        parallel_workers=2,
        parameters={"uri": "./model.joblib", "version": "v1"},
    )
    assert found.name == "iris"
    spec = TensorSpec(name="rows", datatype="FP32", shape=(-1, 4))
    assert (found.signature.inputs, found.signature_by) == ([spec], "f")
    assert (found.batching.size_max, found.batching.delay_s) == (16, 0.25)
    assert found.without_effect == ("f: parallel_workers", "f: parameters.version")


def test_batching_needs_both_of_its_settings() -> None:
    for said in ({}, {"max_batch_size": 8}, {"max_batch_size": 1, "max_batch_time": 1}):
        assert parse(**said).batching is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"inference_pool_grace": 1}, "f: inference_pool_grace is not read by Relight"),
        ({"parameters": {"environment_tarball": "e.tar.gz"}}, "parameters.environment_tarball is"),
        ({"parameters": {"extra": {"task": "x"}}}, "f: parameters.extra is not read"),
        ({"parameters": []}, ""),
        ({"parameters": [1]}, "f: parameters: expected an object"),
        ({"name": 1}, "f: name: expected text, got a whole number"),
        ({"max_batch_size": -1}, "f: max_batch_size: expected a whole number, got -1"),
        ({"max_batch_size": True}, "f: max_batch_size"),
        ({"max_batch_time": "1"}, "f: max_batch_time: expected 0 to 60 seconds, got '1'"),
        ({"inputs": [{"name": "a"}]}, "f: inputs[0].datatype"),
    ],
)
def test_what_can_not_be_honoured_is_named(said: dict[str, Any], words: str) -> None:
    if not words:
        assert parse(**said).name == ""
        return
    with pytest.raises(LoadError) as caught:
        parse(**said)
    assert words in str(caught.value)
