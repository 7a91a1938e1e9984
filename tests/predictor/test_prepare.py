"""The process that prepares a model: what it leaves in the cache, and what it says."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from api.modelfiles import Kind
from predictor import config, prepare, prepared, preparing, trials
from predictor.apart import ApartError
from predictor.model_settings import Warmup
from predictor.onnx_model import open_model
from predictor.prepare import NotNowError
from predictor.prepared import Measure, Variant
from predictor.prepared_store import PreparedStore
from predictor.trials import Sizes
from tests.predictor.onnx_files import layers

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "layers.onnx"
    path.write_bytes(layers())
    return path


def entry(cache_dir: Path, key: str) -> prepared.Entry:
    found = PreparedStore(cache_dir).find(key, now_s=0.0)
    assert found is not None
    return found.entry


@pytest.mark.skipif(not trials.can_measure(), reason="this system does not tell of memory")
def test_from_a_model_to_one_that_is_loaded_from_the_cache(
    tmp_path: Path, plain: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(plain), "--cache-dir", str(tmp_path / "cache")]
    settings = config.parse(arguments, {"RELIGHT_MODEL_DIGEST": DIGEST})
    first = open_model(plain, Kind.ONNX, settings)
    assert first.facts["prepared"] is False
    wanted = preparing.look(plain, settings, runtime="1", provider="p")
    assert wanted is not None
    assert wanted.is_wanted
    wanted.prepare()
    written = entry(settings.cache_dir, wanted.key)
    # Which one is kept is the machine's mood; that all were tried and gave the answers is not.
    assert set(written.measured) == {each.value for each in Variant}
    assert all("fault" not in each for each in written.measured.values())
    assert written.is_final
    said = capfd.readouterr().err
    assert f"INFO predictor.prepare: {plain}" in said
    assert written.reason in said
    assert [path.name for path in (tmp_path / "cache/prepared").glob(".tmp-*")] == []
    again = preparing.look(plain, settings, runtime="1", provider="p")
    assert again is not None
    assert not again.is_wanted


def test_it_says_what_is_wrong_with_its_folder(tmp_path: Path, plain: Path) -> None:
    (tmp_path / "cache").touch()
    command = [sys.executable, "-m", "predictor.prepare", "--model", str(plain), "--key", "k"]
    found = subprocess.run(
        [*command, "--cache-dir", str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert found.returncode == 1
    assert f"{plain} is not prepared: [Errno 20] Not a directory" in found.stderr
    assert "Traceback" not in found.stderr


class Trials:
    """Costs that are told instead of measured, and files of a few bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.costs = dict.fromkeys(Variant, 1.0)
        self.faults: dict[Variant, str] = {}
        monkeypatch.setattr(trials, "sizes", lambda *_: Sizes(free=1, rows=(1,)))
        monkeypatch.setattr(trials, "write", self.write)
        monkeypatch.setattr(trials, "compare", self.compare)
        monkeypatch.setattr(trials, "measure", self.measure)

    def write(self, plain: Path, folder: Path, variant: Variant) -> None:
        assert plain.exists()
        (folder / prepared.GRAPH).write_text(variant.value)
        (folder / prepared.WEIGHTS).write_text(variant.value)

    def compare(self, plain: Path, graphs: Path, variant: Variant, found: Sizes) -> str:
        assert (plain.exists(), graphs.is_dir(), found.free) == (True, True, 1)
        return self.faults.get(variant, "")

    def measure(
        self, plain: Path, graphs: Path, variants: list[Variant], found: Sizes
    ) -> dict[Variant, Measure]:
        assert plain.exists()
        assert (graphs / "saved").is_dir()
        assert found.rows == (1,)
        return {
            each: Measure(
                load_ms=self.costs[each], run_ms=1.0, private_mib=self.costs[each], resident_mib=1.0
            )
            for each in variants
        }


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Trials:
    return Trials(monkeypatch)


def test_requests_stored_with_a_model_are_asked_too(
    told: Trials, tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told.costs
    asked: list[tuple[str, ...]] = []

    def sizes(_: Path, stored: tuple[Warmup, ...]) -> Sizes:
        asked.append(tuple(one.body.decode() for one in stored))
        return Sizes(free=1, rows=(1,))

    monkeypatch.setattr(trials, "sizes", sizes)
    folder = tmp_path / "model"
    folder.mkdir()
    path = plain.rename(folder / plain.name)
    (folder / "warmup.json").write_text('{"inputs":[]}')
    for named in (str(folder), f"file://{folder}", str(path), ""):
        words = ("--stored-with", named) if named else ()
        assert run(path, tmp_path / "cache", monkeypatch, *words) == 0
    assert asked == [('{"inputs": []}',), ('{"inputs": []}',), (), ()]


def test_the_best_is_kept(told: Trials, tmp_path: Path, plain: Path) -> None:
    told.costs = {
        Variant.PLAIN: 9.0,
        Variant.PACKED: 5.0,
        Variant.SAVED: 4.0,
        Variant.UNPACKED: 3.0,
    }
    entry, folder = prepare.prepare(plain, tmp_path)
    assert entry.variant is Variant.SAVED
    assert folder == tmp_path / "saved"
    assert entry.files.keys() == {prepared.GRAPH, prepared.WEIGHTS}
    assert entry.measured["packed"]["load_ms"] == 5.0


def test_what_answers_otherwise_is_not_even_measured(
    told: Trials, tmp_path: Path, plain: Path
) -> None:
    told.costs[Variant.PLAIN] = 9.0
    told.faults = {Variant.SAVED: "output 'y' differs", Variant.UNPACKED: "output 'y' differs"}
    entry, _ = prepare.prepare(plain, tmp_path)
    assert entry.variant is Variant.PACKED
    assert entry.measured["saved"] == {"fault": "output 'y' differs"}


def test_plain_is_better_is_written_down(told: Trials, tmp_path: Path, plain: Path) -> None:
    assert told.costs
    entry, folder = prepare.prepare(plain, tmp_path)
    assert entry.variant is Variant.PLAIN
    assert entry.reason.startswith("plain is better")
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("told")
def test_weights_beside_the_model_are_left_there(tmp_path: Path) -> None:
    path = tmp_path / "beside.onnx"
    onnx.save(onnx.load_from_string(layers()), path, save_as_external_data=True, location="weights")
    entry, _ = prepare.prepare(path, tmp_path)
    assert entry.reason == (
        "it is not prepared: its weights are in files beside it, and are mapped as they are"
    )
    assert entry.is_final


@pytest.mark.usefixtures("told")
def test_a_model_that_no_file_can_hold_is_not_prepared(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "SIZE_MAX_BYTES", 1000)
    assert "larger than an ONNX file can be" in prepare.prepare(plain, tmp_path)[0].reason


@pytest.mark.usefixtures("told")
def test_no_room_is_not_for_ever(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "_available_bytes", lambda: 1000)
    with pytest.raises(NotNowError, match="less memory is free than 6 times the model"):
        prepare.prepare(plain, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(prepare, "_DISK_RATIO", 10**12)
    with pytest.raises(NotNowError, match="less room is left in the cache"):
        prepare.prepare(plain, tmp_path)


@pytest.mark.parametrize(
    ("group", "folder", "limit", "used", "cached"),
    [
        ("0::/pod/c\n", "pod", "memory.max", "memory.current", "inactive_file"),
        (
            "9:cpu:/\n4:memory:/elsewhere\n0::/\n",
            "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
)
def test_a_control_group_bounds_it_with_its_replica(
    tmp_path: Path, group: str, folder: str, limit: str, used: str, cached: str
) -> None:
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:  800 kB\n")
    (proc / "self/cgroup").write_text(group)
    (groups / folder / "c").mkdir(parents=True)
    assert prepare._available_bytes(proc, groups) == 800 * 1024
    (groups / folder / limit).write_text("5000\n")
    (groups / folder / used).write_text("4000\n")
    (groups / folder / "memory.stat").write_text(f"anon 1\n{cached} 700\n")
    assert prepare._available_bytes(proc, groups) == 1700
    (groups / folder / used).write_text("9000\n")
    assert prepare._available_bytes(proc, groups) == 0
    (groups / folder / limit).write_text("max\n")
    assert prepare._available_bytes(proc, groups) == 800 * 1024
    assert prepare._available_bytes() > 0


def run(plain: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    class NoRehearsal:
        def in_zygote(self) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr(prepare, "Rehearsal", NoRehearsal)
    monkeypatch.setattr(prepare.os, "nice", lambda _: 0)
    monkeypatch.setattr(prepare.signal, "alarm", lambda _: 0)
    words = ["--model", str(plain), "--key", "k", "--cache-dir", str(cache_dir), *more]
    return prepare.main([*words, "--prepared-bytes-max", "200000"])


def test_what_failed_is_written_down_for_an_hour(
    told: Trials, tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise ApartError("the process was ended by SIGSEGV")

    monkeypatch.setattr(trials, "write", crash)
    assert told.costs
    assert run(plain, tmp_path, monkeypatch) == 0
    written = entry(tmp_path, "k")
    assert written.reason == "it could not be prepared: the process was ended by SIGSEGV"
    assert not written.is_final


def test_room_is_made_for_the_new_one(
    told: Trials,
    tmp_path: Path,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told.costs[Variant.PLAIN] = 9.0
    old = tmp_path / "prepared/old"
    old.mkdir(parents=True)
    (old / "weights.bin").write_bytes(np.zeros(100_000, np.uint8).tobytes())
    with caplog.at_level(logging.INFO):
        assert run(plain, tmp_path, monkeypatch) == 0
    assert entry(tmp_path, "k").variant is Variant.PACKED
    assert not old.exists()
    assert "1 prepared models went to make room" in caplog.text
