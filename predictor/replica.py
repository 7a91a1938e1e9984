"""A forked child's whole life: take the listening socket, load, report, serve, drain.

For: what a spare does with the assignment it was forked for.
Must not know: how it was forked, who else runs, what the model is.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from predictor import config, confining, forking, serving
from predictor.errors import SettingsError
from predictor.orders import Orders
from predictor.worker import Worker

EXIT_CANNOT_EXECUTE = 127  # as a shell says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one replica is to be, and the descriptors it owns from now on."""

    id: str
    received_ns: int  # time.monotonic_ns() in the zygote when it was asked for
    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    listen_fd: int
    log_fd: int
    status_fd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A program that is not ours, started instead of a predictor."""

    id: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    log_fd: int
    status_fd: int
    confinement: str = ""  # file that says where it belongs; "" for nowhere else


def live(assignment: Assignment, loop: asyncio.AbstractEventLoop, worker: Worker) -> int:
    """Be this replica until it is over; the exit code."""

    def report(fact: dict[str, Any]) -> None:
        tell(assignment.status_fd, fact)

    forking.redirect(assignment.log_fd)
    listener = socket.socket(fileno=assignment.listen_fd)
    listener.setblocking(False)
    config.adopt(assignment.env)
    try:
        os.chdir(assignment.cwd)
        settings = config.parse(assignment.args, assignment.env)
    except (OSError, SettingsError) as error:
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400 - one sentence
        report({"failed": str(error)})
        return 1
    fork_ms = (time.monotonic_ns() - assignment.received_ns) / 1e6

    async def serve() -> int:
        told = Orders(assignment.status_fd)
        started_ms = round(fork_ms, 3)
        return await serving.serve(
            settings, listener, worker, report, fork_ms=started_ms, told=told
        )

    return loop.run_until_complete(serve())


def execute(execution: Execution) -> int:
    """Become another program. Returns only when that failed.

    The status descriptor stays open in it, so that its end of file means "gone".
    """
    forking.redirect(execution.log_fd)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it; others do not expect that
    os.set_inheritable(execution.status_fd, True)
    environment = {**config.inherited(), **execution.env}
    for name in config.ZYGOTE_ONLY:
        if name not in execution.env:
            environment.pop(name, None)
    if not is_confined(execution.confinement, execution.status_fd, own=(1, 2)):
        return EXIT_CANNOT_EXECUTE
    try:
        os.chdir(execution.cwd)
        os.execvpe(execution.argv[0], execution.argv, environment)  # noqa: S606 - its purpose
    except OSError as error:
        sentence = f"cannot run {execution.argv[0]} in {execution.cwd}: {error.strerror}"
        sys.stderr.write(sentence + "\n")
        tell(execution.status_fd, {"failed": sentence})
    return EXIT_CANNOT_EXECUTE


def is_confined(file: str, status_fd: int, *, own: Sequence[int] = ()) -> bool:
    """Go where the file says this process belongs; False and told why when that failed."""
    if not file:
        return True
    try:
        confining.enter(confining.read(file), own=own)
    except (confining.ConfineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        tell(status_fd, {"failed": str(error)})
        return False
    return True


def tell(status_fd: int, fact: dict[str, Any]) -> None:
    """Write one fact as a line; a reader that is gone misses it."""
    try:
        os.write(status_fd, orjson.dumps(fact) + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        return
