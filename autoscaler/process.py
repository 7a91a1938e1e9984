"""The autoscaler as a process of a cluster: its flags, and how it is put together.

For: `python -m autoscaler`.
Must not know: how any part works; a flag is a line of `FLAGS`, and a part a line of `serve`.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from autoscaler import metrics
from autoscaler.admin import make_app
from autoscaler.claiming import Claiming
from autoscaler.config import Settings
from autoscaler.keeping import WindowStore
from autoscaler.neighbours import Meet
from autoscaler.server import Autoscaler
from autoscaler.stat_server import StatServer
from cluster import connecting, flags, leading, running
from cluster.client import Client
from cluster.flags import PORT, Flag, FlagError, number, text, truth, whole
from telemetry.health import Admin
from telemetry.metrics import Exposition

FLAGS: Final = (
    Flag("--stats-host", text, "the address where activators report", "0.0.0.0", "HOST"),  # noqa: S104 - they are other Pods
    Flag("--stats-port", PORT, "where activators report; 0: a free one", 8083, "PORT"),
    Flag("--config-namespace", text, "where ConfigMaps of settings are", "knative-serving", "NAME"),
    Flag("--state", text, "a Redis for the windows: redis://HOST:PORT/DB; else none", "", "URL"),
    Flag("--tick-s", number(0.1, 60), "a decision a revision this often", metavar="SECONDS"),
    Flag(
        "--scrape",
        truth,
        "the controller publishes: measure replicas that are reached past the activators",
        False,
        "BOOL",
        sets="is_mode_followed",
    ),
    Flag("--journal-length-max", whole(1), "decisions remembered for a revision", metavar="N"),
    Flag("--claims", truth, "claim warm Pods where there are any", default=True, metavar="BOOL"),
    Flag(
        "--beside-knative",
        text,
        "the namespace of a Knative Serving: decide for its revisions, those that name our class",
        "",
        "NAME",
    ),
    Flag("--queue-proxy-port", PORT, "where its queue-proxies tell of load", 9090, "PORT"),
    Flag("--activator-metrics-port", PORT, "where its activators show metrics", 9090, "PORT"),
)


def main(arguments: Sequence[str]) -> int:
    """Decide until told to stop; the exit code."""
    return running.run(parse(arguments), "autoscaler", serve)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked for; SystemExit with a sentence for what makes no sense."""
    about = "Decide how many replicas each revision has."
    table = (*flags.COMMON, *leading.FLAGS, *FLAGS)
    return flags.parser("python -m autoscaler", about, table).parse_args(arguments)


async def serve(args: argparse.Namespace, stop: asyncio.Event) -> None:
    """Run every part until `stop` is set."""
    settings = flags.filled(args, FLAGS, Settings)
    store = window_store(args.state)
    server = connecting.locate(args.kubeconfig)
    asked = running.bind(args.admin_host, args.admin_port)
    # Beside Knative nobody of ours reports.
    listener = None if args.beside_knative else running.bind(args.stats_host, args.stats_port)
    address = leading.reached_at(args, server, (listener or asked).getsockname()[1])
    async with (
        leading.election(args, server, "autoscaler", address) as election,
        connecting.connect(
            server, only_namespace=args.namespace, admit=leading.admission(args, election)
        ) as client,
    ):
        meet = neighbour(args, client)
        autoscaler = Autoscaler(client, settings, clock=_wall_s, store=store, meet=meet)
        if args.claims and meet is None:
            autoscaler.claim_by(Claiming(client, wall_s=_wall_s))
        stats = StatServer(election.identity, receive=autoscaler.receive, listen=autoscaler.listen)

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(autoscaler.run())
                await autoscaler.synced()  # a poke of what is not known yet would be in vain
                if listener is not None:
                    tasks.create_task(stats.run(listener))

        admin = Admin(
            make_app(autoscaler, lambda: election.statistics().is_leading),
            ready=partial(leading.ready, election),
            exposition=Exposition(
                partial(metrics.families, autoscaler, stats),
                partial(leading.families, election, "autoscaler"),
            ),
        )
        await running.together(stop, election.run(stop, work), admin.run(asked))


def neighbour(args: argparse.Namespace, client: Client) -> Meet | None:
    """Whose Revisions are decided for, where they are not ours."""
    if not args.beside_knative:
        return None
    from autoscaler.beside import Beside, Place  # what it reads with is of no use elsewhere

    place = Place(
        namespace=args.beside_knative,
        queue_proxy_port=args.queue_proxy_port,
        activator_port=args.activator_metrics_port,
    )
    return partial(Beside, client, place)


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
