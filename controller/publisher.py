"""Keep the Services of Routes and Revisions leading where they should.

For: following modes, Pods and activators; one write for each change.
Must not know: where a Service should lead, or who else reads Routes and Revisions.

A Revision's Routes are written before its own Service: whoever sees an activator answer there knows
that the Routes' Services lead to activators, too.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from api import keys
from api.kinds import (
    CORE_SERVICES,
    ENDPOINTSLICES,
    ENDPOINTSLICES_V1BETA1,
    INFERENCESERVICES,
    PODAUTOSCALERS,
    PODS,
    REVISIONS,
    ROUTES,
    Resource,
)
from api.objects import Raw
from cluster.client import Client, Page
from cluster.errors import ApiError, NotFoundError
from cluster.informer import Informer
from controller import publishing, slices
from controller.children import annotations_of, controller_of, labels_of
from controller.concerns import Task, Work
from controller.plan import Plan, Write, status_of
from controller.publishing import Leading, Observed, Publishing, Wanted, endpoint, ready_endpoint
from controller.reconciler import RefusedError, Writer
from controller.route import served_revisions
from controller.slices import Endpoint
from controller.view import Index, Key, View, key_of

_LOG = logging.getLogger(__name__)
# Who says in a condition that a name is somebody else's.
_TOLD = {ROUTES: Task.ROUTE, REVISIONS: Task.REVISION}
NOT_OWNED_RETRY_S = 30.0  # whoever has the name may give it up
_ASKED_AGAIN_S: Final = 1.0


async def served_slices(client: Client, namespace: str | None = None) -> Resource:
    """The EndpointSlices that a server has; servers before 1.21 know the first version only.

    It is asked until it answers.
    """
    while True:
        try:
            await client.list(ENDPOINTSLICES, namespace, page=Page(limit=1))
        except NotFoundError:
            return ENDPOINTSLICES_V1BETA1
        except ApiError as error:
            _LOG.warning("%s: %s; asking again", ENDPOINTSLICES.plural, error.message)
            await asyncio.sleep(_ASKED_AGAIN_S)
        else:
            return ENDPOINTSLICES


_TASKS = {
    REVISIONS.kind: Task.PUBLISH,
    ROUTES.kind: Task.PUBLISH_ROUTE,
    INFERENCESERVICES.kind: Task.PUBLISH_INFERENCE,
}


class Publisher:
    """Work for the controller's queue, in tasks: of a Revision, a Route, an InferenceService."""

    def __init__(
        self,
        client: Client,
        surroundings: Publishing,
        view: View,
        writer: Writer,
        enqueue: Callable[[Work], None],
    ) -> None:
        self._client = client
        self._view = view
        self._writer = writer
        self._enqueue = enqueue
        self._routes_by_revision = Index(_served)
        self._resource = ENDPOINTSLICES
        self._services = Informer(client, CORE_SERVICES, label_selector=keys.PUBLISHED)
        self._activators = Informer(
            client, PODS, surroundings.system_namespace, label_selector=surroundings.selector
        )
        self._slices: Informer | None = None
        self._slices_by_owner = Index(_owned)
        self._services_by_owner = Index(_owned)
        self._foreign: dict[Work, list[str]] = {}
        self._ready: list[Endpoint] = []
        self._alive: list[Endpoint] = []  # ready or not, as of when the ready ones changed
        # Before, a plan would make what is there, and take activators away that are there.
        self._is_synced = False

    async def run(self) -> None:
        """Follow what is published until cancelled; work is asked for once all of it is known."""
        self._resource = await served_slices(self._client)
        selector = f"{keys.SLICE_MANAGER}={slices.MANAGER}"
        self._slices = Informer(self._client, self._resource, label_selector=selector)
        informers = [self._services, self._slices, self._activators]
        async with asyncio.TaskGroup() as tasks:
            for informer in informers:
                tasks.create_task(informer.run())
            for informer in informers:
                await informer.synced()
            self._services.on_change(self._written(self._services_by_owner))
            self._slices.on_change(self._written(self._slices_by_owner))
            self._activators.on_change(self._activator_changed)
            self._is_synced = True
            self._everything()

    # -- whom a change concerns -------------------------------------------------------------

    def concerned(self, resource: Resource, old: Raw | None, new: Raw | None) -> Iterator[Work]:
        """The work that a change of what the controller watches anyway may cause."""
        raw = new if new is not None else old
        assert raw is not None
        key = key_of(raw)
        if resource == ROUTES:
            self._routes_by_revision.change(old, new)
            if new is None:
                self._foreign.pop((Task.PUBLISH_ROUTE, key), None)
            yield Task.PUBLISH_ROUTE, key
        elif resource == REVISIONS and (new is None or old is None):
            self._foreign.pop((Task.PUBLISH, key), None)
            yield Task.PUBLISH, key
        elif resource == INFERENCESERVICES and (new is None or old is None):
            self._foreign.pop((Task.PUBLISH_INFERENCE, key), None)
            yield Task.PUBLISH_INFERENCE, key
        elif resource == PODAUTOSCALERS and _wish(old) != _wish(new):
            yield Task.PUBLISH, key
        elif resource == PODS and _place(old) != _place(new):
            for name in {labels_of(each).get(keys.REVISION, "") for each in (old, new) if each}:
                yield Task.PUBLISH, (key[0], name)

    def _written(self, index: Index) -> Callable[[Any, Any], None]:
        """Something published changed: by us, or it is put right."""

        def change(old: Raw | None, new: Raw | None) -> None:
            index.change(old, new)
            owner = controller_of(new or old or {})
            if owner is not None and owner["kind"] in _TASKS:
                task = _TASKS[str(owner["kind"])]
                self._enqueue((task, (key_of(new or old or {})[0], str(owner["name"]))))

        return change

    def _activator_changed(self, old: Raw | None, new: Raw | None) -> None:
        del old, new
        pods = self._activators.objects.values()
        ready = sorted(found for each in pods if (found := ready_endpoint(each)) is not None)
        alive = sorted(found for each in pods if (found := endpoint(each)) is not None)
        if ready != self._ready or (not ready and alive != self._alive):
            self._ready, self._alive = ready, alive
            self._everything()

    def _everything(self) -> None:
        for key in self._view.keys(REVISIONS):
            self._enqueue((Task.PUBLISH, key))
        for key in self._view.keys(ROUTES):
            self._enqueue((Task.PUBLISH_ROUTE, key))
        for key in self._view.keys(INFERENCESERVICES):
            self._enqueue((Task.PUBLISH_INFERENCE, key))

    # -- the work ---------------------------------------------------------------------------

    def foreign(self, task: Task, key: Key) -> list[str]:
        """The names for Services of this owner that are somebody else's."""
        return self._foreign.get((task, key), [])

    async def revision(self, key: Key) -> float | None:
        """Publish the Routes that have a Revision, then the Revision."""
        for route in self._routes_by_revision.get(key):
            try:
                await self.route(route)
            except RefusedError as error:
                if error.write.resource != CORE_SERVICES:
                    raise
                # One that is not there leads nowhere; the Route's own work tells of it.
        found = self._leading(key)
        if found is None or not self._is_synced:
            return None
        wanted = publishing.of_revision(found, self._ready)
        return await self._publish((Task.PUBLISH, key), REVISIONS, found.revision, wanted)

    async def route(self, key: Key) -> float | None:
        """Publish a Route and its tags."""
        raw = self._view.get(ROUTES, key)
        if raw is None or not self._is_synced:
            return None
        served = {name: self._leading((key[0], name)) for name in served_revisions(raw)}
        known = {name: each for name, each in served.items() if each is not None}
        wanted = publishing.of_route(raw, known, self._ready)
        return await self._publish((Task.PUBLISH_ROUTE, key), ROUTES, raw, wanted)

    async def inference(self, key: Key) -> float | None:
        """Publish an InferenceService, unless a Route has its name: that one's goes before it."""
        raw = self._view.get(INFERENCESERVICES, key)
        if raw is None or not self._is_synced or self._view.get(ROUTES, key) is not None:
            return None
        wanted = publishing.of_inference(raw, self._ready)
        return await self._publish((Task.PUBLISH_INFERENCE, key), INFERENCESERVICES, raw, wanted)

    def _leading(self, key: Key) -> Leading | None:
        raw = self._view.get(REVISIONS, key)
        if raw is None:
            return None
        return Leading(
            revision=raw,
            podautoscaler=self._view.get(PODAUTOSCALERS, key),
            pods=self._view.all(PODS, self._view.pods_by_revision.get(key)),
        )

    async def _publish(
        self, work: Work, resource: Resource, owner: Raw, wanted: Mapping[str, Wanted]
    ) -> float | None:
        wanted = publishing.not_nowhere(wanted, self._alive)
        seen = await self._observe(owner, wanted)
        refused = await self._carry_out(resource, owner, publishing.plan(seen, wanted))
        lost = publishing.foreign(seen, wanted)
        if lost != self._foreign.get(work, []):
            self._foreign[work] = lost
            if not lost:
                del self._foreign[work]
            if resource in _TOLD:
                self._enqueue((_TOLD[resource], work[1]))
        if refused is not None:
            raise refused
        return NOT_OWNED_RETRY_S if lost else None

    async def _carry_out(self, resource: Resource, owner: Raw, plan: Plan) -> RefusedError | None:
        """Write all that is not refused; of Services that are (by a quota), why the first one is.

        Those that are there go on following what they lead to.
        """
        refused: dict[str, RefusedError] = {}
        rest: list[Write] = []
        for write in plan.creates:
            if write.resource != CORE_SERVICES:
                rest.append(write)
                continue
            try:
                await self._writer.carry_out(resource, owner, Plan(creates=(write,)))
            except RefusedError as error:
                refused[write.name] = error
        kept = [e for e in rest if labels_of(e.object).get(keys.SERVICE_NAME) not in refused]
        await self._writer.carry_out(resource, owner, replace(plan, creates=tuple(kept)))
        return next(iter(refused.values()), None)

    async def _observe(self, owner: Raw, wanted: Mapping[str, Wanted]) -> Observed:
        """What there is; a name that we do not know to be ours is asked for."""
        namespace, name = key_of(owner)
        index = (owner["kind"], namespace, name)
        own = [
            each
            for key in self._services_by_owner.get(index)
            if (each := self._services.objects.get(key)) is not None
        ]
        services: dict[str, Raw] = {str(each["metadata"]["name"]): each for each in own}
        for asked in wanted:
            if asked not in services:
                found = await self._found(namespace, asked)
                if found is not None:
                    services[asked] = found
        assert self._slices is not None
        objects = self._slices.objects
        held = [
            each
            for key in self._slices_by_owner.get(index)
            if (each := objects.get(key)) is not None
        ]
        return Observed(owner=owner, services=services, slices=held, resource=self._resource)

    async def _found(self, namespace: str, name: str) -> Raw | None:
        try:
            return await self._client.get(CORE_SERVICES, namespace, name)
        except NotFoundError:
            return None


def _served(route: Raw) -> list[Key]:
    namespace = key_of(route)[0]
    return [(namespace, name) for name in served_revisions(route)]


def _owned(raw: Raw) -> list[tuple[str, str, str]]:
    owner = controller_of(raw)
    return [] if owner is None else [(str(owner["kind"]), key_of(raw)[0], str(owner["name"]))]


def _wish(podautoscaler: Raw | None) -> Any:
    if podautoscaler is None:
        return None
    status = status_of(podautoscaler)
    direct = annotations_of(podautoscaler).get(keys.DIRECT)
    return status.get("mode"), status.get("activators"), direct


def _place(pod: Raw | None) -> Any:
    if pod is None:
        return None
    labels = labels_of(pod)
    return ready_endpoint(pod), labels.get(keys.REVISION), labels.get(keys.REVISION_UID)
