import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from predictor import config, loader, loading, warmups
from predictor.errors import LoadError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec
from predictor.model_settings import Warmup

X = TensorSpec(name="x", datatype="FP32", shape=(-1,))
GOOD = b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}]}'


class Model:
    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def __call__(self, feeds: dict[str, Tensor], wanted: Any) -> Mapping[str, Tensor]:
        self.seen.append(feeds["x"].tolist())
        return {"y": feeds["x"]}


def loaded(model: Model, *stored: Warmup) -> Loaded:
    signature = Signature(inputs=[X], outputs=[X])
    return Loaded(run=model, signature=signature, described=signature, platform="p", warmups=stored)


def test_each_is_run_as_often_as_it_says() -> None:
    model = Model()
    stored = loaded(model, Warmup(name="a", body=GOOD, count=2), Warmup(name="b", body=GOOD))
    assert warmups.answer(stored, model_name="m") == 3
    assert model.seen == [[1, 2]] * 3
    assert warmups.answer(loaded(model), model_name="m") == 0


def test_one_that_does_not_return_is_told_by_name() -> None:
    held = threading.Event()
    told: list[str] = []

    class Holding(Model):
        def __call__(self, feeds: dict[str, Tensor], wanted: Any) -> Mapping[str, Tensor]:
            if len(self.seen) == 1:
                assert held.wait(20), "nobody looked after it"
            return super().__call__(feeds, wanted)

    def on_stuck(why: str) -> None:
        told.append(why)
        held.set()

    stored = loaded(Holding(), Warmup(name="a", body=GOOD), Warmup(name="b", body=GOOD))
    assert warmups.answer(stored, model_name="m", timeout_s=0.02, on_stuck=on_stuck) == 2
    assert told == ["b: this warm-up request has not been answered for 0.04 s"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"inputs":[]}', "/m/warmup.json: this warm-up request was not answered: missing input"),
        (GOOD.replace(b"FP32", b"INT8"), "expected datatype FP32, got INT8"),
        (b'{"inputs":[],"model_name":"other"}', "model_name: expected 'm', got 'other'"),
    ],
)
def test_one_that_the_model_does_not_take_fails_the_load(body: bytes, said: str) -> None:
    stored = loaded(Model(), Warmup(name="/m/warmup.json", body=body))
    with pytest.raises(LoadError) as caught:
        warmups.answer(stored, model_name="m")
    assert said in str(caught.value)


def test_they_are_found_beside_the_model(identity_model: Callable[..., Path]) -> None:
    path = identity_model()
    (path.parent / "warmup.json").write_bytes(b"[" + GOOD + b"]")
    found = loader.load(config.parse(["--model", str(path.parent)], {}))
    request = orjson.loads(found.warmups[0].body)
    assert request["inputs"][0]["name"] == "x"


def test_a_model_that_does_not_answer_them_does_not_start(
    identity_model: Callable[..., Path],
) -> None:
    path = identity_model()
    (path.parent / "warmup.json").write_bytes(GOOD.replace(b"FP32", b"INT8"))
    with pytest.raises(LoadError, match="this warm-up request was not answered"):
        loading.load(config.parse(["--model", str(path.parent)], {}))
