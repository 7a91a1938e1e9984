"""What a replica does with prepared models: it maps what is whole, and never fails for the rest."""

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from api.modelfiles import Kind
from predictor import config, onnx_model, prepared, preparing
from predictor.config import Settings
from predictor.errors import LoadError
from predictor.loaded import Loaded
from predictor.prepared import ENTRY, GRAPH, WEIGHTS, Entry, Variant
from predictor.prepared_store import PreparedStore
from predictor.preparing import Cached, look
from predictor.providers import CPU
from tests.predictor.onnx_files import layers, prepare

DIGEST = "sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def _any_load_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_model, "LOAD_MIN_MS", 0.0)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "layers.onnx"
    path.write_bytes(layers())
    return path


@pytest.fixture
def settings(tmp_path: Path, plain: Path) -> Settings:
    arguments = ["--model", str(plain), "--cache-dir", str(tmp_path / "cache")]
    return config.parse(arguments, {"RELIGHT_MODEL_DIGEST": DIGEST})


def opened(settings: Settings) -> Loaded:
    return onnx_model.open_model(Path(settings.model), Kind.ONNX, settings)


def key() -> str:
    return prepared.key(
        digest=DIGEST,
        runtime=onnxruntime.__version__,
        provider=CPU,
        processor=preparing.processor(),
    )


def answer(loaded: Loaded) -> Any:
    return loaded.run({"x": np.linspace(-1, 1, 1024, dtype=np.float32).reshape(2, 512)}, None)["y"]


@pytest.mark.parametrize("variant", [each for each in Variant if each is not Variant.PLAIN])
def test_what_is_prepared_is_loaded_and_answers_alike(
    settings: Settings, plain: Path, variant: Variant
) -> None:
    first = opened(settings)
    assert first.facts["prepared"] is False
    assert first.prepare is not None
    folder = prepare(plain, settings.cache_dir, key(), variant=variant)
    second = opened(settings)
    assert second.facts["prepared"] is True
    assert second.prepare is None
    assert second.signature == first.signature
    assert second.provider == CPU
    np.testing.assert_allclose(answer(second), answer(first), rtol=1e-4, atol=1e-5)
    assert str(folder / WEIGHTS) in Path("/proc/self/maps").read_text()


def cut_graph(folder: Path) -> None:
    os.truncate(folder / GRAPH, 100)  # before it is hashed: whole for us, none for ONNX Runtime


def test_what_can_not_be_opened_goes_and_the_plain_model_is_loaded(
    settings: Settings, plain: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = prepare(plain, settings.cache_dir, key(), damage=cut_graph)
    loaded = opened(settings)
    assert loaded.facts["prepared"] is False
    assert loaded.prepare is None  # or it would be made again for ever
    assert not folder.exists()
    assert "a prepared model is given up, it can not be opened" in caplog.text


def test_what_is_damaged_goes_and_is_made_again(
    settings: Settings, plain: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = prepare(plain, settings.cache_dir, key())
    os.truncate(folder / WEIGHTS, 100)
    loaded = opened(settings)
    assert loaded.facts["prepared"] is False
    assert loaded.prepare is not None
    assert not folder.exists()
    assert "weights.bin is not as large as it was written" in caplog.text


def test_what_was_evicted_meanwhile_is_no_damage(
    settings: Settings, plain: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = prepare(plain, settings.cache_dir, key())
    cached = look(plain, settings, runtime=onnxruntime.__version__, provider=CPU)
    assert cached is not None
    PreparedStore(settings.cache_dir).discard(folder.name)
    assert cached.failed("there is no such file").path is None
    assert caplog.text == ""


def note(settings: Settings, *, is_final: bool, age_s: float) -> None:
    store = PreparedStore(settings.cache_dir)
    store.root.mkdir(parents=True, exist_ok=True)
    entry = Entry(variant=Variant.PLAIN, reason="plain is better", is_final=is_final)
    store.place(store.workspace(), key(), entry)
    path = store.root / key() / ENTRY
    then_s = path.stat().st_mtime - age_s
    os.utime(path, (then_s, then_s))


@pytest.mark.parametrize(
    ("is_final", "age_s", "is_wanted"),
    [(True, 10_000, False), (False, 100, False), (False, 10_000, True)],
)
def test_nobody_tries_again_where_plain_is_better(
    settings: Settings, *, is_final: bool, age_s: float, is_wanted: bool
) -> None:
    note(settings, is_final=is_final, age_s=age_s)
    loaded = opened(settings)
    assert loaded.facts["prepared"] is False
    assert (loaded.prepare is not None) is is_wanted


def changed(settings: Settings, *more: str, digest: str = DIGEST) -> Settings:
    arguments = ["--model", settings.model, "--cache-dir", str(settings.cache_dir), *more]
    return config.parse(arguments, {"RELIGHT_MODEL_DIGEST": digest} if digest else {})


def test_it_can_be_off_and_needs_a_digest(settings: Settings, plain: Path) -> None:
    prepare(plain, settings.cache_dir, key())
    for other in (changed(settings, "--prepared", "off"), changed(settings, digest="")):
        loaded = opened(other)
        assert loaded.facts["prepared"] is False
        assert loaded.prepare is None
    assert opened(changed(settings, digest="sha256:" + "b" * 64)).facts["prepared"] is False


def test_a_small_model_is_not_looked_for(
    settings: Settings, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "SIZE_MIN_BYTES", plain.stat().st_size + 1)
    assert look(plain, settings, runtime="1", provider=CPU) is None


def test_a_fast_load_is_not_made_faster(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "LOAD_MIN_MS", 1e9)
    assert opened(settings).prepare is None


def test_a_broken_model_is_told_as_itself(settings: Settings, plain: Path) -> None:
    plain.write_bytes(layers()[:-100])
    with pytest.raises(LoadError, match=f"{plain} is cut short or damaged"):
        opened(settings)


def test_a_folder_that_can_not_be_written_is_told(
    settings: Settings, plain: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.cache_dir.touch()
    Cached(plain=plain, key=key(), settings=settings).prepare()
    assert f"no model is prepared in {settings.cache_dir}/prepared: Not a directory" in caplog.text


def test_one_prepares_a_model(
    settings: Settings,
    plain: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    commands: list[list[str]] = []
    store = PreparedStore(settings.cache_dir)

    class Process:
        def __init__(self, command: list[str], *, env: dict[str, str], **more: Any) -> None:
            commands.append(command)
            (self.held,) = more["pass_fds"]
            assert os.fstat(self.held)
            assert env["ORT_DISABLE_TELEMETRY"] == "1"

        def wait(self) -> None:
            assert store.root.is_dir()

    monkeypatch.setattr(preparing.subprocess, "Popen", Process)
    cached = Cached(plain=plain, key=key(), settings=settings)
    held = store.lock(cached.key)
    assert held is not None
    cached.prepare()
    assert commands == []
    os.close(held)
    note(settings, is_final=True, age_s=0)
    cached.prepare()
    assert commands == [], "it was prepared since this one was loaded"
    store.discard(cached.key)
    cached.prepare()
    ((_, _, _, *flags),) = commands
    assert dict(zip(flags[::2], flags[1::2], strict=True)) == {
        "--model": str(plain),
        "--stored-with": str(plain),
        "--key": cached.key,
        "--cache-dir": str(settings.cache_dir),
        "--prepared-bytes-max": str(8 * 1024**3),
    }


def test_processors_differ_by_what_they_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(preparing, "_CPU_INFO", file)

    def of(text: str) -> str:
        file.write_text(text)
        preparing.processor.cache_clear()
        return preparing.processor()

    try:
        intel = of("processor : 0\nflags\t\t: fpu avx2\n\nprocessor : 1\n")
        assert of("processor : 0\nflags\t\t: avx2 fpu\nbugs : x\n") == intel
        assert of("processor : 0\nflags\t\t: avx2 fpu avx512f\n") != intel
        assert of("processor : 0\nFeatures\t: asimd sve\n") != of("processor : 0\n")
        file.unlink()
        preparing.processor.cache_clear()
        assert preparing.processor() == of("processor : 0\n")
    finally:
        preparing.processor.cache_clear()
