"""`relight delete`: remove Services and all that was made for them.

For: ending a service; `--wait` until its replicas are gone too.
Must not know: what is made for a Service, beyond its Pods.
"""

import argparse

from api import kinds
from cluster.errors import NotFoundError
from relight import config, rendering
from relight.connection import Connection, connect
from relight.errors import Exit, FailedError
from relight.waiting import until
from relight.watching import View

_EXAMPLE = "example:\n  relight delete iris wine --wait\n"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "delete",
        help="delete services",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--wait", action="store_true", help="return when the replicas are gone")
    parser.add_argument("--wait-timeout", type=float, default=60.0, metavar="S")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out: every name is tried, then what was not there is said."""
    missing = []
    async with connect(config.locate(args)) as connection:
        for name in dict.fromkeys(args.names):
            try:
                await connection.client.delete(kinds.SERVICES, args.namespace, name)
            except NotFoundError as error:
                missing.append(error.message)
                continue
            if args.wait:
                await _wait(args, connection, name)
            print(f'service.{kinds.SERVICES.group} "{name}" deleted')
    if missing:
        raise FailedError("\n".join(missing))
    return Exit.OK


async def _wait(args: argparse.Namespace, connection: Connection, name: str) -> None:
    client, namespace = connection.client, args.namespace
    views = (
        View(client, kinds.SERVICES, namespace, name=name),
        View(client, kinds.PODS, namespace, label_selector=rendering.children_selector(name)),
    )

    def answer() -> bool | None:
        return True if not any(view.objects for view in views) else None

    if not await until(views, answer, timeout_s=args.wait_timeout):
        raise FailedError(f"{name} is deleted but not gone after {args.wait_timeout:g} s")
