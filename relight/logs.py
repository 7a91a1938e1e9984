"""`relight logs`: what the replicas of a service wrote.

For: reading and following many Pods as one stream of lines.
Must not know: what a replica writes, or how a line travels (podlogs).
"""

import argparse
import asyncio
import sys
from contextlib import aclosing

from api import keys, kinds
from relight import config, podlogs, rendering
from relight.connection import Connection, connect, find
from relight.errors import Exit, UsageError
from relight.watching import View, key_of

_EXAMPLE = """example:
  relight logs iris --tail 20
  relight logs iris -f            goes on with replicas that start later
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "logs",
        help="print what replicas wrote",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME|POD")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    parser.add_argument("--tail", type=int, metavar="N", help="only the last N lines of each")
    parser.add_argument("--revision", metavar="R", help="only replicas of this revision")
    parser.add_argument("--all", action="store_true", help="every service of the namespace")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    if bool(args.name) == args.all:
        raise UsageError("logs: give the name of a service or a pod, or --all")
    if args.tail is not None and args.tail < 0:
        raise UsageError("--tail: expected 0 or more lines")
    async with connect(config.locate(args)) as connection:
        pod = await _single_pod(args, connection)
        if pod is not None:
            await _lines(args, connection, pod, prefix="")
        elif args.follow:
            await _follow(args, connection)
        else:
            await _print_all(args, connection)
    return Exit.OK


async def _single_pod(args: argparse.Namespace, connection: Connection) -> str | None:
    """The Pod the name means when no Service has it. NotFoundError when neither has."""
    if args.all or await find(connection.client, kinds.SERVICES, args.namespace, args.name):
        return None
    if await find(connection.client, kinds.PODS, args.namespace, args.name):
        return str(args.name)
    await connection.client.get(kinds.SERVICES, args.namespace, args.name)
    return None


def _selector(args: argparse.Namespace) -> str:
    chosen = [keys.SERVICE if args.all else rendering.children_selector(args.name)]
    if args.revision:
        chosen.append(f"{keys.REVISION}={args.revision}")
    return ",".join(chosen)


async def _print_all(args: argparse.Namespace, connection: Connection) -> None:
    found = await connection.client.list(kinds.PODS, args.namespace, label_selector=_selector(args))
    pods = sorted(pod["metadata"]["name"] for pod in found.items if podlogs.has_started(pod))
    if not pods:
        print("no replica runs now, so there is nothing to print", file=sys.stderr)
    for pod in pods:
        await _lines(args, connection, pod, prefix=f"{pod} | " if len(pods) > 1 else "")


async def _follow(args: argparse.Namespace, connection: Connection) -> None:
    """Read every Pod from its start, also those that appear later, until interrupted."""
    view = View(connection.client, kinds.PODS, args.namespace, label_selector=_selector(args))
    begun: set[str] = set()
    late = argparse.Namespace(**{**vars(args), "tail": None})  # what starts later is new whole
    async with asyncio.TaskGroup() as group, aclosing(view.changes()) as listed:
        async for changes in listed:
            for change in changes:
                pod = change.object
                uid, name = pod["metadata"]["uid"], key_of(pod)[1]
                if change.type != "DELETED" and uid not in begun and podlogs.has_started(pod):
                    begun.add(uid)
                    group.create_task(_lines(args, connection, name, prefix=f"{name} | "))
            args = late


async def _lines(
    args: argparse.Namespace, connection: Connection, pod: str, *, prefix: str
) -> None:
    query = podlogs.Query(
        namespace=args.namespace, pod=pod, is_followed=args.follow, tail=args.tail
    )
    async for line in podlogs.lines(connection, query):
        print(f"{prefix}{line}", flush=args.follow)
