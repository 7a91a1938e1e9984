import asyncio
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from relight import __main__ as program
from relight import get
from relight.errors import EXPLAINED
from tests.relight.conftest import DEADLINE_S, Platform

VERBS = (
    "up",
    "deploy",
    "get",
    "describe",
    "invoke",
    "traffic",
    "logs",
    "delete",
    "simulate",
    "record",
    "why",
)
OF_CLUSTERS = ("install", "uninstall", "doctor")


def helped(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        program.main([*words, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_lists_the_commands_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys=capsys)
    assert EXPLAINED.strip() in text
    for verb in (*VERBS, *OF_CLUSTERS):
        assert f"\n    {verb}" in text


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_command_has_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = helped(verb, capsys=capsys)
    assert f"example:\n  relight {verb}" in text
    assert "--data-dir" in text


@pytest.mark.parametrize("verb", OF_CLUSTERS)
def test_verbs_of_clusters_take_one_and_have_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = helped(verb, capsys=capsys)
    assert f"example:\n  relight {verb}" in text
    assert "--kubeconfig" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        program.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"relight {version('relight')}\n"


@pytest.mark.parametrize("words", [[], ["fly"], ["get"], ["get", "cows"], ["deploy"]])
def test_what_cannot_be_parsed_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        program.main(words)
    assert caught.value.code == 2
    assert "usage: relight" in capsys.readouterr().err


def test_an_expected_failure_is_a_message_and_a_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["get", "services", "--data-dir", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        f"relight: no platform is running for {tmp_path}: start one with 'relight"
    )


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(_args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(get, "run", interrupted)
    assert program.main(["get", "services"]) == 130


def test_a_reader_that_left_gets_no_traceback(tmp_path: Path) -> None:
    """The dry run writes more than a pipe nobody reads can take."""
    words = ["deploy", "iris", "--image", "x", "--dry-run", "--data-dir", str(tmp_path)]
    words += [f"--arg={'x' * 100_000}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "relight", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert told == b""


async def test_ctrl_c_ends_a_watch_cleanly(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    words = ["-m", "relight", "get", "services", "-w", "--data-dir", str(platform.folder)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        assert (await process.stdout.readline()).startswith(b"NAME")
        process.send_signal(signal.SIGINT)
        _, told = await process.communicate()
    assert (process.returncode, told) == (130, b"")
