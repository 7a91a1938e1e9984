"""Tiny ONNX models, made when asked for, and a zygote with someone to talk to it."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from onnx import helper

from tests.predictor.onnx_files import build


@pytest.fixture
def identity_model(tmp_path: Path) -> Callable[..., Path]:
    """A model `y = x` of any datatype and shape."""

    def make(datatype: str = "FP32", shape: list[int | str | None] | None = None) -> Path:
        of = (datatype, ["n", 2] if shape is None else shape)
        path = tmp_path / "identity.onnx"
        node = helper.make_node("Identity", ["x"], ["y"])
        path.write_bytes(build([node], {"x": of}, {"y": of}))
        return path

    return make


@pytest.fixture
def two_model(tmp_path: Path) -> Path:
    """A model of two inputs and two outputs: total = a + b, difference = a - b."""
    path = tmp_path / "two.onnx"
    nodes = [
        helper.make_node("Add", ["a", "b"], ["total"]),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
    ]
    of = ("FP32", ["n", 2])
    path.write_bytes(build(nodes, {"a": of, "b": of}, {"total": of, "difference": of}))
    return path


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket."""
    folder = tempfile.mkdtemp(dir="/tmp", prefix="rl-")
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.fixture
def kserve_model() -> Path:
    """KServe's iris model; the shared data is not part of the repository."""
    path = Path(__file__).parents[2].parent / "shared/data/kserve/onnx/model.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture
def python_file(tmp_path: Path) -> Callable[[str], Path]:
    """A model file with the given code under the usual imports."""

    def make(code: str) -> Path:
        path = tmp_path / "mine.py"
        head = "import numpy as np\nfrom predictor.model import *\n"
        path.write_text(head + code)
        return path

    return make


@pytest.fixture(autouse=True)
def _no_user_model_left() -> Iterator[None]:
    """Each test imports its own model file."""
    before = list(sys.path)
    yield
    sys.path[:] = before
    sys.modules.pop("relight_user_model", None)
