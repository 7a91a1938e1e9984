"""Libraries imported before a fork: no thread is left, and a child that loads a model answers."""

import importlib
import json
import math
import re
import signal
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from predictor import forking, importing, libraries, library_threads
from predictor.errors import LoadError
from tests.predictor.talking import Client, request
from tests.predictor.zygotes import Platform, platform

DATA = Path(__file__).parents[2].parent / "shared/data/kserve"
TFLITE = Path(__file__).parent / "tflite_files/both.tflite"
Make = Callable[[Path], Path]


class Libraries(Platform):
    """The control socket of a zygote with libraries, which the zygote `it` forked."""

    def __init__(self, it: Platform, name: str, packages: list[str]) -> None:
        self.folder, self.process, self.replicas = it.folder, it.process, it.replicas
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(60)
        message = {"kind": "libraries", "packages": packages, "spares": 0}
        with theirs:
            self.own = it._start(name, it.folder / "t", [theirs.fileno()], {}, message)
        it.started(self.own)


def kserves(name: str) -> Make:
    def made(folder: Path) -> Path:
        del folder
        if not (DATA / name).exists():
            pytest.skip("no ../shared here")
        return DATA / name

    return made


def estimator(folder: Path) -> Path:
    """One that starts OpenMP's threads."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    path = folder / "m.joblib"
    model = ensemble.HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1)
    importlib.import_module("joblib").dump(model.fit([[0.0] * 4, [5.0] * 4], [0, 1]), path)
    return path


def document(folder: Path) -> Path:
    path = folder / "m.pfa"
    whole = {"type": "array", "items": "double"}
    body = {"input": whole, "output": "double", "action": {"a.sum": "input"}}
    path.write_text(json.dumps(body))
    return path


def script(folder: Path) -> Path:
    torch = pytest.importorskip("torch")
    path = folder / "m.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(4, 3).eval()), str(path))
    return path


def exported(folder: Path) -> Path:
    torch = pytest.importorskip("torch")
    path = folder / "m.pt2"
    torch.export.save(torch.export.export(torch.nn.Linear(4, 3).eval(), (torch.ones(1, 4),)), path)
    return path


def saved(folder: Path) -> Path:
    tf = pytest.importorskip("tensorflow")
    module = tf.Module()
    spec = tf.TensorSpec((None, 4), tf.float32, name="x")
    module.f = tf.function(lambda x: {"y": x + 1.0}, input_signature=[spec])
    tf.saved_model.save(module, str(folder / "m"), signatures={"serving_default": module.f})
    return folder / "m"


def texts(folder: Path) -> Path:
    pytest.importorskip("transformers")
    from tests.predictor import transformers_made

    return transformers_made.bert(folder / "m", "BertForSequenceClassification")


CASES: list[tuple[str, Make, str]] = [  # a set, its model, its files as /proc has them
    ("sklearn", estimator, r"/sklearn/.*\.so"),
    ("xgboost", kserves("xgboost/model.ubj"), r"/libxgboost\.so"),
    ("lightgbm", kserves("lightgbm/model.bst"), r"/lib_lightgbm\.so"),
    ("pmml", kserves("pmml/model.pmml"), ""),
    ("pfa", document, ""),
    ("tflite", lambda _: TFLITE, r"/ai_edge_litert/.*\.so"),
    ("torch", script, r"/libtorch_python\.so"),
    ("torch-export", exported, r"/libtorch_python\.so"),
    ("tensorflow", saved, r"/libtensorflow_cc\.so"),
    ("huggingface", texts, r"/libtorch_python\.so"),
]


def asking(metadata: Any) -> bytes:
    """A request with a row of whatever it takes."""
    tensors = []
    for spec in metadata["inputs"]:
        shape = [1, *(4 if size < 0 else size for size in spec["shape"][1:])]
        value: Any = "fox" if spec["datatype"] == "BYTES" else 1
        named = {"name": spec["name"], "shape": shape, "datatype": spec["datatype"]}
        tensors.append({**named, "data": [value] * math.prod(shape)})
    unknown = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1.0] * 4}
    return json.dumps({"inputs": tensors or [unknown]}).encode()


def needed(*packages: str) -> None:
    """Looks without importing: what a zygote imports is no business of the test's process."""
    for package in packages:
        if find_spec(package.partition(".")[0]) is None:
            pytest.skip(f"{package} is not installed")


def shared_kib(pid: int, files: str) -> int:
    """How much of what some files' libraries wrote is one with another process's."""
    found, is_one = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_one = bool(re.search(files, line))
        elif is_one and line.startswith("Shared_Dirty:"):
            found += int(line.split()[1])
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch of its own, tf of numpy
@pytest.mark.parametrize(("name", "make", "files"), CASES, ids=[case[0] for case in CASES])
def test_a_child_of_what_imported_it_answers(
    short_path: Path, name: str, make: Make, files: str
) -> None:
    packages = list(libraries.SETS[name])
    needed(*packages)
    model = make(short_path)
    with platform(short_path, spares=0) as it:
        zygote = Libraries(it, name, packages)
        assert zygote.event()["event"] == "zygote-ready", zygote.own.log.read_text()
        flags = ["--model-name", "m", "--trust-pickle", "--threads", "2"]
        replica = zygote.start("--model", str(model), *flags)
        client = Client(replica.path)
        metadata = client.ask(request("GET", "/v2/models/m")).json
        asked = request("POST", "/v2/models/m/infer", asking(metadata))
        answer = client.ask(asked)
        assert answer.status == 200, answer.body
        client.close()
        pid = zygote.started(replica)
        assert Path(f"/proc/{pid}/stat").read_text().split()[3] == str(zygote.own.pid)
        assert not files or shared_kib(pid, files) > 0
        zygote.say(op="signal", id=replica.id, signal=signal.SIGTERM)
        assert zygote.event()["code"] == 0
        zygote.control.close()
        it.say(op="signal", id=name, signal=signal.SIGTERM)
        assert it.event()["event"] == "exited"


def test_the_flag_imports_what_a_message_does(short_path: Path) -> None:
    needed("titus")
    with platform(short_path, spares=0, packages="titus") as it:
        replica = it.start("--model", str(document(short_path)), "--model-name", "m")
        client = Client(replica.path)
        assert client.ask(request("GET", "/v2/models/m")).json["platform"] == "pfa"
        client.close()
        it.started(replica)


def test_one_that_can_not_be_says_why(short_path: Path) -> None:
    with platform(short_path, spares=0) as it:
        zygote = Libraries(it, "x", ["no.such"])
        assert it.event() == {"event": "exited", "id": "x", "code": 1, "signal": None}
        assert "no.such is a library of no format" in zygote.own.fact()["failed"]
        zygote.control.close()


def test_a_package_that_is_missing_or_broken_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "_ours", lambda _: ())
    found = importlib.import_module

    def fails(error: Exception) -> None:
        def imported(name: str) -> Any:
            if name in libraries.PACKAGES:
                raise error
            return found(name)

        monkeypatch.setattr(importlib, "import_module", imported)

    fails(ModuleNotFoundError("no", name="xgboost"))
    with pytest.raises(LoadError, match=r"pip install 'relight\[xgboost\]'"):
        importing.import_ahead(["xgboost"])
    fails(AttributeError("np.float_"))
    with pytest.raises(LoadError, match=r"xgboost cannot be imported: AttributeError: np.float_"):
        importing.import_ahead(["xgboost"])


def test_one_that_leaves_threads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsafe() -> None:
        raise forking.UnsafeForkError("3 threads")

    monkeypatch.setattr(importing, "_import", lambda _: None)
    monkeypatch.setattr(importing, "_ours", lambda _: ())
    monkeypatch.setattr(library_threads, "remember", lambda: None)
    monkeypatch.setattr(forking, "check_safe", unsafe)
    with pytest.raises(LoadError, match="importing torch leaves threads running"):
        importing.import_ahead(["torch"])


def test_a_rehearsal_that_fails_is_told_and_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise TypeError("another version")

    monkeypatch.setattr(importing, "_import", lambda _: None)
    monkeypatch.setattr(importing, "_ours", lambda _: ())
    monkeypatch.setattr(importing, "_rehearse", fails)
    monkeypatch.setattr(library_threads, "remember", lambda: None)
    monkeypatch.setattr(forking, "check_safe", lambda: None)
    importing.import_ahead(["sklearn"])
    assert "another version" in caplog.text
