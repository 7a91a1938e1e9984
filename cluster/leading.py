"""The election of a process that works only while it leads: its flags, and its wiring.

For: the mains of the autoscaler and the controller.
Must not know: what is done while leading.
"""

import argparse
import asyncio
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

from cluster import connecting, flags
from cluster.auth import Address
from cluster.candidacy import Post, Terms
from cluster.election import Election
from cluster.flags import Flag, number
from cluster.pacing import Pace
from telemetry.health import Readiness
from telemetry.metrics import Family, counter, gauge

_HEARD_S: Final = 30.0

FLAGS: Final = (
    Flag(
        "--lease-s",
        number(1, 3600),
        "who leads is taken for dead when it was silent for so long",
        8,
        "SECONDS",
    ),
    Flag(
        "--lease-renew-s",
        number(0.5, 3600),
        "who leads ends when it could not say so for so long",
        5,
        "SECONDS",
        sets="renew_s",
    ),
    Flag(
        "--lease-retry-s",
        number(0.1, 3600),
        "between two renewals, or two looks",
        1,
        "SECONDS",
        sets="retry_s",
    ),
    Flag("--api-qps", number(0, 1e5), "requests to the API server a second; 0: any", 200, "N"),
    Flag("--api-burst", number(1, 1e5), "more of them at once, after a pause", 400, "N"),
)


@asynccontextmanager
async def election(
    args: argparse.Namespace, server: Address, name: str, address: str
) -> AsyncIterator[Election]:
    """A candidate with connections of its own, which the work can not use up.

    `address` is the HOST:PORT at which others reach the leader.
    """
    terms = flags.filled(args, FLAGS, Terms)
    post = Post(
        name=name,
        namespace=flags.system_namespace(args),
        identity=identity(args),
        address=address,
    )
    async with connecting.connect(server, request_timeout_s=terms.answer_s) as client:
        yield Election(client, post, terms, rng=random.Random(), clock=_wall_s)  # noqa: S311 - jitter


def identity(args: argparse.Namespace) -> str:
    """Who this is among its like. A Pod's second process succeeds its first at once."""
    return str(args.pod_name or f"{socket.gethostname()}-{secrets.token_hex(4)}")


def admission(
    args: argparse.Namespace, election: Election
) -> Callable[[str, str], Awaitable[None]]:
    """What comes before each request of the leader's client: its pace, then the fence."""
    pace = Pace(per_s=args.api_qps, burst=args.api_burst)

    async def admit(verb: str, last: str) -> None:
        # Held requests wait for a scale: it goes before statuses, however many there are.
        is_urgent = last == "scale"
        wait_s = pace.wait_s(now_s=asyncio.get_running_loop().time(), is_urgent=is_urgent)
        if wait_s:
            await asyncio.sleep(wait_s)
        if verb != "GET":
            election.fence()

    return admit


def ready(election: Election) -> Readiness:
    """Ready is who leads, or could: who has heard of the Lease lately."""
    found = election.statistics()
    return Readiness(
        is_ready=found.heard_s < _HEARD_S,
        facts={"leads": found.is_leading, "leader": found.holder, "address": found.address},
    )


def families(election: Election, name: str) -> Iterator[Family]:
    """What the election tells Prometheus."""
    found = election.statistics()
    yield gauge(f"{name}_leads", "Whether this one works.", found.is_leading)
    yield counter(f"{name}_leader_changes", "Times another one began to.", found.changes)
    yield counter(f"{name}_lease_failures", "Times the Lease was out of reach.", found.failures)


def reached_at(args: argparse.Namespace, server: Address, port: int) -> str:
    """Where others of ours reach a port of this process."""
    ip = args.pod_ip or connecting.own_ip(server)
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _wall_s() -> float:
    """Seconds since the epoch, for Kubernetes timestamps only."""
    return time.time()  # noqa: TID251 - a shell: told to others, never compared
