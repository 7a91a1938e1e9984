"""Models written in Python: found, made, and kept from harming an answer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predictor.errors import LoadError, RequestError
from predictor.python_model import PythonModel, open_model

File = Callable[[str], Path]

DOUBLE = """
class Double(Model):
    def load(self):
        self.factor = np.float32(2)
    def signature(self):
        x = TensorSpec(name="x", datatype="FP32", shape=(-1,))
        return Signature(inputs=[x], outputs=[x])
    def predict(self, inputs):
        return {"y": inputs["x"] * self.factor}
"""


def opened(path: Path, name: str) -> PythonModel:
    model = PythonModel(path, name)
    model.load()
    return model


def failure(path: Path, name: str = "Mine") -> str:
    def load() -> None:
        opened(path, name).signature()

    with pytest.raises(LoadError) as caught:
        load()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_is_found_loaded_and_run(python_file: File) -> None:
    model = opened(python_file(DOUBLE), "Double")
    signature = model.signature()
    assert signature is not None
    assert signature.inputs[0].name == "x"
    assert model.run({"x": np.ones(2, np.float32)}, ("y",))["y"].tolist() == [2, 2]


def test_a_model_may_write_into_its_inputs(python_file: File) -> None:
    code = (
        "class Mine(Model):\n  def predict(self, inputs):\n    inputs['x'] += 1\n    return inputs"
    )
    body = np.ones(2, np.float32).tobytes()
    given = np.frombuffer(body, np.float32)  # as binary tensors are
    assert opened(python_file(code), "Mine").run({"x": given}, None)["x"].tolist() == [2, 2]
    assert given.tolist() == [1, 1]


def test_its_neighbours_can_be_imported(python_file: File, tmp_path: Path) -> None:
    (tmp_path / "rl_neighbour.py").write_text("FACTOR = 3\n")
    code = "import rl_neighbour\n" + DOUBLE.replace("np.float32(2)", "rl_neighbour.FACTOR")
    model = opened(python_file(code), "Double")
    assert model.run({"x": np.ones(1)}, None)["y"].tolist() == [3]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("class Other(Model): pass", "has no class Mine; it has Other"),
        ("", "has no class Mine; it has no Model at all"),
        ("class Mine: pass", "Mine in"),
        ("Mine = 5", "is not a predictor.model.Model"),
        ("def f(:", "cannot be imported: line 3 of"),
        ("import no_such_module_x", "raised ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        ("class E(Exception):\n  __str__ = None\nraise E", "raised E"),
        (
            "class Mine(Model):\n  def load(self): raise BaseException('p')",
            "raised BaseException: p",
        ),
        ("class Mine(Model):\n  def __init__(self): raise ValueError('a\\nb')", "ValueError: a b"),
        (
            "class Mine(Model):\n  def load(self): raise OSError('no weights')",
            "OSError: no weights",
        ),
        ("class Mine(Model):\n  def load(self): raise KeyError", "raised KeyError"),
        ("class Mine(Model):\n  def signature(self): return 5", "is int, not Signature"),
        ("class Mine(Model):\n  def signature(self): return 1 / 0", "raised ZeroDivisionError"),
        (
            "class Mine(Model):\n  def signature(self): return Signature(inputs=['x'], outputs=[])",
            "holds str, not TensorSpec",
        ),
        (
            "class Mine(Model):\n  def signature(self):\n"
            "    x = TensorSpec(name='x', datatype='float', shape=())\n"
            "    return Signature(inputs=[x], outputs=[])",
            "gives 'x' datatype 'float'; known: BOOL",
        ),
    ],
)
def test_a_file_that_cannot_be_served_says_why(python_file: File, code: str, said: str) -> None:
    assert said in failure(python_file(code))


def test_a_missing_file_a_directory_and_another_suffix(tmp_path: Path) -> None:
    assert "does not exist" in failure(tmp_path / "no.py")
    assert "is a directory" in failure(tmp_path)
    (tmp_path / "model.txt").touch()
    assert "must end in .py" in failure(tmp_path / "model.txt")


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("5", "Mine.predict gave int, not a dict of arrays"),
        ("None", "Mine.predict gave NoneType"),
        ("{}", "Mine.predict gave an empty dict"),
        ("{5: inputs['x']}", "an output's name is int, not text"),
        ("{'y': [[1], [2, 3]]}", "output 'y' is ragged"),
    ],
)
def test_an_answer_that_is_none_is_our_fault(python_file: File, returned: str, said: str) -> None:
    path = python_file(f"class Mine(Model):\n  def predict(self, inputs): return {returned}")
    with pytest.raises(RequestError) as caught:
        opened(path, "Mine").run({"x": np.ones(1)}, None)
    assert caught.value.status == 500
    assert said in str(caught.value)


def test_lists_and_scalars_become_arrays(python_file: File) -> None:
    path = python_file("class Mine(Model):\n  def predict(self, inputs): return {'y': [1, 2]}")
    assert opened(path, "Mine").run({}, None)["y"].tolist() == [1, 2]


def test_what_predict_raises_goes_to_the_log_and_not_to_the_client(
    python_file: File, caplog: pytest.LogCaptureFixture
) -> None:
    path = python_file(
        "class Mine(Model):\n  def predict(self, inputs): raise ValueError('secret')"
    )
    with pytest.raises(RequestError) as caught:
        opened(path, "Mine").run({}, None)
    assert caught.value.status == 500
    assert "ValueError" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "secret" in caplog.text


def test_invalid_input_is_the_callers_fault_in_the_models_words(python_file: File) -> None:
    code = "class Mine(Model):\n  def predict(self, inputs): raise InvalidInputError('too dark')"
    with pytest.raises(RequestError, match=r"^too dark$") as caught:
        opened(python_file(code), "Mine").run({}, None)
    assert caught.value.status == 400


def test_a_model_that_only_writes_does_not_predict(python_file: File) -> None:
    code = "class Mine(Model):\n  def generate(self, prompt, how): return iter(())\n"
    loaded = open_model(python_file(code), "Mine")
    assert not loaded.predicts
    with pytest.raises(RequestError, match="this model defines no predict") as caught:
        loaded.run({}, None)
    assert caught.value.status == 501
    assert open_model(python_file(DOUBLE), "Double").predicts


def test_a_model_may_tell_its_load(python_file: File) -> None:
    silent = opened(python_file(DOUBLE), "Double")
    assert silent.defined("load_metrics") is None
    code = DOUBLE + "    def load_metrics(self):\n        return {'tokens_in_flight': 7}\n"
    metrics = opened(python_file(code), "Double").defined("load_metrics")
    assert metrics is not None
    assert metrics() == {"tokens_in_flight": 7}


def test_a_model_may_explain_itself(python_file: File) -> None:
    code = "class Mine(Model):\n  def explain(self, inputs):\n    return {}\n"
    loaded = open_model(python_file(code.format("{'why': inputs['x'] * 2}")), "Mine")
    assert loaded.explain is not None
    assert loaded.explain({"x": np.ones(1)})["why"].tolist() == [2]
    for body, said in (
        ("[1]", "Mine.explain gave list, not a dict"),
        ("1 / 0", r"the model failed on this request \(ZeroDivisionError\)"),
    ):
        broken = open_model(python_file(code.format(body)), "Mine").explain
        assert broken is not None
        with pytest.raises(RequestError, match=said):
            broken({})
    assert open_model(python_file(DOUBLE), "Double").explain is None
