"""Other people's programs, unchanged, against `relight up`: curl, `mlserver infer`."""

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from examples.running import Platform
from tests.clients.conftest import DEADLINE_S, FAHRENHEIT

pytestmark = pytest.mark.e2e

NAME = "programs"
TENSOR = {"name": "celsius", "datatype": "FP32", "shape": [1, 1], "data": [100]}
BODY = json.dumps({"inputs": [TENSOR]}).encode()
INFER = f"/v2/models/{NAME}/infer"

Curl = Callable[..., tuple[Any, str]]


@pytest.fixture(scope="module")
def host(platform: Platform) -> str:
    """A Service of the tiny model."""
    platform.relight("deploy", NAME, "--model", str(FAHRENHEIT))
    url = platform.service(NAME)["status"]["url"]
    return str(urlsplit(url).netloc)


@pytest.fixture
def curl(platform: Platform, host: str, tmp_path: Path) -> Curl:
    """Ask with curl; the answer, and what curl says with --verbose."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("no curl")

    def run(path: str, *options: str, body: bytes | None = None) -> tuple[Any, str]:
        command = [program, "--silent", "--show-error", "--verbose", "--max-time", "60"]
        command += ["--header", f"Host: {host}", *options]
        if body is not None:
            (tmp_path / "body").write_bytes(body)
            command += ["--data-binary", f"@{tmp_path / 'body'}"]
        done = subprocess.run(
            [*command, platform.activator + path], capture_output=True, check=False, timeout=90
        )
        said = done.stderr.decode(errors="replace")
        assert done.returncode == 0, said
        return json.loads(done.stdout), said

    return run


WAYS = {
    # curl's own content type for --data is application/x-www-form-urlencoded.
    "plain": ([], BODY),
    "no content type": (["--header", "Content-Type:"], BODY),
    "chunked": (["--header", "Transfer-Encoding: chunked"], BODY),
    "expect": (["--header", "Expect: 100-continue"], BODY),
    "chunked, expect": (["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"], BODY),
    "compressed answer": (["--compressed"], BODY),
    "gzip": (["--header", "Content-Encoding: gzip"], gzip.compress(BODY, mtime=0)),
    "http/1.0": (["--http1.0"], BODY),
    "http/2 offered": (["--http2"], BODY),
    "http/2": (["--http2-prior-knowledge"], BODY),
    "no connection kept": (["--header", "Connection: close"], BODY),
}


@pytest.mark.parametrize("way", WAYS)
def test_curl_asks(curl: Curl, way: str) -> None:
    options, body = WAYS[way]
    answer, said = curl(INFER, *options, body=body)
    assert answer["outputs"][0]["data"] == [212.0], said
    if "--http2-prior-knowledge" in options:
        assert "< HTTP/2 200" in said
    elif "expect" in way:
        assert "< HTTP/1.1 100" in said
    else:
        assert " 200" in said


def test_curl_sends_a_large_body(curl: Curl) -> None:
    rows = [[float(row)] for row in range(50_000)]
    tensor = {**TENSOR, "shape": [len(rows), 1], "data": rows}
    body = json.dumps({"inputs": [tensor]}).encode()
    for options in ([], ["--http2-prior-knowledge"]):
        answer, _ = curl(INFER, *options, body=body)
        assert answer["outputs"][0]["shape"] == [len(rows), 1]


def test_curl_is_told_what_was_wrong(curl: Curl) -> None:
    answer, said = curl(INFER, body=b"no")
    assert "< HTTP/1.1 400" in said
    assert answer["error"]


@pytest.mark.parametrize("options", [[], ["--binary-data"], ["--batch-size", "3"]])
def test_mlserver_infer(
    platform: Platform, host: str, apart: Callable[[str], Path], tmp_path: Path, options: list[str]
) -> None:
    del host  # it is served; the model is found by its name
    program = apart("mlserver")
    asked = [{"id": str(at), "inputs": [{**TENSOR, "data": [float(at)]}]} for at in range(10)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked))
    command = [program, "infer", "-u", urlsplit(platform.activator).netloc, "-m", NAME]
    command += ["-i", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl", "-w", "2", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=DEADLINE_S, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    found = {one["id"]: one["outputs"][0]["data"] for one in answers}
    assert found == {str(at): [pytest.approx(at * 1.8 + 32)] for at in range(10)}
