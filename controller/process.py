"""The controller as a process of a cluster: its flags, and how it is put together.

For: `python -m controller`.
Must not know: how any part works; a flag is a line of `FLAGS`, and a part a line of `serve`.
"""

import argparse
import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from aiohttp import web

from api import images, keys, quantities
from cluster import connecting, flags, leading, running
from cluster.election import Election
from cluster.flags import Flag, FlagError, text, truth, whole
from controller import metrics, own_runtimes, webhook_running
from controller.config import Settings
from controller.gateway import Gateway
from controller.mishaps import Mishaps
from controller.model_runs import ModelRuns
from controller.pool_keeping import PoolKeeper
from controller.pool_planning import SIZE_MAX
from controller.predictor_pods import PredictorPods
from controller.publishing import Publishing
from controller.server import Controller
from controller.webhook_running import RunningWebhook
from telemetry.health import Admin, Readiness
from telemetry.metrics import Exposition


def _folder(said: str) -> str:
    """An absolute path on every node."""
    if not said.startswith("/") or ".." in said.split("/"):
        raise ValueError("expected an absolute path")
    return said


def _quantity(said: str) -> str:
    """An amount of bytes, as Kubernetes writes it."""
    if (quantities.parse(said) or 0) <= 0:
        raise ValueError("expected an amount such as 50Gi")
    return said


def _image(said: str) -> str:
    """What a registry may have: else every Pod of the platform would be the first to say so."""
    if not images.is_valid(said):
        raise ValueError("expected an image, as REGISTRY/relight/predictor:TAG")
    return said


FLAGS: Final = (
    Flag("--domain", text, "public hosts are SERVICE.NAMESPACE.DOMAIN", "localhost", "DOMAIN"),
    Flag(
        "--external-port",
        whole(1, 65_535),
        "the port in public addresses, where it is not 80",
        metavar="PORT",
    ),
    Flag("--config-namespace", text, "where ConfigMaps of settings are", "knative-serving", "NAME"),
    Flag(
        "--predictor-image",
        _image,
        f"what {keys.PREDICTOR_IMAGE} without a tag means in manifests",
        keys.PREDICTOR_IMAGE,
        "IMAGE",
    ),
    Flag("--node-cache", _folder, "a folder of each node for models", "", "PATH"),
    Flag("--cache-limit", _quantity, "of a Pod's cache, without --node-cache", "50Gi", "SIZE"),
    Flag("--warm-pool", whole(0, SIZE_MAX), "warm Pods of a pool, unless a Namespace says", 0, "N"),
    Flag(
        "--publish",
        truth,
        "core Services for routes and revisions, which lead past the activators where they may",
        False,
        "BOOL",
    ),
    Flag(
        "--linger-s",
        whole(1, 600),
        "a replica that is told to end serves on for so long while any come, with --publish",
        30,
        "SECONDS",
    ),
    Flag(
        "--gateway",
        Gateway.parse,
        "a Gateway of the cluster: HTTPRoutes are written for it, with --publish",
        None,
        "NAMESPACE/NAME",
    ),
    Flag("--workers", whole(1, 1000), "objects worked on at once", 16, "N", sets="workers_max"),
)


def main(arguments: Sequence[str]) -> int:
    """Work until told to stop; the exit code."""
    return running.run(parse(arguments), "controller", serve)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked for; SystemExit with a sentence for what makes no sense."""
    about = "Make the world match what users wrote."
    table = (*flags.COMMON, *leading.FLAGS, *FLAGS, *webhook_running.FLAGS)
    return flags.parser("python -m controller", about, table).parse_args(arguments)


def _settings(args: argparse.Namespace, pods: PredictorPods) -> Settings:
    if args.gateway and not args.publish:
        raise FlagError("--gateway: give --publish true as well; HTTPRoutes lead to core Services")
    publishing = Publishing(system_namespace=flags.system_namespace(args))
    return replace(
        flags.filled(args, FLAGS, Settings),
        predictor=pods,
        publishing=publishing if args.publish else None,
        model_root=None,
    )


async def serve(args: argparse.Namespace, stop: asyncio.Event) -> None:
    """Run every part until `stop` is set."""
    pods = _pods(args)
    settings = _settings(args, pods)
    server = connecting.locate(args.kubeconfig)
    listener = running.bind(args.admin_host, args.admin_port)
    address = leading.reached_at(args, server, listener.getsockname()[1])
    async with (
        leading.election(args, server, "controller", address) as election,
        connecting.connect(
            server, only_namespace=args.namespace, admit=leading.admission(args, election)
        ) as client,
        connecting.connect(server) as unfenced,
    ):
        mishaps = Mishaps(client, now_s=time.monotonic)
        models = ModelRuns(client, pods, clock=_wall_s, mishaps=mishaps)
        controller = Controller(
            client,
            settings,
            clock=_wall_s,
            resolve_digest=models.resolve,
            progress=models.progress,
            mishaps=mishaps.of,
        )
        models.on_gone = controller.look_again
        pools = PoolKeeper(
            client,
            controller.informers,
            size=args.warm_pool,
            wall_s=_wall_s,
            token=lambda length: secrets.token_hex(length)[:length],
        )
        webhook = RunningWebhook(unfenced, args, clock=_wall_s)

        async def lead() -> None:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(models.run())
                parts.create_task(controller.run())
                parts.create_task(pools.run())
                parts.create_task(webhook.lead())
                parts.create_task(own_runtimes.keep(client, args.predictor_image))

        exposition = Exposition(
            partial(metrics.families, controller),
            partial(metrics.of_webhook, webhook.server),
            partial(leading.families, election, "controller"),
        )
        admin = Admin(
            web.Application(), ready=partial(_ready, election, webhook), exposition=exposition
        )
        async with webhook.running():
            await running.together(stop, election.run(stop, lead), admin.run(listener))


def _pods(args: argparse.Namespace) -> PredictorPods:
    """What Pods of our predictor get of a cluster."""
    return PredictorPods(
        image=args.predictor_image,
        node_cache=args.node_cache,
        cache_limit=args.cache_limit,
        linger_s=args.linger_s if args.publish else 0,
    )


def _ready(election: Election, webhook: RunningWebhook) -> Readiness:
    """Whether it may be asked: it may lead, and the API server is answered."""
    standing, why = leading.ready(election), webhook.unready()
    facts = {**standing.facts, "webhook": why or "ready"}
    return Readiness(is_ready=standing.is_ready and not why, facts=facts)


def _wall_s() -> float:
    """Seconds since the epoch, for Kubernetes timestamps only."""
    return time.time()  # noqa: TID251 - a shell: told to others, never compared
