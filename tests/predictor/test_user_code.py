"""User code that does not do what it should: one sentence, and no harm. See test_python_model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predictor.errors import LoadError, RequestError
from predictor.model import Model
from predictor.user_code import UserCode

File = Callable[[str], Path]


def code(path: Path) -> UserCode:
    found = UserCode(path, "Mine", base=Model, module="tried_user_code")
    found.load()
    return found


def test_a_method_s_tensors_and_what_it_defines(python_file: File) -> None:
    found = code(python_file("class Mine(Model):\n  def predict(self, inputs): return inputs\n"))
    assert found.tensors("predict", {"x": np.ones(1)})["x"].tolist() == [1]
    assert found.defined("predict") is not None
    assert found.defined("explain") is None
    assert found.signature() is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return [1]", "Mine.explain gave list, not a dict of arrays"),
        ("return {1: 1}", "an output's name is int"),
        ("raise KeyError('x')", r"\(KeyError\)"),
    ],
)
def test_another_method_is_guarded_alike(python_file: File, body: str, said: str) -> None:
    found = code(python_file(f"class Mine(Model):\n  def explain(self, inputs):\n    {body}\n"))
    with pytest.raises(RequestError, match=said):
        found.tensors("explain", {})


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        ("3", "is int, not Signature"),
        ("Signature(inputs=[1], outputs=[])", "holds int, not TensorSpec"),
        ("1 / 0", r"Mine.signature in .* raised ZeroDivisionError"),
    ],
)
def test_signatures_are_checked(python_file: File, signature: str, said: str) -> None:
    body = f"class Mine(Model):\n  def signature(self): return {signature}\n"
    found = code(python_file(body))
    with pytest.raises(LoadError, match=said):
        found.signature()


def test_the_file_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"the model file .* does not exist"):
        code(tmp_path / "none.py")
