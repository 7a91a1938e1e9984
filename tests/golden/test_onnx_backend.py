"""The onnx package's own test models, through every protocol, against its golden outputs.

All are asked but the largest of the architectures in data/light, whose weights are made when they
are loaded, up to 900 MB: RELIGHT_GOLDEN=all tries those too. A model that ONNX Runtime cannot
load says why in one sentence.
"""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from predictor import config, loading
from predictor.errors import LoadError
from tests.golden.asking import WAYS, Served, datatype, served

DATA = Path(onnx.__file__).parent / "backend/test/data"
FOLDERS = ("simple", "pytorch-converted", "pytorch-operator")
MODELS = sorted(path for folder in FOLDERS for path in (DATA / folder).glob("*/model.onnx"))
LIGHT = sorted((DATA / "light").glob("*.onnx"))
QUICK = {"squeezenet", "shufflenet", "inception_v1"}
MATCHING_MIN = 100  # of 140: what ONNX Runtime 1.32 loads without an en_US locale

# onnx.backend.test.runner's.
RTOL, ATOL = 1e-3, 1e-7

REASONS = {
    "no kernel": r"^{path} needs \w+\(\d+\), for which ONNX Runtime \S+ has no kernel$",
    "no operator": r"^{path} needs [\w.]+:Gradient, which ONNX Runtime \S+ does not know$",
    "no locale": r"^{path} needs the locale en_US.UTF-8, which this machine does not have$",
}


@pytest.fixture(scope="module")
def outcomes() -> Counter[str]:
    """How many models were served, and how many failed for which reason."""
    return Counter()


def why_not(path: Path) -> str:
    """The reason why a model is not served; empty where it is."""
    try:
        loading.load(config.parse(["--model", str(path)], {}))
    except LoadError as error:
        return str(error)
    return ""


def tensor(path: Path) -> Any:
    return numpy_helper.to_array(onnx.load_tensor(path))


def check(found: Any, golden: Any) -> None:
    """As onnx's own runner compares."""
    assert (found.dtype, found.shape) == (golden.dtype, golden.shape)
    if golden.dtype == object:
        assert found.tolist() == golden.tolist()
    else:
        np.testing.assert_allclose(found, golden, rtol=RTOL, atol=ATOL)


async def check_described(model: Served, inputs: list[Any], outputs: list[Any]) -> list[list[str]]:
    """The names of inputs and outputs, whose datatypes and ranks are as described."""
    metadata = await model.metadata()
    for described, arrays in ((metadata["inputs"], inputs), (metadata["outputs"], outputs)):
        for one, array in zip(described, arrays, strict=False):
            assert (one["datatype"], len(one["shape"])) == (datatype(array), array.ndim)
    return [[one["name"] for one in metadata[side]] for side in ("inputs", "outputs")]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.parent.name)
async def test_a_model(path: Path, short_path: Path, outcomes: Counter[str]) -> None:
    if why := why_not(path):
        found = [
            reason
            for reason, pattern in REASONS.items()
            if re.match(pattern.format(path=re.escape(str(path))), why)
        ]
        assert len(found) == 1, f"no known reason: {why}"
        outcomes[found[0]] += 1
        return
    async with served(path, short_path) as model:
        for data_set in sorted(path.parent.glob("test_data_set_*")):
            inputs = [tensor(one) for one in sorted(data_set.glob("input_*.pb"))]
            golden = [tensor(one) for one in sorted(data_set.glob("output_*.pb"))]
            names, answers = await check_described(model, inputs, golden)
            for way in WAYS:
                found_by_name = await model.ask(way, dict(zip(names, inputs, strict=True)))
                assert list(found_by_name) == answers
                for each, expected in zip(found_by_name.values(), golden, strict=True):
                    check(each, expected)
    outcomes["served"] += 1


def test_so_many_match_and_the_others_say_why(outcomes: Counter[str]) -> None:
    if sum(outcomes.values()) < len(MODELS):
        pytest.skip("not all models were tried in this run")
    assert outcomes["served"] >= MATCHING_MIN, dict(outcomes)


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
async def test_an_architecture(path: Path, short_path: Path) -> None:
    if path.stem.removeprefix("light_") not in QUICK and os.environ.get("RELIGHT_GOLDEN") != "all":
        pytest.skip("its weights take up to 900 MB: set RELIGHT_GOLDEN=all")
    golden = tensor(path.parent / f"{path.stem}_output_0.pb")
    async with served(path, short_path) as model:
        described = (await model.metadata())["inputs"]
        assert len(described) == 1
        shape = [1 if size == -1 else size for size in described[0]["shape"]]
        count = int(np.prod(shape))
        given = (np.arange(count, dtype=np.float32) / np.float32(count)).reshape(shape)
        for way in WAYS:
            (found,) = (await model.ask(way, {described[0]["name"]: given})).values()
            check(found, golden)
