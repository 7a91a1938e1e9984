"""TensorFlow Lite models: signatures, quantised tensors, texts, and one sentence on what fails.

The files in tflite_files were made once with TensorFlow 2.21's TFLiteConverter, each from one
tf.function of a line: `both` x + y and x * y of [-1, 3]; `quant` x @ [[1, -1], [2, 0.5], [0, 1]]
in int8; `strings` tf.gather(s, i); `custom` tf.raw_ops.Betainc, left to a custom operation;
`two` has the signatures double and triple.
"""

import contextlib
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from api.modelfiles import Kind
from predictor import config, tflite_model
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import Tensor
from tests.predictor.opening import failure, opened, predictions

interpreter = pytest.importorskip(
    "ai_edge_litert.interpreter", reason="pip install 'relight[tflite]'"
)
FILES = Path(__file__).parent / "tflite_files"
ONES = np.ones((2, 3), np.float32)


@pytest.fixture(autouse=True)
def _threads_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


def load(name: str) -> Loaded:
    return opened(FILES / f"{name}.tflite", Kind.TFLITE)


def test_inputs_and_outputs_go_by_the_names_of_the_signature() -> None:
    loaded = load("both")
    assert loaded.signature is not None
    assert [(one.name, one.datatype, one.shape) for one in loaded.signature.inputs] == [
        ("x", "FP32", (-1, 3)),
        ("y", "FP32", (-1, 3)),
    ]
    assert {one.name for one in loaded.signature.outputs} == {"total", "product"}
    assert loaded.facts == {"signature_name": "serving_default"}
    for rows in (1, 5, 2):  # the batch is the request's
        x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
        found = loaded.run({"y": x + 1, "x": x}, None)
        np.testing.assert_array_equal(found["total"], x + x + 1)
        np.testing.assert_array_equal(found["product"], x * (x + 1))
    body = b'{"instances": [{"x": [1, 2, 3], "y": [4, 5, 6]}]}'
    assert predictions(loaded, body) == [{"product": [4, 10, 18], "total": [5, 7, 9]}]


def test_quantised_tensors_stay_as_they_are_and_the_metadata_says_how_to_read_them() -> None:
    loaded = load("quant")
    assert loaded.signature is not None
    [given], [taken] = loaded.signature.inputs, loaded.signature.outputs
    assert (given.name, given.datatype, given.shape) == ("x", "INT8", (1, 3))
    assert (taken.datatype, taken.shape) == ("INT8", (1, 2))
    read = loaded.facts["quantization"]
    assert set(read) == {"x", taken.name}
    real = np.array([[0.5, 0.25, 0.75]])
    x = np.round(real / read["x"]["scale"] + read["x"]["zero_point"]).astype(np.int8)
    answer = loaded.run({"x": x}, None)[taken.name].astype(float)
    found = (answer - read[taken.name]["zero_point"]) * read[taken.name]["scale"]
    expected = real @ np.array([[1.0, -1.0], [2.0, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_texts_come_and_go() -> None:
    loaded = load("strings")
    assert loaded.signature is not None
    assert {one.name: one.datatype for one in loaded.signature.inputs} == {
        "s": "BYTES",
        "i": "INT32",
    }
    texts = np.array(["a", "é", "longer"], object)
    found = loaded.run({"s": texts, "i": np.array([2, 1], np.int32)}, None)
    [words] = found.values()
    assert [bytes(one).decode() for one in words] == ["longer", "é"]


def test_one_of_several_signatures_is_served_by_its_name() -> None:
    model = tflite_model.TfliteModel(FILES / "two.tflite", threads=1, signature_name="triple")
    model.load()
    [given] = model.signature().inputs
    [found] = model.run({given.name: np.ones((1, 3), np.float32)}, None).values()
    assert found.ravel()[0] == 3.0
    assert model.facts() == {"signature_name": "triple", "signature_names": ["double", "triple"]}
    model = tflite_model.TfliteModel(FILES / "two.tflite", threads=1, signature_name="other")
    with pytest.raises(LoadError, match="has double, triple, and no other to serve"):
        model.load()


def test_a_failed_run_blames_who_is_to_blame_and_the_next_one_works() -> None:
    loaded = load("both")
    with pytest.raises(RequestError, match="'rows' is 2 in 'x'") as caught:
        loaded.run({"x": ONES, "y": np.ones((4, 3), np.float32)}, None)
    assert caught.value.status == 400
    with pytest.raises(RequestError, match="takes no empty tensors") as caught:
        loaded.run({"x": ONES[:0], "y": ONES[:0]}, None)
    assert caught.value.status == 400
    assert loaded.run({"x": ONES, "y": ONES}, ("total",))["total"].tolist() == [[2, 2, 2]] * 2
    texts = load("strings")
    far = {"s": np.array(["a"], object), "i": np.array([7], np.int32)}
    with pytest.raises(RequestError) as caught:
        texts.run(far, None)
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no TensorFlow Lite model"),
        (b"something else", "is no TensorFlow Lite model"),
        (b"\x18\0\0\0TFL3", "is cut short or damaged"),
        ((FILES / "both.tflite").read_bytes()[:600], "is cut short or damaged"),
        ((FILES / "custom.tflite").read_bytes(), "needs Betainc, which LiteRT does not have"),
        ((FILES / "two.tflite").read_bytes(), "signatures double, triple and none named serving"),
    ],
)
def test_what_can_not_be_served_is_said(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    assert said in failure(path, Kind.TFLITE)


def test_a_damaged_file_does_no_harm(tmp_path: Path) -> None:
    """In a child, because what slips through ends the process."""
    path = tmp_path / "m.tflite"
    data = (FILES / "both.tflite").read_bytes()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(20)
            for at in range(0, len(data), 16):
                path.write_bytes(data[:at])
                with contextlib.suppress(Exception):  # any refusal will do
                    opened(path, Kind.TFLITE).run({"x": ONES, "y": ONES}, None)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_is_not_there_or_does_not_fit_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot read" in failure(tmp_path / "nothing.tflite", Kind.TFLITE)

    def fail(*_: object, **__: object) -> Tensor:
        raise MemoryError

    with monkeypatch.context() as small:
        small.setattr(interpreter, "Interpreter", fail)
        said = failure(FILES / "both.tflite", Kind.TFLITE)
        assert said.endswith("needs more memory than there is")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(LoadError, match=r"pip install 'relight\[tflite\]'"):
        load("both")
