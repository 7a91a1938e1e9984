import subprocess
import sys
import threading
from pathlib import Path

import pytest

from api.model_reports import FoundModel, parse
from predictor import fetch_step
from tests.predictor.fetch_servers import File, serving
from tests.predictor.test_fetching import DIGEST, LARGE, MODEL

ROOT = Path(__file__).parent.parent.parent
DEADLINE_S = 30.0


def test_it_says_what_it_found(tmp_path: Path) -> None:
    report = tmp_path / "termination-log"
    model = tmp_path / "m.onnx"
    model.write_bytes(MODEL)
    flags = ["--model", str(model), "--cache", str(tmp_path), "--report", str(report)]
    assert fetch_step.main(flags) == 0
    assert parse(report.read_text()) == FoundModel(digest=DIGEST, size_bytes=len(MODEL))


def test_or_in_a_sentence_why_not(tmp_path: Path) -> None:
    report = tmp_path / "termination-log"
    flags = ["--model", str(tmp_path / "no.onnx"), "--report", str(report), "--form", "text"]
    assert fetch_step.main(flags) == 1
    assert report.read_text() == f"model {tmp_path / 'no.onnx'} does not exist"


def test_wrong_arguments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fetch_step.main(["--model", "a", "--python", "b.py"])
    assert "not allowed with" in capsys.readouterr().err


def test_it_ends_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    go_on, came = threading.Event(), threading.Event()

    def hold() -> None:
        came.set()
        go_on.wait(DEADLINE_S)

    with serving() as server:
        server.files["/m.onnx"] = File(LARGE, before=hold)
        command = [sys.executable, "-m", "predictor.fetch_step", "--cache", str(tmp_path)]
        with subprocess.Popen([*command, "--model", f"{server.url}/m.onnx"], cwd=ROOT) as child:
            assert came.wait(DEADLINE_S)
            child.terminate()
            assert child.wait(DEADLINE_S) == 143
        go_on.set()
