"""The whole platform in one process: build it, run it, stop it.

For: wiring; it is the only place that joins the components.
Must not know: how any of them works. It decides nothing but the order.
"""

import asyncio
import logging
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import uvloop
from aiohttp import web

from activator import admin as activator_admin
from activator.config import Settings as ActivatorSettings
from activator.server import Activator
from api import autoscaler_config
from api.admission import admit
from api.keys import ENV_ACTIVATOR, ENV_CACHE, MODEL_DIGEST
from api.kinds import CONFIGMAPS, REVISIONS
from api.live_defaults import LiveDefaults
from api.objects import Raw, rfc3339
from autoscaler import admin as autoscaler_admin
from autoscaler.config import Settings as AutoscalerSettings
from autoscaler.keeping import WindowStore
from autoscaler.server import Autoscaler
from cluster.direct import DirectClient
from cluster.events import EventRecorder
from cluster.informer import Informer
from controller import clusterconfig
from controller.config import Settings as ControllerSettings
from controller.fetched_models import FetchedModels
from controller.models import ModelDigests
from controller.server import Controller
from embedded import hosts, runtimes, settings_maps
from embedded.apiserver import ApiServer
from embedded.capabilities import Machine
from embedded.config import (
    Settings,
    SettingsError,
    fetching_environment,
    inherited_environment,
    machine_capacity,
    node_facts,
    node_labels,
    owner,
)
from embedded.datadir import DataDirectory
from embedded.deployments import DeploymentController
from embedded.fetchedmodels import RevisionFetch
from embedded.fetching import Fetcher
from embedded.freezing import Freezer
from embedded.http import make_app
from embedded.kubelet import Kubelet
from embedded.libraries import LibraryZygotes
from embedded.modelstore import ModelStore
from embedded.node import node
from embedded.proxying import Services
from embedded.refusing import refusing
from embedded.registering import register
from embedded.residence import Surroundings
from embedded.room import Room
from embedded.securing import security
from embedded.sources import Sources
from embedded.store import Store
from embedded.templates import Templates
from embedded.turns import Turns
from embedded.windows import SqliteWindows
from embedded.zygote import Zygote, ZygoteError

log = logging.getLogger(__name__)

_STOP_S = 20.0
_ZYGOTE_RESTART_S = 0.2
# Loading a model is processor time: more at once would all be ready later.
_STARTS_PER_CORE = 1
_START_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How a running platform is reached."""

    api: str
    activator: str
    kubeconfig: str


def run(settings: Settings, *, announce: Callable[[Addresses], None]) -> int:
    """Run until SIGINT or SIGTERM; `announce` is called once everything answers.

    Raises `embedded.datadir.DataDirectoryError`, `embedded.store.StorageError` or OSError (a
    port that is taken) before anything was started.
    """
    _raise_descriptor_limit()
    with (
        DataDirectory(settings.data_dir) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_run(settings, folder, announce))
    return 0


async def _run(
    settings: Settings, folder: DataDirectory, announce: Callable[[Addresses], None]
) -> None:
    await Platform(settings, folder).run(announce)  # its parts want the running loop


def _raise_descriptor_limit() -> None:
    """A laptop's soft limit of 1024 or less is a few hundred connections; the hard one is ours."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Platform:
    """Every part, built in the constructor and run by `run`."""

    def __init__(self, settings: Settings, folder: DataDirectory) -> None:
        self._settings = settings
        self._folder = folder
        self._guard = security(settings, folder, now_s=_wall_s())
        self._store = Store(settings.database)
        rng = random.Random()  # noqa: S311 - names and traffic splits, no secrets
        self._machine = Machine(owner=owner(), labels=node_labels())
        defaults = LiveDefaults(
            lambda: self._store.get(CONFIGMAPS, settings_maps.NAMESPACE, autoscaler_config.NAME)
        )
        check = refusing(admit, lambda: self._machine, clusterconfig.fault, defaults)
        self._server = ApiServer(self._store, admit=check, clock=_wall_s, rng=rng)
        self._client = DirectClient(self._server)
        self._environment = inherited_environment()  # of every process of a Pod
        self._environment[ENV_CACHE] = str(folder.cache.absolute())
        self._models = ModelStore(folder.models, model_root=settings.model_root)
        self._revisions = Informer(self._client, REVISIONS)
        self._fetcher = Fetcher(
            folder.cache,
            base_env={**fetching_environment(), **self._environment},
            held=lambda: _pinned(self._revisions.objects.values()),
            wall_s=_wall_s,
            bytes_max=settings.fetched_bytes,
        )
        self._sources = Sources(self._client)
        self._zygote = Zygote(env=self._environment, spares=settings.spares)
        self._events = EventRecorder(self._client, "kubelet")
        self._deployments = DeploymentController(
            self._client, events=self._events, rng=rng, clock=_wall_s
        )
        self._autoscaler = Autoscaler(
            self._client, AutoscalerSettings(), clock=_wall_s, store=_window_store(settings)
        )
        self._activator = Activator(
            self._client,
            ActivatorSettings(host=settings.host, port=settings.port, domain=settings.domain),
            report=self._autoscaler.receive,
            rng=rng,
        )
        self._capacity = machine_capacity(folder.path)
        self._freezer = Freezer(self._client, settings.frozen, clock=_wall_s)
        self._templates = Templates(self._zygote, self._events)
        self._libraries = LibraryZygotes(
            self._zygote, sets_max=settings.libraries_max, ahead=settings.libraries
        )
        self._kubelet = Kubelet(
            self._surroundings(),
            pods_dir=folder.pods,
            room=Room(pods_max=settings.max_pods, capacity=self._capacity),
        )
        self._server.logs_port = self._kubelet.logs

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            client=self._client,
            zygote=self._zygote,
            models=self._models,
            turns=Turns(at_once_max=_STARTS_PER_CORE * (os.cpu_count() or 1), longest_s=_START_S),
            events=self._events,
            sources=self._sources,
            fetcher=self._fetcher,
            machine=lambda: self._machine,
            capacity=self._capacity,
            freezer=self._freezer,
            templates=self._templates,
            libraries=self._libraries,
            run_dir=self._folder.run,
            work_dir=self._settings.model_root,
            base_env=self._environment,
            clock=_wall_s,
            release=self._activator.release,
        )

    async def run(self, announce: Callable[[Addresses], None]) -> None:
        """Start everything, wait for a signal, stop everything in order."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        guard = self._guard
        app = make_app(self._server, token=guard.token, services=self._questions())
        api = web.AppRunner(app, access_log=None, handle_signals=False)
        await api.setup()
        try:
            listens = self._settings.api_listens
            site = web.TCPSite(api, listens, self._settings.api_port, ssl_context=guard.context)
            await site.start()
            facts = node_facts(self._folder.path, pods_max=self._settings.max_pods)
            await register(self._client, node(facts, now=rfc3339(_wall_s())))
            self._learned(await self._zygote.start())
            await self._serve(_address_of(api, guard.scheme), announce, stop)
        finally:
            await self._zygote.stop()
            await api.cleanup()
            self._store.close()

    def _questions(self) -> Services:
        """What the components can be asked through the API server."""
        return {
            "activator": partial(activator_admin.make_app, self._activator),
            "autoscaler": partial(autoscaler_admin.make_app, self._autoscaler),
        }

    def _learned(self, said: Mapping[str, Any]) -> None:
        """What the zygote found out of this kernel."""
        self._machine = replace(self._machine, no_mounts=str(said.get("unconfined", "")))
        if self._machine.no_mounts:
            log.warning(
                "volumes can not be mounted on this machine, and Pods with some are refused: %s",
                self._machine.no_mounts,
            )
        else:
            log.info("processes get mount namespaces of their own where a Pod has volumes")

    async def _serve(
        self, api_address: str, announce: Callable[[Addresses], None], stop: asyncio.Event
    ) -> None:
        """Run the components until told to stop; replicas end before their zygote does."""
        async with asyncio.TaskGroup() as tasks:
            parts = [tasks.create_task(part) for part in self._parts(tasks)]
            await self._activator.started()
            host, port = self._activator.address
            activator = _authority(host, port)
            self._environment[ENV_ACTIVATOR] = activator
            kubelet = tasks.create_task(self._kubelet.run())
            await runtimes.install(self._client)
            await settings_maps.install(self._client)
            digests = FetchedModels(
                RevisionFetch(self._fetcher, self._sources),
                ModelDigests(self._settings.model_root).resolve,
            )
            controller = Controller(
                self._client,
                ControllerSettings(
                    domain=self._settings.domain,
                    external_port=port,
                    model_root=self._settings.model_root,
                ),
                clock=_wall_s,
                resolve_digest=digests.resolve,
                progress=digests.progress,
            )
            parts.append(tasks.create_task(controller.run()))
            self._folder.publish(
                api=api_address,
                activator=f"http://{activator}",
                domain=self._settings.domain,
                authority=self._guard.authority,
                token=self._guard.token,
            )
            announce(
                Addresses(
                    api=api_address,
                    activator=f"http://{activator}",
                    kubeconfig=str(self._settings.kubeconfig),
                )
            )
            await stop.wait()
            log.info("stopping")
            self._kubelet.stop()
            await asyncio.wait([kubelet], timeout=_STOP_S)
            for part in (*parts, kubelet):
                part.cancel()

    def _parts(self, tasks: asyncio.TaskGroup) -> Iterator[Coroutine[Any, Any, None]]:
        """What runs from the start."""
        yield self._events.run()
        yield self._deployments.run()
        yield self._autoscaler.run()
        yield self._activator.run()
        yield self._keep_zygote()
        yield self._keep_models(tasks)
        yield self._templates.run()
        yield self._libraries.run()

    async def _keep_zygote(self) -> None:
        """Start another zygote when one dies; the Pods' lives start their processes again."""
        while True:
            code = await self._zygote.wait()
            log.error("the zygote ended with code %s: starting another", code)
            await asyncio.sleep(_ZYGOTE_RESTART_S)
            try:
                await self._zygote.start()
            except ZygoteError as error:
                log.warning("%s", error)

    async def _keep_models(self, stopping: asyncio.TaskGroup) -> None:
        """Drop what is kept for Revisions when they are gone: their models, zygotes of theirs."""
        revisions = self._revisions

        def changed(old: Raw | None, new: Raw | None) -> None:
            if new is None:
                pinned = _pinned(revisions.objects.values())
                self._models.sweep(pinned)
                self._libraries.keep(pinned)
                uids = (str(each["metadata"]["uid"]) for each in revisions.objects.values())
                for gone in self._templates.keep(uids):
                    stopping.create_task(gone.retire())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(revisions.run())
            await revisions.synced()
            self._models.sweep(_pinned(revisions.objects.values()))
            revisions.on_change(changed)


def _window_store(settings: Settings) -> WindowStore:
    """Where the autoscaler keeps what must outlive it; SettingsError names what is wrong."""
    if not settings.state:
        return SqliteWindows(settings.windows)
    try:
        from autoscaler.redis_state import RedisWindows  # an extra: not everybody has it
    except ImportError as error:
        raise SettingsError(f"--state: {error}: pip install 'relight[redis]'") from error
    try:
        return RedisWindows(settings.state)
    except ValueError as error:
        raise SettingsError(f"--state: {error}") from error


def _pinned(revisions: Iterable[Raw]) -> set[str]:
    annotations = ((r["metadata"].get("annotations") or {}) for r in revisions)
    return {str(a[MODEL_DIGEST]) for a in annotations if MODEL_DIGEST in a}


def _wall_s() -> float:
    """Seconds since the epoch, for Kubernetes timestamps only."""
    return time.time()  # noqa: TID251 - the one shell that reads the wall clock


def _address_of(runner: web.AppRunner, scheme: str) -> str:
    """How this machine itself reaches the server."""
    host, port = runner.addresses[0][:2]
    return f"{scheme}://{_authority(host, port)}"


def _authority(host: str, port: int) -> str:
    """HOST:PORT for this machine's own clients of a server that listens there."""
    host = hosts.reachable(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
