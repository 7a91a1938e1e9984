"""The activator as a process of a cluster: its flags, and how it is put together.

For: `python -m activator`.
Must not know: how any part works; a flag is a line of `FLAGS`, and a part a line of `serve`.
"""

import argparse
import asyncio
import logging
import random
from collections.abc import Sequence
from functools import partial
from typing import Final

from activator.admin import make_app
from activator.config import Settings
from activator.metrics import Metrics
from activator.peers import PeerSettings
from activator.server import Activator
from activator.stat_link import StatLink
from cluster import connecting, flags, leading, running
from cluster.flags import PORT, Flag, listed, number, text, whole
from telemetry.health import Admin, Readiness
from telemetry.metrics import Exposition

_LOG = logging.getLogger(__name__)

FLAGS: Final = (
    Flag("--host", text, "the address to listen on for requests", "0.0.0.0", "HOST"),  # noqa: S104 - a Service leads here
    Flag("--port", PORT, "the port for requests; 0: a free one", 8080, "PORT"),
    Flag("--domain", text, "hosts are SERVICE.NAMESPACE.DOMAIN", "localhost", "DOMAIN"),
    Flag(
        "--inside-network",
        listed,
        "who may call what is cluster-local, as 10.0.0.0/8; else this machine alone",
        None,
        "CIDR",
        is_repeated=True,
        sets="inside_networks",
    ),
    Flag("--queue-depth-max", whole(1), "requests held for a revision", metavar="N"),
    Flag("--queue-bytes-max", whole(1), "bytes of their bodies", metavar="BYTES"),
    Flag("--body-bytes-max", whole(1), "bytes of one request's body", metavar="BYTES"),
    Flag("--timeout-s-max", number(1), "the longest wait a caller may ask for", metavar="SECONDS"),
    Flag(
        "--peer-selector",
        text,
        "labels of the Pods that are activators; else this is the only one",
        "",
        "SELECTOR",
    ),
    Flag("--peers-port", PORT, "the port for other activators; 0: a free one", 8082, "PORT"),
    Flag(
        "--linger-s",
        number(0),
        "serve on for so long after SIGTERM, until callers have heard of it",
        5.0,
        "SECONDS",
    ),
    Flag("--end-s", number(0), "and then for what runs or is held", 300.0, "SECONDS"),
)


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; the exit code."""
    return running.run(parse(arguments), "activator", serve)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked for; SystemExit with a sentence for what makes no sense."""
    about = "Hold each request until a replica has room, then forward it."
    return flags.parser("python -m activator", about, (*flags.COMMON, *FLAGS)).parse_args(arguments)


async def serve(args: argparse.Namespace, stop: asyncio.Event) -> None:
    """Run every part until `stop` is set."""
    settings = flags.filled(args, FLAGS, Settings, reporter=leading.identity(args))
    server = connecting.locate(args.kubeconfig)
    rng = random.Random()  # noqa: S311 - ids, jitter and traffic splits, no secrets
    asked = running.bind(args.admin_host, args.admin_port)
    async with connecting.connect(server, only_namespace=args.namespace) as client:
        link = StatLink(client, settings.reporter, namespace=flags.system_namespace(args), rng=rng)
        activator = Activator(
            client, settings, report=link.report, rng=rng, peers=peer_settings(args)
        )
        link.on_up = activator.poke_again
        metrics = Metrics(activator, link)
        admin = Admin(
            make_app(activator),
            ready=partial(ready, activator, link),
            exposition=Exposition(metrics.families),
        )
        ended = asyncio.Event()
        await running.together(
            ended,
            *(activator.run(), link.run(), metrics.run(), admin.run(asked), say(activator)),
            leave(activator, args, stop, ended),
        )


def peer_settings(args: argparse.Namespace) -> PeerSettings | None:
    """Who it is among several; None: it is the only one."""
    if not args.peer_selector:
        return None
    if not args.pod_name:
        raise flags.FlagError("--peer-selector: needs --pod-name, which tells one from another")
    return PeerSettings(
        name=args.pod_name,
        namespace=flags.system_namespace(args),
        selector=args.peer_selector,
        host=args.host,
        port=args.peers_port,
    )


async def leave(
    activator: Activator, args: argparse.Namespace, stop: asyncio.Event, ended: asyncio.Event
) -> None:
    """Once told to stop: end as callers do not notice, then let the rest end."""
    await stop.wait()
    await activator.leave(linger_s=args.linger_s, end_s=args.end_s)
    ended.set()


def ready(activator: Activator, link: StatLink) -> Readiness:
    """Ready is who listens, and knows the objects there are.

    Not who reports: requests that find a replica need no autoscaler, and those that wait for one
    are held, and told of as soon as somebody leads.
    """
    found = link.statistics()
    facts = {"autoscaler": found.address, "reports": found.is_up}
    if activator.peers is not None:
        facts |= {"peers": activator.peers.ring.peers}
    return Readiness(is_ready=activator.is_ready, facts=facts)


async def say(activator: Activator) -> None:
    """Log where it listens."""
    await activator.started()
    _LOG.info("requests are served at %s, port %d", *activator.address)
