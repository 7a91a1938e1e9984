"""The Java process of a PMML model: it starts, answers, is replaced, and never stays behind."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor.errors import LoadError, RequestError
from predictor.pmml_java import JavaEngine
from tests.predictor.pmml_documents import LINEAR

pytest.importorskip("pypmml", reason="pip install 'relight[pmml]'")
JAVA = shutil.which("java") or ""
needs_java = pytest.mark.skipif(not JAVA, reason="Java is not here")
ROWS = [{"a": 1.0, "b": 2.0}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.pmml"
    path.write_text(LINEAR)
    return path


@pytest.fixture
def engine(path: Path) -> Iterator[JavaEngine]:
    engine = JavaEngine(path, JAVA, threads=1, target="y")
    engine.start()
    yield engine
    engine.stop()


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_there(pid):
        assert time.monotonic() < deadline, f"Java {pid} stays behind"
        time.sleep(0.02)


@needs_java
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_process_that_ends_is_replaced(engine: JavaEngine) -> None:
    assert engine.evaluate(ROWS)[0]["y"] == 2.5
    first = engine.process_id
    os.kill(first, signal.SIGKILL)
    wait_until_gone(first)
    with pytest.raises(RequestError, match="its Java process ended") as caught:
        engine.evaluate(ROWS)
    assert caught.value.status == 500
    assert engine.evaluate(ROWS)[0]["y"] == 2.5
    assert engine.process_id != first
    del caught  # whose traceback holds py4j's socket to the process that ended
    gc.collect()


@needs_java
def test_it_does_not_outlive_a_replica_that_is_killed(path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from predictor.pmml_java import JavaEngine\n"
        "engine = JavaEngine(Path(sys.argv[1]), sys.argv[2], threads=1, target='y')\n"
        "engine.start(); print(engine.process_id, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(path), JAVA]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        java = int(process.stdout.readline())
        assert is_there(java)
        process.kill()
    wait_until_gone(java)


@needs_java
def test_its_memory_is_half_of_what_the_replica_may_have(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (512 << 20, 512 << 20))
    engine = JavaEngine(path, JAVA, threads=1, target="y")
    engine.start()
    command = Path(f"/proc/{engine.process_id}/cmdline").read_bytes().split(b"\0")
    engine.stop()
    assert f"-Xmx{256 << 20}".encode() in command
    assert b"--enable-auth" in command  # nobody else on this machine runs code in it


def test_a_java_that_stands_still_is_ended(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexec sleep 600\n")
    java.chmod(0o755)
    monkeypatch.setattr("predictor.pmml_java._START_S", 0.05)
    with pytest.raises(LoadError, match="did not start: no word of it"):
        JavaEngine(path, str(java), threads=1, target="y").start()


def test_a_java_that_does_not_start_is_said(path: Path, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'Error: no room' >&2\nexit 1\n")
    java.chmod(0o755)
    with pytest.raises(LoadError, match="did not start: Error: no room"):
        JavaEngine(path, str(java), threads=1, target="y").start()
