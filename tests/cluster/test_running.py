import argparse
import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from cluster import running
from cluster.credentials import CredentialsError
from cluster.flags import FlagError
from cluster.running import EndedError

ARGS = argparse.Namespace(log_level=logging.INFO)


@pytest.fixture(autouse=True)
def logging_is_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(number: int) -> None:
    ended: list[str] = []

    async def part() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            ended.append("part")

    async def serve(_args: argparse.Namespace, stop: asyncio.Event) -> None:
        await running.together(stop, part(), asyncio.sleep(0))
        ended.append("serve")

    assert running.run(ARGS, "x", serve) == 0
    assert ended == ["part", "serve"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FlagError("--x: no"), 2),
        (CredentialsError("no kubeconfig"), 2),
        (EndedError("the Lease is lost"), 1),
        (OSError(98, "taken"), 1),
    ],
)
def test_what_ends_it_is_one_line_and_a_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail() -> None:
        raise error

    async def serve(_args: argparse.Namespace, stop: asyncio.Event) -> None:
        await running.together(stop, asyncio.Event().wait(), fail())  # type: ignore[arg-type]

    assert running.run(ARGS, "x", serve) == code
    told = capsys.readouterr().err
    assert f"x: {error}" in told
    assert "Traceback" not in told


def test_an_error_of_our_own_is_not_hidden() -> None:
    async def serve(_args: argparse.Namespace, _stop: asyncio.Event) -> None:
        raise AssertionError

    with pytest.raises(AssertionError):
        running.run(ARGS, "x", serve)


def test_a_bound_port_is_nobody_elses_and_does_not_answer_yet() -> None:
    with running.bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with socket.socket() as caller:
            assert caller.connect_ex(("127.0.0.1", port)) != 0
        with (
            socket.create_server(("127.0.0.1", 0)) as other,
            pytest.raises(OSError, match=r"127\.0\.0\.1 port"),
        ):
            running.bind("127.0.0.1", other.getsockname()[1])
