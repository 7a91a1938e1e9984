"""The controller, assembled: it makes the world match what users wrote.

For: whoever starts the controller; one call to run it.
Must not know: which API server it talks to.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.autoscaler_config import SettingsError
from api.kinds import (
    CLUSTERSERVINGRUNTIMES,
    CONFIGMAPS,
    CONFIGURATIONS,
    DEPLOYMENTS,
    DOMAINMAPPINGS,
    INFERENCESERVICES,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    SERVICES,
    SERVINGRUNTIMES,
    Resource,
)
from api.objects import Raw, rfc3339
from cluster.client import Client
from cluster.events import EventRecorder
from cluster.informer import Informer
from controller import (
    clusterconfig,
    collecting,
    configuration,
    domainmapping,
    inference,
    inference_view,
    labeler,
    revision,
    route,
    service,
)
from controller.addresses import Addresses
from controller.clusterconfig import ClusterConfig
from controller.concerns import Task, Work, stuck_pods, work_for
from controller.config import Settings
from controller.failures import Fault
from controller.gateway_routes import GatewayRoutes
from controller.inference_pods import Surroundings
from controller.inference_writing import REFUSED_AGAIN_S, without_writes
from controller.manager import Manager, Statistics
from controller.models import ModelDigests, Progress, Resolutions, Resolve
from controller.pinning import needs_digest
from controller.pod_events import is_stuck
from controller.publisher import Publisher
from controller.reconciler import RefusedError, Writer
from controller.unserved import unserved
from controller.view import WATCHED, Key, View, key_of, ours_whole, revisions_whole, whole

_LOG = logging.getLogger(__name__)
# A cluster may be without these.
_OPTIONAL = (DOMAINMAPPINGS, INFERENCESERVICES, SERVINGRUNTIMES, CLUSTERSERVINGRUNTIMES)
_KEPT = {PODS: ours_whole, DEPLOYMENTS: revisions_whole}  # on a cluster most are other people's
_OF_REPLICAS = (DEPLOYMENTS, PODAUTOSCALERS, PODS)

_STUCK_S = 2.0  # how often Events are thought of, where Pods do not start

Tell = Callable[[Sequence[Raw]], Awaitable[dict[str, Fault]]]
Planned = float | None  # seconds after which to look again


class Controller:
    """Watches what users wrote and what became of it, and keeps the two in step."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        clock: Callable[[], float],
        resolve_digest: Resolve | None = None,
        progress: Progress | None = None,
        mishaps: Tell | None = None,
    ) -> None:
        """`clock` is wall time (epoch, seconds).

        `resolve_digest(revision)` finds a model's digest, by default from files under
        `settings.model_root`; `progress(revision)` tells how far that is. `mishaps(pods)` tells
        what Events say of those that do not start.
        """
        self._settings = settings
        self._mishaps = mishaps
        self._clock = clock
        self._addresses = Addresses(domain=settings.domain, port=settings.external_port)
        self._components = Surroundings(
            domain=settings.domain,
            port=settings.external_port,
            model_root=str(root.absolute()) if (root := settings.model_root) is not None else "",
        )
        self._events = EventRecorder(client, "controller", clock=clock)
        self._writer = Writer(client, self._events)
        self._informers = {resource: _informer(client, resource) for resource in WATCHED}
        self._config = ClusterConfig()
        self._configmaps = Informer(client, CONFIGMAPS, settings.config_namespace, is_optional=True)
        self._view = View({each: found.objects for each, found in self._informers.items()})
        self._manager = Manager(self._reconcile, workers_max=settings.workers_max)
        self._digests = Resolutions(
            resolve_digest or ModelDigests(settings.model_root or Path()).resolve,
            wake=lambda key: self._manager.enqueue((Task.REVISION, key)),
            grace_s=settings.digest_grace_s,
            progress=progress,
        )
        self._tasks = {
            Task.SERVICE: self._service,
            Task.CONFIGURATION: self._configuration,
            Task.REVISION: self._revision,
            Task.ROUTE: self._route,
            Task.LABELS: self._labels,
            Task.COLLECT: self._collect,
            Task.DOMAINMAPPING: self._domainmapping,
            Task.INFERENCE: self._inference,
        }
        self._publisher: Publisher | None = None
        self._gateway: GatewayRoutes | None = None
        self._publish(client, settings)

    def _publish(self, client: Client, settings: Settings) -> None:
        """What only a cluster has: Services of Kubernetes' own, and routes of a gateway's."""
        if settings.publishing is not None:
            self._publisher = Publisher(
                client, settings.publishing, self._view, self._writer, self._manager.enqueue
            )
            self._tasks[Task.PUBLISH] = self._publisher.revision
            self._tasks[Task.PUBLISH_ROUTE] = self._publisher.route
            self._tasks[Task.PUBLISH_INFERENCE] = self._publisher.inference
        if settings.gateway is not None:
            self._gateway = GatewayRoutes(
                client, settings.gateway, self._view, self._writer, self._manager.enqueue
            )
            self._tasks[Task.GATEWAY] = self._httproutes

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for resource, informer in self._informers.items():
                informer.on_change(self._follow(resource))
                tasks.create_task(informer.run())
            tasks.create_task(self._events.run())
            tasks.create_task(self._digests.run())
            self._configmaps.on_change(self._configure)
            tasks.create_task(self._configmaps.run())
            await self._configmaps.synced()
            # A plan made from half a view would make children that exist already.
            for informer in self._informers.values():
                await informer.synced()
            if self._publisher is not None:
                tasks.create_task(self._publisher.run())
            if self._gateway is not None:
                tasks.create_task(self._gateway.run())
            tasks.create_task(self._manager.run())

    @property
    def informers(self) -> Mapping[Resource, Informer]:
        """What is watched anyway, for others in this process that look at the same."""
        return self._informers

    def look_again(self, revision: Key) -> None:
        """At a Revision of which something changed that is not watched here."""
        self._manager.enqueue((Task.REVISION, revision))

    def statistics(self) -> Statistics:
        """What was done and what is left to do."""
        return self._manager.statistics()

    def _follow(self, resource: Resource) -> Callable[[Any, Any], None]:
        # Statuses are written beside the way from zero, never in it: with a server in this
        # process, work done at once would stand between a replica's start and its first request.
        after_s = self._settings.beside_s if resource in _OF_REPLICAS else 0.0

        def change(old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
            self._view.change(resource, old, new)
            for work in work_for(self._view, resource, old, new):
                self._manager.enqueue(work, after_s=after_s)
            if self._mishaps is not None:
                for work in stuck_pods(resource, old, new):
                    self._manager.enqueue(work)
            if self._publisher is not None:
                for work in self._publisher.concerned(resource, old, new):
                    self._manager.enqueue(work)
            if self._gateway is not None and resource == ROUTES and new is not None:
                self._manager.enqueue((Task.GATEWAY, key_of(new)))

        return change

    def _configure(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        """A ConfigMap changed. One that can not be read leaves everything as it was."""
        name = str((new or old or {})["metadata"]["name"])
        data = (new or {}).get("data") or {}
        try:
            config = clusterconfig.updated(self._config, name, data)
        except SettingsError as error:
            _LOG.warning("Error updating controller config %r: %s", name, error)
            self._events.warning(new or {}, "InvalidConfiguration", str(error))
            return
        for key, why in unserved(name, data).items():
            place = f"{self._settings.config_namespace}/{name}"
            _LOG.warning("%s of ConfigMap %s is not served: %s", key, place, why)
        if config.collection != self._config.collection:
            for each in self._view.keys(CONFIGURATIONS):
                self._manager.enqueue((Task.COLLECT, each))
        if config.rollout_s != self._config.rollout_s:
            for each in self._view.keys(ROUTES):
                self._manager.enqueue((Task.ROUTE, each))
        if config.progress_deadline_s != self._config.progress_deadline_s:
            for each in self._view.keys(REVISIONS):
                self._manager.enqueue((Task.REVISION, each))
        self._config = config

    async def _reconcile(self, work: Work) -> Planned:
        task, key = work
        return await self._tasks[task](key)

    def _now(self) -> str:
        return rfc3339(self._clock())

    async def _service(self, key: Key) -> Planned:
        seen = self._view.service(key)
        if seen is not None:
            plan = service.plan(seen, now=self._now())
            await self._writer.carry_out(SERVICES, seen.service, plan)
        return None

    async def _configuration(self, key: Key) -> Planned:
        seen = self._view.configuration(key)
        if seen is None:
            return None
        plan = configuration.plan(seen, now=self._now())
        try:
            await self._writer.carry_out(CONFIGURATIONS, seen.configuration, plan)
        except RefusedError as error:
            refused = configuration.refused(seen, error.message)
            plan = configuration.plan(refused, now=self._now())
            await self._writer.carry_out(CONFIGURATIONS, seen.configuration, plan)
            raise
        return None

    async def _revision(self, key: Key) -> Planned:
        seen = self._view.revision(key, config=self._config)
        if seen is None:
            self._digests.forget(key)
            return None
        if needs_digest(seen.revision):
            uid = seen.revision["metadata"]["uid"]
            model = await self._digests.look(key, seen.revision)
            seen = self._view.revision(key, model, config=self._config)
            if seen is None or seen.revision["metadata"]["uid"] != uid:
                return None  # the digest is of one that is gone; the next is looked at by itself
        seen = replace(seen, predictor=self._settings.predictor)
        if self._publisher is not None:
            seen = replace(seen, lost_names=self._publisher.foreign(Task.PUBLISH, key))
        stuck = [pod for pod in seen.pods if is_stuck(pod)] if self._mishaps is not None else []
        if self._mishaps is not None and stuck:
            seen = replace(seen, mishaps=await self._mishaps(stuck))
        plan = revision.plan(seen, now=self._now())
        await self._writer.carry_out(REVISIONS, seen.revision, plan)
        return _STUCK_S if stuck and plan.requeue_after_s is None else plan.requeue_after_s

    async def _route(self, key: Key) -> Planned:
        seen = self._view.route(key, rollout_s=self._config.rollout_s)
        if seen is None:
            return None
        if self._publisher is not None:
            lost = {*seen.lost_names, *self._publisher.foreign(Task.PUBLISH_ROUTE, key)}
            seen = replace(seen, lost_names=lost)
        if self._gateway is not None:
            seen = replace(seen, ingress=self._gateway.ingress(seen.route, self._addresses))
        plan = route.plan(seen, self._addresses, now_s=self._clock())
        await self._writer.carry_out(ROUTES, seen.route, plan)
        return plan.requeue_after_s

    async def _httproutes(self, key: Key) -> Planned:
        assert self._gateway is not None
        return await self._gateway.reconcile(key, self._addresses)

    async def _labels(self, key: Key) -> Planned:
        seen = self._view.labels(key)
        plan = labeler.plan(seen, now=self._now())
        await self._writer.carry_out(ROUTES, seen.route or {}, plan)
        return None

    async def _collect(self, key: Key) -> Planned:
        seen = self._view.collection(key, self._config.collection)
        if seen is None:
            return None
        plan = collecting.plan(seen, now_s=self._clock())
        for each in plan.deletes:
            _LOG.info("deleting Revision %s/%s, which nobody needs", each.namespace, each.name)
        await self._writer.carry_out(CONFIGURATIONS, seen.configuration, plan)
        return plan.requeue_after_s

    async def _domainmapping(self, key: Key) -> Planned:
        seen = self._view.domainmapping(key, self._settings.external_port)
        if seen is not None:
            plan = domainmapping.plan(seen, now=self._now())
            await self._writer.carry_out(DOMAINMAPPINGS, seen.mapping, plan)
        return None

    async def _inference(self, key: Key) -> Planned:
        seen = inference_view.observe(self._view, key)
        if seen is None:
            return None
        plan = inference.plan(seen, self._components, now=self._now())
        refused = await self._writer.carry_out_each(INFERENCESERVICES, seen.service, plan)
        if refused:
            seen = inference.refused(seen, refused)
            plan = inference.plan(seen, self._components, now=self._now())
        await self._writer.carry_out(INFERENCESERVICES, seen.service, without_writes(plan))
        return REFUSED_AGAIN_S if refused else plan.requeue_after_s


def _informer(client: Client, resource: Resource) -> Informer:
    keep = _KEPT.get(resource, whole)
    return Informer(client, resource, is_optional=resource in _OPTIONAL, keep=keep)
