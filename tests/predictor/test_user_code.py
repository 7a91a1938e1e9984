"""User code that does not do what it should: one sentence, and no harm. See test_python_model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predictor.errors import LoadError, RequestError
from predictor.model import Model
from predictor.user_code import UserCode

File = Callable[[str], Path]


def declared(fields: str, *, times: int = 1) -> str:
    """A signature whose inputs have these fields, as it is written."""
    return f"Signature(inputs=[TensorSpec(datatype='FP32', {fields})] * {times}, outputs=[])"


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


REUSING = """
class Mine(Model):
  buffer = np.zeros(2)
  def predict(self, inputs):
    self.buffer[:] = inputs["x"]
    return {"whole": self.buffer, "part": self.buffer[:1]}
"""


def test_an_array_that_is_filled_again_does_not_change_what_was_given(python_file: File) -> None:
    found = code(python_file(f"import numpy as np\n{REUSING}"))
    first = found.tensors("predict", {"x": np.array([1.0, 2.0])})
    found.tensors("predict", {"x": np.array([3.0, 4.0])})
    assert {name: array.tolist() for name, array in first.items()} == {
        "whole": [1.0, 2.0],
        "part": [1.0],
    }


def test_an_array_of_a_class_of_its_own_is_an_array(python_file: File) -> None:
    own = "class Own(np.ndarray): pass\n"
    body = "class Mine(Model):\n  def predict(self, inputs): return {'y': np.ones(2).view(Own)}\n"
    found = code(python_file(f"import numpy as np\n{own}{body}"))
    assert type(found.tensors("predict", {})["y"]) is np.ndarray


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("np.ma.array([1.0, 2.0], mask=[0, 1])", "output 'y' is masked in places"),
        ("['\\ud800']", "output 'y' holds text with half of a surrogate pair"),
        ("np.array(['ok', '\\ud83d'], object)", "output 'y' holds text with half of a surrogate"),
        ("Odd()", r"output 'y' holds a Odd that is no array \(RuntimeError\)"),
    ],
)
def test_what_is_no_array_is_said(python_file: File, value: str, said: str) -> None:
    odd = "class Odd:\n  def __array__(self, *_, **__): raise RuntimeError('requires grad')\n"
    body = f"class Mine(Model):\n  def predict(self, inputs): return {{'y': {value}}}\n"
    found = code(python_file(f"import numpy as np\n{odd}{body}"))
    with pytest.raises(RequestError, match=said):
        found.tensors("predict", {})


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        ("3", "is int, not Signature"),
        ("Signature(inputs=[1], outputs=[])", "holds int, not TensorSpec"),
        ("Signature(inputs=1, outputs=[])", "gives inputs as int, not as a list"),
        ("Signature(inputs=[], outputs=None)", "gives outputs as NoneType, not as a list"),
        (declared("name=5, shape=(1,)"), "gives a tensor the name 5; expected text"),
        (declared("name='x', shape=(-2,)"), r"gives 'x' shape \(-2,\); expected whole numbers"),
        (declared("name='x', shape=3"), "gives 'x' shape 3; expected whole numbers"),
        (declared("name='x', shape=[1.5]"), r"gives 'x' shape \[1.5\]; expected whole numbers"),
        (declared("name='x', shape=[1]", times=2), "gives inputs of which two have the same name"),
        ("1 / 0", r"Mine.signature in .* raised ZeroDivisionError"),
    ],
)
def test_signatures_are_checked(python_file: File, signature: str, said: str) -> None:
    body = f"class Mine(Model):\n  def signature(self): return {signature}\n"
    found = code(python_file(body))
    with pytest.raises(LoadError, match=said):
        found.signature()


def test_a_shape_may_be_a_list(python_file: File) -> None:
    listed = declared("name='x', shape=[-1, np.int64(3)]")
    body = f"class Mine(Model):\n  def signature(self): return {listed}\n"
    signature = code(python_file(body)).signature()
    assert signature is not None
    assert [spec.shape for spec in signature.inputs] == [(-1, 3)]


def test_a_refusal_without_words_says_so(python_file: File) -> None:
    body = "class Mine(Model):\n  def predict(self, inputs): raise InvalidInputError\n"
    with pytest.raises(RequestError, match="refuses this input and does not say why"):
        code(python_file(body)).tensors("predict", {})


def test_the_file_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"the model file .* does not exist"):
        code(tmp_path / "none.py")
