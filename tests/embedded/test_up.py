"""The platform as one process. What it serves is tested end to end, in tests/e2e."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.up import _authority
from examples.running import Platform, children_of, is_alive, wait_until

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(folder: Path, number: signal.Signals) -> None:
    with Platform(folder / "d", cwd=ROOT) as platform:
        assert platform.process is not None
        left = [platform.process.pid, *children_of(platform.process.pid)]
        assert len(left) > 1, "the zygote is a process of its own"
        platform.process.send_signal(number)
        assert platform.process.wait(30) == 0
    assert not [pid for pid in left if is_alive(pid)]
    assert not (folder / "d/relight.json").exists()


def test_a_signal_while_it_starts_stops_it_too(folder: Path) -> None:
    command = [sys.executable, "-m", "relight", "up", "--data-dir", str(folder / "d")]
    with subprocess.Popen(
        [*command, "--port", "0", "--api-port", "0"], cwd=ROOT, stderr=subprocess.PIPE
    ) as process:
        wait_until((folder / "d/relight.db").exists, 30, "the database")
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_zygote_that_dies_is_replaced(folder: Path) -> None:
    with Platform(folder / "d", cwd=ROOT) as platform:
        assert platform.process is not None
        (zygote,) = [
            pid
            for pid in children_of(platform.process.pid)
            if "predictor.zygote" in Path(f"/proc/{pid}/cmdline").read_text()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
            == str(platform.process.pid)
        ]
        subprocess.run(["kill", "-9", str(zygote)], check=True)
        model = ROOT / "examples/models/fahrenheit.onnx"
        done = platform.relight("deploy", "after", "--model", str(model))
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("127.0.0.1", "127.0.0.1:80"), ("0.0.0.0", "127.0.0.1:80"), ("::", "[::1]:80")],
)
def test_an_address_is_one_that_this_machine_can_ask(host: str, wanted: str) -> None:
    assert _authority(host, 80) == wanted
