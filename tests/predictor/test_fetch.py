import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from predictor import fetch
from tests.predictor.fetch_servers import File, serving
from tests.predictor.test_fetching import DIGEST, LARGE, MODEL, left

ROOT = Path(__file__).parent.parent.parent
DEADLINE_S = 30.0


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "predictor.fetch", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return dict(lines[-1])


def test_its_last_line_is_where_the_model_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(m__onnx=MODEL) as server:
        assert fetch.main([f"{server.url}/m.onnx", "--cache", str(tmp_path)]) == 0
    found = said(capsys)
    assert found["digest"] == DIGEST
    assert Path(found["done"]).read_bytes() == MODEL


def test_or_why_it_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = ("--cache", str(tmp_path))
    with serving() as server:
        assert fetch.main([f"{server.url}/m.onnx", *cache]) == 1
        found = said(capsys)
        assert found["final"] is False  # somebody may put it there
        assert "there is nothing (HTTP 404)" in found["failed"]
    assert fetch.main(["ftp://h/m", *cache]) == 1
    found = said(capsys)
    assert "is not fetched" in found["failed"]
    assert found["final"] is True
    assert fetch.main(["s3://b/m", *cache, "--digest", "md5:1"]) == 1
    assert "--digest: expected" in said(capsys)["failed"]
    (tmp_path / "file").write_text("not a folder")
    assert fetch.main(["http://h/m", "--cache", str(tmp_path / "file")]) == 1
    assert said(capsys)["final"] is False


def test_killed_in_the_middle_nothing_half_is_found_and_the_next_goes_on(tmp_path: Path) -> None:
    waiting, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        if len(server.gets) > 1:  # not the look
            waiting.set()
            go_on.wait(DEADLINE_S)

    with serving(m__onnx=LARGE) as server:
        uri, cache = f"{server.url}/m.onnx", ("--cache", str(tmp_path))
        held = server.files["/m.onnx"]
        held.before = hold
        killed = process(uri, *cache)
        assert waiting.wait(DEADLINE_S)
        part = _until_some_of_it_came(tmp_path)
        os.kill(killed.pid, signal.SIGKILL)
        killed.communicate()
        go_on.set()
        size = part.stat().st_size
        assert 0 < size < len(LARGE)
        assert left(tmp_path) == ["0.part", "plan.json"]
        assert not list((tmp_path / "models").glob("sha256-*"))
        held.before = None
        out, _ = process(uri, *cache).communicate(timeout=DEADLINE_S)
        path = Path(json.loads(out.splitlines()[-1])["done"])
        assert path.read_bytes() == LARGE
        assert server.gets[-1].headers["range"] == f"bytes={size}-"
    assert left(tmp_path) == ["m.onnx"]


def _until_some_of_it_came(cache: Path) -> Path:
    ends_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends_s:
        for part in (cache / "models/partial").glob("*/0.part"):
            if part.stat().st_size:
                return part
        time.sleep(0.01)
    raise AssertionError("nothing came")


def test_a_head_that_never_ends_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}/m.onnx"
        asked = process(uri, "--cache", str(tmp_path), "--timeout", "1")
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            ends_s = time.monotonic() + DEADLINE_S
            while asked.poll() is None and time.monotonic() < ends_s:
                with contextlib.suppress(OSError):
                    connection.sendall(b"x")
                time.sleep(0.01)
        out, _ = asked.communicate(timeout=DEADLINE_S)
    last = json.loads(out.splitlines()[-1])
    assert last == {"failed": f"{uri} was not fetched within 1 s", "final": False}


def test_progress_is_told_and_what_is_held_is_read_from_stdin(tmp_path: Path) -> None:
    go_on = threading.Event()

    def hold() -> None:
        if len(server.gets) > 1:
            go_on.wait(DEADLINE_S)

    with serving(m__onnx=File(LARGE, before=hold)) as server:
        child = process(f"{server.url}/m.onnx", "--cache", str(tmp_path), "--keep", "-")
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(DIGEST)
        child.stdin.close()
        line: dict[str, Any] = {"bytes": 0}
        while not line["bytes"]:
            line = json.loads(child.stdout.readline())
        go_on.set()
        assert line == {"bytes": len(LARGE) // 2, "total": len(LARGE), "file": "m.onnx"}
        assert "done" in child.stdout.read().splitlines()[-1]
        assert child.wait(DEADLINE_S) == 0
        child.stdout.close()


def test_who_serves_imports_nothing_that_fetches() -> None:
    code = (
        "import sys, predictor.zygote, predictor.__main__\n"
        "found = [n for n in sys.modules if n.partition('.')[0] in "
        "('fsspec', 's3fs', 'gcsfs', 'aiobotocore', 'huggingface_hub')]\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
