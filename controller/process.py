"""The controller as a process of a cluster: its flags, and how it is put together.

For: `python -m controller`.
Must not know: how any part works; a flag is a line of `FLAGS`, and a part a line of `serve`.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Final

from cluster import connecting, flags, leading, running
from cluster.flags import Flag, text, whole
from controller.config import Settings
from controller.server import Controller

FLAGS: Final = (
    Flag("--domain", text, "public hosts are SERVICE.NAMESPACE.DOMAIN", "localhost", "DOMAIN"),
    Flag(
        "--external-port",
        whole(1, 65_535),
        "the port in public addresses, where it is not 80",
        metavar="PORT",
    ),
    Flag("--config-namespace", text, "where ConfigMaps of settings are", "knative-serving", "NAME"),
    Flag("--workers", whole(1, 1000), "objects worked on at once", 16, "N", sets="workers_max"),
)


def main(arguments: Sequence[str]) -> int:
    """Work until told to stop; the exit code."""
    return running.run(parse(arguments), "controller", serve)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked for; SystemExit with a sentence for what makes no sense."""
    about = "Make the world match what users wrote."
    table = (*flags.COMMON, *leading.FLAGS, *FLAGS)
    return flags.parser("python -m controller", about, table).parse_args(arguments)


async def serve(args: argparse.Namespace, stop: asyncio.Event) -> None:
    """Run every part until `stop` is set."""
    settings = flags.filled(args, FLAGS, Settings)
    server = connecting.locate(args.kubeconfig)
    address = leading.reached_at(args, server, args.admin_port)
    async with (
        leading.election(args, server, "controller", address) as election,
        connecting.connect(server, only_namespace=args.namespace, admit=election.fence) as client,
    ):
        controller = Controller(client, settings, clock=_wall_s)
        await running.together(stop, election.run(stop, controller.run))


def _wall_s() -> float:
    """Seconds since the epoch, for Kubernetes timestamps only."""
    return time.time()  # noqa: TID251 - a shell: told to others, never compared
