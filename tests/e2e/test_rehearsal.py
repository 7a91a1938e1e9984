"""Traffic that is recorded, measured and rehearsed, with real processes and sockets."""

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples.running import RELIGHT, Platform, send, wait_until
from tests.e2e.conftest import ROOT, at_zero, create, infer_body, service

pytestmark = pytest.mark.e2e
REQUESTS = 5


def test_a_trace_is_rehearsed_without_a_platform(tmp_path: Path) -> None:
    trace = tmp_path / "small.csv"
    stamps = [second / 10 for second in (*range(40), *range(2000, 2040))]
    trace.write_text("timestamp\n" + "".join(f"{at}\n" for at in stamps))
    chart = tmp_path / "chart.html"
    words = ["simulate", "-", "--concurrency", "1", "--chart", str(chart)]
    done = subprocess.run(
        [*RELIGHT, *words],
        input=trace.read_text(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, f"chart in {chart}\n")
    assert done.stdout.startswith("standard input: 80 requests in 204 s\n")
    names = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert names[-5:] == ["kpa", "relight", "keep-alive=600s", "always-on", "oracle"]
    assert chart.read_text().count('type="checkbox"') == 5


def test_live_traffic_is_recorded_and_rehearsed(platform: Platform, tmp_path: Path) -> None:
    host = create(platform, service("recorded", containerConcurrency=1))
    at_zero(platform, "recorded")
    path = tmp_path / "trace.csv"
    words = ["record", "recorded", "--data-dir", str(platform.folder), "--output", str(path)]
    with subprocess.Popen(
        [sys.executable, "-m", "relight", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as recording:
        assert recording.stderr is not None
        assert recording.stderr.readline() == "recording; Ctrl-C ends it\n"
        for _ in range(REQUESTS):
            infer = "/v2/models/recorded/infer"
            assert send(platform.activator, host, infer, infer_body()).status == 200
        wait_until(lambda: path.read_text().count("\n") > REQUESTS, 60, "the rows")
        recording.send_signal(signal.SIGINT)
        assert recording.wait(30) == 0
        assert recording.stderr.read() == f"recorded {REQUESTS} requests\n"
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [(row["model"], row["revision"], row["status"]) for row in rows] == (
        [("recorded", "recorded-00001", "200")] * REQUESTS
    )

    asked = ("simulate", str(path), "--from", "recorded", "--policy", "relight", "-o", "json")
    told = json.loads(platform.relight(*asked).stdout)
    assert told["requests"] == REQUESTS
    assert f"{REQUESTS} requests of recorded-00001" in told["assumed"][0]
    assert "1 start from zero of recorded-00001" in told["assumed"][1]
    assert told["assumed"][2] == "concurrency 1 (of recorded-00001)"
    [policy] = told["policies"]
    assert policy["cold_starts"] == 1
    assert policy["cold_waits"] == 1
