"""The autoscaler as a process of a cluster: its flags, and how it is put together.

For: `python -m autoscaler`.
Must not know: how any part works; a flag is a line of `FLAGS`, and a part a line of `serve`.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Final

from autoscaler.config import Settings
from autoscaler.keeping import WindowStore
from autoscaler.server import Autoscaler
from cluster import connecting, flags, running
from cluster.flags import Flag, FlagError, number, text, whole

FLAGS: Final = (
    Flag("--config-namespace", text, "where ConfigMaps of settings are", "knative-serving", "NAME"),
    Flag("--state", text, "a Redis for the windows: redis://HOST:PORT/DB; else none", "", "URL"),
    Flag("--tick-s", number(0.1, 60), "a decision a revision this often", metavar="SECONDS"),
    Flag("--journal-length-max", whole(1), "decisions remembered for a revision", metavar="N"),
)


def main(arguments: Sequence[str]) -> int:
    """Decide until told to stop; the exit code."""
    return running.run(parse(arguments), "autoscaler", serve)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked for; SystemExit with a sentence for what makes no sense."""
    about = "Decide how many replicas each revision has."
    table = (*flags.COMMON, *FLAGS)
    return flags.parser("python -m autoscaler", about, table).parse_args(arguments)


async def serve(args: argparse.Namespace, stop: asyncio.Event) -> None:
    """Run every part until `stop` is set."""
    settings = flags.filled(args, FLAGS, Settings)
    store = window_store(args.state)
    address = connecting.locate(args.kubeconfig)
    async with connecting.connect(address, only_namespace=args.namespace) as client:
        autoscaler = Autoscaler(client, settings, clock=_wall_s, store=store)
        await running.together(stop, autoscaler.run())


def window_store(url: str) -> WindowStore | None:
    """Where windows outlive this process; None: nowhere. FlagError names what is wrong."""
    if not url:
        return None
    try:
        from autoscaler.redis_state import RedisWindows  # an extra: not everybody has it
    except ImportError as error:
        raise FlagError(f"--state: {error}: pip install 'relight[redis]'") from error
    try:
        return RedisWindows(url)
    except ValueError as error:
        raise FlagError(f"--state: {error}") from error


def _wall_s() -> float:
    """Seconds since the epoch, for Kubernetes timestamps only."""
    return time.time()  # noqa: TID251 - a shell: told to others, never compared
