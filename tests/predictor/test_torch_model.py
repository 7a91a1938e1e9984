"""PyTorch: scripts, exports and pickles; what needs consent runs nothing without it."""

import logging
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from api.modelfiles import Kind
from predictor import config, torch_model
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.protocol_v1 import CodecV1

torch = pytest.importorskip("torch", reason="make formats")

Save = Callable[..., Path]


class Two(torch.nn.Module):
    """Two inputs, two outputs by name; the third is optional in TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        with torch.no_grad():
            self.linear.weight.fill_(1.0)
            self.linear.bias.fill_(0.5)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"y": self.linear(x) * scale, "total": x.sum(1)}


class Pair(torch.nn.Module):
    """A tuple of outputs, the second of them halved in precision."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x + 1, x.to(torch.bfloat16)


class Writes(torch.nn.Module):
    """What an attacker would script: it writes a file while it is loaded."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.path, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.path = state[0]
        self.training = state[1]
        torch.save(torch.ones(1), self.path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Payload:
    """What an attacker would pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(module: Any, name: str = "model.pt", *, how: str = "script") -> Path:
        path = tmp_path / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if how == "script":
                torch.jit.save(torch.jit.script(module.eval()), str(path))
            else:
                torch.save(module, path)
        return path

    return write


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.pt2"
    rows = {0: torch.export.Dim("rows")}
    given = (torch.ones(2, 3), torch.ones(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = {"x": rows, "scale": None}
        torch.export.save(torch.export.export(Two().eval(), given, dynamic_shapes=shapes), path)
    return path


def load(path: Path, *arguments: str, kind: Kind = Kind.TORCHSCRIPT) -> Loaded:
    settings = config.parse(["--model", str(path), *arguments], {})
    return torch_model.open_model(path, kind, settings)


def failure(path: Path, *arguments: str) -> str:
    with pytest.raises(LoadError) as caught:
        load(path, *arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


FEEDS = {"x": np.ones((2, 3), np.float32), "scale": np.array([2.0], np.float32)}


def check(loaded: Loaded, feeds: dict[str, Any]) -> None:
    found = loaded.run(feeds, None)
    assert list(found) == ["y", "total"]
    assert found["y"].tolist() == [[7.0, 7.0], [7.0, 7.0]]
    assert found["total"].dtype == np.float32


def test_a_script_takes_its_own_names_and_tritons(save: Save) -> None:
    loaded = load(save(Two()))
    assert loaded.platform == "pytorch_torchscript"
    assert loaded.facts == {"device": "cpu", "forward_arguments": ["x", "scale"]}
    check(loaded, FEEDS)
    check(loaded, {"scale": FEEDS["scale"], "x": FEEDS["x"].astype(np.float64)})
    check(loaded, {"INPUT__1": FEEDS["scale"], "INPUT__0": FEEDS["x"]})
    for array in FEEDS.values():  # as they come off the wire: nobody may write to them
        array.flags.writeable = False
    check(loaded, FEEDS)


def test_an_export_knows_every_tensor(exported: Path) -> None:
    loaded = load(exported, "--trust-pickle", kind=Kind.TORCH_EXPORT)
    assert loaded.platform == "pytorch_export"
    assert loaded.signature is not None
    inputs = [(one.name, one.datatype, one.shape) for one in loaded.signature.inputs]
    assert inputs == [("x", "FP32", (-1, 3)), ("scale", "FP32", (1,))]
    outputs = [(one.name, one.datatype, one.shape) for one in loaded.signature.outputs]
    assert outputs == [("y", "FP32", (-1, 2)), ("total", "FP32", (-1,))]
    check(loaded, FEEDS)


def test_a_module_in_a_pickle_is_served_with_consent(save: Save) -> None:
    loaded = load(save(Two(), how="pickle"), "--trust-pickle")
    assert loaded.platform == "pytorch_eager"
    check(loaded, FEEDS)


def test_instances_of_v1_become_what_the_weights_are(save: Save) -> None:
    loaded = load(save(torch.nn.Linear(2, 1)))
    codec = CodecV1(loaded.signature)
    for body in (b'{"instances":[[1,2]]}', b'{"instances":[[1.5,2]]}'):
        request = codec.decode(body)
        assert loaded.run(request.feeds, None)["OUTPUT__0"].dtype == np.float32
    looked_up = load(save(torch.nn.Sequential(torch.nn.Embedding(4, 2), torch.nn.Linear(2, 1))))
    request = codec.decode(b'{"instances":[[1,2]]}')
    assert looked_up.run(request.feeds, None)["OUTPUT__0"].shape == (1, 2, 1)


def test_tuples_and_short_floats(save: Save) -> None:
    found = load(save(Pair())).run({"x": np.ones((2, 1), np.float16)}, ("OUTPUT__0",))
    assert list(found) == ["OUTPUT__0", "OUTPUT__1"]
    assert found["OUTPUT__0"].dtype == np.float16
    assert found["OUTPUT__1"].dtype.name == "bfloat16"
    again = load(save(Pair())).run({"x": found["OUTPUT__1"]}, None)
    assert again["OUTPUT__0"].astype(np.float32).tolist() == [[2.0], [2.0]]


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model"])
def test_a_pickle_is_not_run_without_consent(tmp_path: Path, name: str) -> None:
    proof = tmp_path / "proof"
    path = tmp_path / name
    torch.save(Payload(proof), path)
    said = failure(path)
    assert "is a pickle, which can run any code" in said
    assert 'relight.dev/trust-pickle: "true"' in said
    assert not proof.exists()
    assert "holds no module" in failure(path, "--trust-pickle")
    assert proof.exists()  # the payload works: the test can fail


def test_an_export_is_not_opened_without_consent(exported: Path, tmp_path: Path) -> None:
    proof, path = tmp_path / "proof", tmp_path / "m.pt2"
    torch.save(Payload(proof), tmp_path / "payload")
    with zipfile.ZipFile(exported) as given, zipfile.ZipFile(path, "w") as out:
        for one in given.infolist():
            is_sample = "sample_inputs" in one.filename
            data = (tmp_path / "payload").read_bytes() if is_sample else given.read(one)
            out.writestr(one.filename.replace("model/", "m/", 1), data)
    assert "is a torch.export program, which can run any code" in failure(path)
    assert not proof.exists()
    failure(path, "--trust-pickle")
    assert proof.exists()


def test_a_script_that_writes_files_needs_consent(save: Save, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    path = save(Writes(str(proof)))
    proof.unlink(missing_ok=True)
    assert "names save in its code, which can read or write files" in failure(path)
    assert not proof.exists()
    load(path, "--trust-pickle")
    assert proof.exists()


def test_weights_alone_are_told_from_a_model(save: Save) -> None:
    path = save(Two().state_dict(), how="pickle")
    for arguments in ((), ("--trust-pickle",)):
        said = failure(path, *arguments)
        assert "holds weights alone (a state_dict of 2 tensors)" in said


def test_what_can_not_be_read_is_explained(save: Save, tmp_path: Path) -> None:
    path = save(Two())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "cut short or damaged" in failure(path)
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as given:
        files = {one.filename: given.read(one) for one in given.infolist()}
    with zipfile.ZipFile(path, "w") as out:
        for name, data in files.items():
            out.writestr(name, data.replace(b"torch.mul(", b"torch.lum("))
    assert "cannot be loaded with torch" in failure(path)
    assert "cannot read" in failure(tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"x": FEEDS["x"]}, "missing input 'scale': the model takes x, scale, got x"),
        (FEEDS | {"more": FEEDS["x"]}, "unknown input 'x': the model takes x, scale (or INPUT__0"),
        (FEEDS | {"x": np.ones((2, 4), np.float32)}, "the model: mat1 and mat2 shapes cannot be"),
        (FEEDS | {"x": np.array([["a"]], object)}, "input 'x': expected datatype numbers"),
        ({}, "missing input 'x': the model takes x, scale, got none"),
    ],
)
def test_a_bad_request_is_the_callers_fault(save: Save, feeds: Any, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        load(save(Two())).run(feeds, None)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == 400


def test_outputs_nobody_gives_are_refused(save: Save) -> None:
    with pytest.raises(RequestError, match="unknown output 'z': the model gives y, total"):
        load(save(Two())).run(dict(FEEDS), ("z",))


def test_a_gpu_that_is_not_there_is_told(
    save: Save, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "inherited", lambda: {"CUDA_VISIBLE_DEVICES": "0"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        load(save(Two()))
    assert "CUDA_VISIBLE_DEVICES=0 and torch sees no GPU" in caplog.text


def test_threads_are_limited(save: Save) -> None:
    load(save(Two()), "--threads", "2")
    assert torch.get_num_threads() == 2
    load(save(Two()))
    assert torch.get_num_threads() == 1
    assert orjson.dumps(load(save(Two())).facts)
