"""A component as a process: from its flags to its exit code.

For: the loop, the signals, and an end in order: what runs is cancelled, and closes what it has.
Must not know: which component it is.

The exit code is 0 after SIGTERM or SIGINT, 2 for flags that make no sense, 1 for the rest:
whoever started the process starts it again.
"""

import argparse
import asyncio
import logging
import resource
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from cluster.credentials import CredentialsError
from cluster.flags import FlagError
from telemetry import logs

_LOG = logging.getLogger(__name__)
Serve = Callable[[argparse.Namespace, asyncio.Event], Coroutine[Any, Any, None]]


class EndedError(Exception):
    """The process can not go on and shall be started anew; the message says why."""


def run(args: argparse.Namespace, program: str, serve: Serve) -> int:
    """Run `serve(args, stop)` to its end; `stop` is set by SIGTERM and SIGINT."""
    logs.configure(level=args.log_level)
    _raise_descriptor_limit()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(args, serve))
    except (FlagError, CredentialsError) as error:
        _LOG.error("%s: %s", program, error)
        return 2
    except EndedError as error:
        _LOG.error("%s: %s", program, error)
        return 1
    except OSError as error:
        _LOG.error("%s: %s", program, error)
        return 1
    return 0


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket with its port, which nobody listens at yet. OSError when that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"{host} port {port}: {error.strerror}") from error
    return bound


async def together(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run all until `stop` is set, then end them; the first that fails ends the others."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        await stop.wait()
        for task in tasks:
            task.cancel()


async def _serve(args: argparse.Namespace, serve: Serve) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await serve(args, stop)
    except BaseExceptionGroup as group:
        raise _cause(group) from group


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure that ended the others, where there is one; else all of them."""
    if len(group.exceptions) != 1:
        return group
    [only] = group.exceptions
    return _cause(only) if isinstance(only, BaseExceptionGroup) else only


def _raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
