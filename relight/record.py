"""`relight record`: write the requests that a platform serves as a trace.

For: a file that `relight simulate` reads, of one service, one revision or a whole namespace.
Must not know: what is done with the trace, or how the activator remembers requests.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api import kinds
from relight import asking, config, ended, spans
from relight.connection import Connection, connect, find
from relight.ended import Ended
from relight.errors import Exit, FailedError, UsageError

_EXAMPLE = """example:
  relight record iris --for 10m --output trace.csv     then: relight simulate trace.csv --from iris
  relight record --for 1h | gzip > all.csv.gz          every service of the namespace

Ctrl-C ends it too, with a whole file. A request is written when it has ended, so rows are in
that order; one that still runs at the end is not in the trace.
"""
HEADER = "timestamp,duration,model,revision,status,grpc_status\n"
_STDOUT = 1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "record",
        help="write live traffic as a trace to rehearse with",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="SERVICE|REVISION")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--for", dest="lasting", metavar="TIME", help="end after this: 10m, 1h30m")
    parser.add_argument(
        "--output", metavar="FILE.csv", type=Path, help="a new file (else standard output)"
    )


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    lasting_s = None if args.lasting is None else spans.parse("--for", args.lasting, least_s=0.001)
    async with connect(config.locate(args)) as connection:
        wanted = await _filter(args, connection)
        with _opened(args.output) as file, _interrupted() as stopped:
            recording = Recording(file)
            try:
                await _record(connection, wanted, recording, stopped, lasting_s)
            finally:
                print(recording.told(), file=sys.stderr)
    return Exit.OK


class Recording:
    """Rows on their way into a file: whole lines only, each written when it is known."""

    def __init__(self, file: int) -> None:
        self._file = file
        self.written = 0
        self.missed = 0
        self._write(HEADER)

    def add(self, raw: dict[str, object]) -> None:
        """Take in what the activator told: a request, or how many were lost before it was read."""
        if "lost" in raw:
            self.missed += int(str(raw["lost"]))
            return
        self._write(line(ended.parse(raw)))
        self.written += 1

    def told(self) -> str:
        """The last sentence."""
        lost = (
            f"; {self.missed} ended faster than they could be read and are missing"
            if self.missed
            else ""
        )
        return f"recorded {spans.counted(self.written, 'request')}{lost}"

    def _write(self, text: str) -> None:
        rest = text.encode()
        while rest:
            rest = rest[os.write(self._file, rest) :]


def line(request: Ended) -> str:
    """One row: arrival in seconds since the epoch, and the time at a replica where it had one."""
    duration = "" if request.executing_s is None else f"{request.executing_s:.6f}"
    model = request.service or request.revision
    became = f"{request.status},{request.grpc_status}"
    return f"{request.time_s:.6f},{duration},{model},{request.revision},{became}\n"


async def _filter(args: argparse.Namespace, connection: Connection) -> dict[str, str]:
    """Whose requests; a name is a Service's, else a Revision's, else it is refused."""
    if args.name is None:
        return {"namespace": args.namespace}
    if await find(connection.client, kinds.SERVICES, args.namespace, args.name):
        return {"namespace": args.namespace, "service": args.name}
    if await find(connection.client, kinds.REVISIONS, args.namespace, args.name):
        return {"namespace": args.namespace, "revision": args.name}
    raise FailedError(f"no service and no revision is named {args.name} in {args.namespace}")


async def _record(
    connection: Connection,
    wanted: dict[str, str],
    recording: Recording,
    stopped: asyncio.Event,
    lasting_s: float | None,
) -> None:
    """Until it is stopped, the time is up, or the platform is gone."""

    async def read() -> None:
        params = {**wanted, "after": "latest", "follow": "true"}
        async with asking.rows(connection, "activator", "requests", params) as rows:
            print("recording; Ctrl-C ends it", file=sys.stderr, flush=True)
            async for raw in rows:
                recording.add(raw)
        raise FailedError("the platform ended, and the recording with it; what is written is whole")

    try:
        async with asyncio.timeout(lasting_s), asyncio.TaskGroup() as group:
            reading = group.create_task(read())
            await stopped.wait()
            reading.cancel()
    except TimeoutError:
        return


@contextmanager
def _opened(path: Path | None) -> Iterator[int]:
    """A file that was not there before, written without a buffer; else standard output."""
    if path is None:
        yield _STDOUT
        return
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise UsageError(f"--output {path}: it exists already; name a new file") from None
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}") from error
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _interrupted() -> Iterator[asyncio.Event]:
    """Set at Ctrl-C and at SIGTERM, which end a recording as it should end."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, stopped.set)
    try:
        yield stopped
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
