"""TensorFlow SavedModels: their signature, what needs consent, and one sentence on failure."""

import functools
import os
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from api.modelfiles import Kind
from predictor import config, loader, tensorflow_model
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.protocol_v1 import CodecV1

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tf = pytest.importorskip("tensorflow", reason="make formats")

Save = Callable[..., Path]


@pytest.fixture(autouse=True)
def _environment_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "adopt", lambda _: None)  # the environment is pytest's


def answer(module: Any, x: Any) -> Any:
    return {"y": tf.matmul(x, module.w), "text": tf.strings.as_string(x, precision=1)}


def total(module: Any, any: Any) -> Any:  # noqa: A002 - the input's name
    return {"total": tf.reduce_sum(any)}


def upper(module: Any, t: Any) -> Any:
    return {"upper": tf.strings.upper(t), "first": tf.strings.upper(t[0])}


def ragged(module: Any, x: Any) -> Any:
    return {"y": x}


def same(module: Any, x: Any) -> Any:
    return {"y": x}


def brain(module: Any, x: Any) -> Any:
    return {"y": x + 1}


def narrow(module: Any, x: Any) -> Any:
    return {"y": tf.matmul(x, tf.ones((2, 1)))}


def writes(module: Any, path: Any) -> Any:
    with tf.control_dependencies([tf.io.write_file(path, "x")]):
        return {"y": tf.constant(1)}


def saves(module: Any, path: Any) -> Any:
    with tf.control_dependencies(
        [
            tf.raw_ops.SaveV2(
                prefix=path, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.ones(1)]
            )
        ]
    ):
        return {"y": tf.constant(1)}


TAKES = {
    answer: tf.TensorSpec([None, 2], tf.float32, name="x"),
    total: tf.TensorSpec(None, tf.float32, name="any"),
    upper: tf.TensorSpec([None], tf.string, name="t"),
    ragged: tf.RaggedTensorSpec([None, None], tf.float32),
    same: tf.TensorSpec([None], tf.complex64, name="x"),
    brain: tf.TensorSpec([None, 2], tf.bfloat16, name="x"),
    narrow: tf.TensorSpec([None, None], tf.float32, name="x"),
    saves: tf.TensorSpec([], tf.string, name="path"),
    writes: tf.TensorSpec([], tf.string, name="path"),
}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(**signatures: Any) -> Path:
        module = tf.Module()
        module.w = tf.Variable([[1.0], [2.0]])
        found = {}
        for key, function in (signatures or {"serving_default": answer}).items():
            bound = functools.partial(function, module)
            found[key] = tf.function(bound, input_signature=[TAKES[function]])
            setattr(module, f"function_{key}", found[key])
        path = tmp_path / "model"
        tf.saved_model.save(module, str(path), signatures=found)
        return path

    return write


def load(path: Path, *arguments: str) -> Loaded:
    settings = config.parse(["--model", str(path), *arguments], {})
    return tensorflow_model.open_model(path, Kind.SAVED_MODEL, settings)


def failure(path: Path, *arguments: str) -> str:
    with pytest.raises(LoadError) as caught:
        load(path, *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal(loaded: Loaded, feeds: dict[str, Any], status: int = 400) -> str:
    with pytest.raises(RequestError) as caught:
        loaded.run(feeds, None)
    assert caught.value.status == status
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_signature_is_served_row_by_row(save: Save) -> None:
    loaded = load(save(serving_default=answer, other=total))
    assert loaded.platform == "tensorflow_savedmodel"
    assert loaded.signature is not None
    inputs = [(one.name, one.datatype, one.shape) for one in loaded.signature.inputs]
    assert inputs == [("x", "FP32", (-1, 2))]
    outputs = [(one.name, one.datatype, one.shape) for one in loaded.signature.outputs]
    assert outputs == [("text", "BYTES", (-1, 2)), ("y", "FP32", (-1, 1))]
    assert loaded.facts == {
        "signature_name": "serving_default",
        "signature_names": ["other", "serving_default"],
        "device": "cpu",
    }
    codec = CodecV1(loaded.signature)
    for body in (b'{"instances":[[1,2],[3,4]]}', b'{"instances":[{"x":[1,2]},{"x":[3,4]}]}'):
        request = codec.decode(body)
        encoded = codec.encode(request, loaded.run(request.feeds, None))
        assert orjson.loads(encoded[-1]) == {
            "predictions": [
                {"text": ["1.0", "2.0"], "y": [5.0]},
                {"text": ["3.0", "4.0"], "y": [11.0]},
            ]
        }
    with pytest.raises(RequestError, match="unknown output 'z': the model gives text, y"):
        loaded.run({"x": np.ones((1, 2), np.float32)}, ("z",))


def test_text_goes_in_and_out(save: Save) -> None:
    found = load(save(serving_default=upper)).run({"t": np.array(["aé", b"b"], object)}, None)
    assert found["upper"].tolist() == ["Aé".encode(), b"B"]
    assert found["first"].shape == ()
    assert found["first"].tolist() == "Aé".encode()


def test_bfloat16(save: Save) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    loaded = load(save(serving_default=brain))
    found = loaded.run({"x": np.ones((1, 2), ml_dtypes.bfloat16)}, None)["y"]
    assert found.dtype.name == "bfloat16"
    assert found.astype(np.float32).tolist() == [[2.0, 2.0]]


def test_a_tensor_of_any_rank(save: Save) -> None:
    loaded = load(save(only=total))
    assert loaded.signature is None
    assert loaded.facts["of_any_rank"] == ["any"]
    assert loaded.facts["signature_name"] == "only"
    for array in (np.ones((2, 2, 2), np.float32), np.full(8, 1), np.array(8.0)):
        assert loaded.run({"any": array}, None)["total"].tolist() == 8.0
    assert loaded.run({"instances": np.ones(3)}, None)["total"].tolist() == 3.0
    assert "missing input 'any'" in refusal(loaded, {})
    assert "unknown input 'b'" in refusal(loaded, {"any": np.ones(1), "b": np.ones(1)})
    assert "expected datatype FP32, got BYTES" in refusal(loaded, {"any": np.array(["a"], object)})


def test_signatures_that_can_not_be_served(save: Save, tmp_path: Path) -> None:
    assert "output 'y' of serving_default is ragged, sparse or composite" in failure(
        save(serving_default=ragged)
    )
    assert "is complex64, which the V2 protocol" in failure(save(serving_default=same))
    several = save(a=answer, b=total)
    assert "has signatures a, b, and no serving_default to serve: name one" in failure(several)
    assert load(several, "--signature-name", "b").facts["signature_name"] == "b"
    said = failure(several, "--signature-name", "c")
    assert said.endswith("has signatures a, b, and no c to serve")
    tf.saved_model.save(tf.Module(), str(tmp_path / "bare"))
    assert "has no signature to serve" in failure(tmp_path / "bare")


def test_operators_that_touch_files_need_consent(save: Save, tmp_path: Path) -> None:
    path, proof = save(serving_default=writes), tmp_path / "proof"
    said = failure(path)
    assert "uses WriteFile, which can read or write any file" in said
    assert 'relight.dev/trust-pickle: "true"' in said
    load(path, "--trust-pickle").run({"path": np.array(str(proof), object)}, None)
    assert proof.exists()  # it does write: the test can fail
    assert "uses SaveV2, which can" in failure(save(serving_default=saves))


def test_what_can_not_be_read_is_explained(save: Save, tmp_path: Path) -> None:
    path = save()
    graph = path / "saved_model.pb"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-40])
    assert "is cut short or damaged" in failure(path)
    graph.write_bytes(whole.replace(b"MatMul", b"MatMol"))
    assert "uses the operator MatMol, which this TensorFlow does not have" in failure(path)
    graph.write_bytes(whole)
    for file in (path / "variables").iterdir():
        file.unlink()
    assert "has lost a part of its variables" in failure(path)
    graph.unlink()
    assert "is no SavedModel" in failure(path)
    (path / "saved_model.pbtxt").touch()
    assert "is a SavedModel in text" in failure(path)


def test_input_the_graph_refuses_is_the_callers_fault(save: Save) -> None:
    said = refusal(load(save(serving_default=narrow)), {"x": np.ones((1, 3), np.float32)})
    assert said == "the model: Matrix size-incompatible: In[0]: [1,3], In[1]: [2,1]"


def _field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def _record(tensor: bytes, name: bytes = b"x") -> bytes:
    spec = _field(1, _field(3, b"serving_default"))
    request = spec + _field(2, _field(1, name) + _field(2, tensor))
    log = _field(6, _field(1, request))
    return struct.pack("<QI", len(log), 0) + log + b"\0\0\0\0"


def test_warm_up_requests_run_before_it_is_ready(
    save: Save, caplog: pytest.LogCaptureFixture
) -> None:
    path = save()
    file = path / "assets.extra/tf_serving_warmup_requests"
    file.parent.mkdir()
    tensor = tf.make_tensor_proto([[1.0, 2.0]]).SerializeToString()
    file.write_bytes(_record(tensor) * 2)
    with caplog.at_level("INFO"):
        load(path)
    assert "warmed by 2 requests" in caplog.text
    file.write_bytes(_record(tensor)[:-9])
    assert "is cut short or no TFRecord: record 1 is incomplete" in failure(path)
    file.write_bytes(_record(tf.make_tensor_proto([[1.0]]).SerializeToString()))
    assert "warm-up request 1 failed" in failure(path)


def test_threads_are_limited(save: Save) -> None:
    settings = config.parse(["--model", str(save()), "--threads", "2"], {})
    model = tensorflow_model.SavedModel(save(), settings)
    model.load()
    limits = model._session._config
    assert limits.intra_op_parallelism_threads == 2
    assert limits.inter_op_parallelism_threads == 1


def test_a_chord_is_heard_alike_in_every_format(tmp_path: Path) -> None:
    """basic-pitch, written by Keras of 2022: C4 and A4 are heard by SavedModel, ONNX, TFLite."""
    folder = Path(os.environ.get("RELIGHT_FORMATS", "")) / "models/basic_pitch"
    if not (folder / "nmp/saved_model.pb").is_file():
        pytest.skip("make formats fetches it")
    seconds = np.arange(43844) / 22050
    chord = sum(0.4 * np.sin(2 * np.pi * hertz * seconds) for hertz in (261.63, 440.0))
    heard = {}
    for name in ("nmp", "nmp.onnx", "nmp.tflite"):
        settings = config.parse(["--model", str(folder / name), "--cache-dir", str(tmp_path)], {})
        loaded = loader.load(settings)
        assert loaded.signature is not None
        feeds = {loaded.signature.inputs[0].name: chord.astype(np.float32).reshape(1, -1, 1)}
        # The strength of each key of a piano: of notes, and of where they begin.
        keys = [a[0].mean(0) for a in loaded.run(feeds, None).values() if a.shape[-1] == 88]
        assert [set((np.argsort(one)[-2:] + 21).tolist()) for one in keys] == [{60, 69}] * 2
        heard[name] = np.sort([one.max() for one in keys])
    assert heard["nmp"].tolist() == pytest.approx(heard["nmp.onnx"].tolist(), rel=0.01)
    assert heard["nmp"].tolist() == pytest.approx(heard["nmp.tflite"].tolist(), rel=0.01)


def test_a_model_of_tensorflow_1_reads_text(tmp_path: Path) -> None:
    """guesslang, an Estimator's: which language a source is in."""
    folder = Path(os.environ.get("RELIGHT_FORMATS", "")) / "models/guesslang"
    if not (folder / "saved_model.pb").is_file():
        pytest.skip("make formats fetches it")
    loaded = load(folder)
    sources = [
        "import os\ndef f(x):\n    return os.path.join(x)\n",
        "#include <stdio.h>\nint main(void){ }",
    ]
    found = loaded.run({"inputs": np.array(sources, object)}, None)
    best = found["scores"].argmax(1)
    assert [row[at] for row, at in zip(found["classes"], best, strict=True)] == [b"py", b"c"]
