"""Beside Knative: its queue-proxies and activators are read, its ServerlessServices are written.

For: an autoscaler of a class of its own on a cluster whose Revisions Knative makes and serves.
Must not know: how load is decided on, or how any of its parts works.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from api import keys
from autoscaler import activators, queue_proxies
from autoscaler.activators import Activators
from autoscaler.config import Settings
from autoscaler.neighbours import Decider, Statistics
from autoscaler.queue_proxies import QueueProxies
from autoscaler.scaler import Key
from autoscaler.serverless_services import ServerlessServices
from cluster.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where Knative is, and its ports."""

    namespace: str
    queue_proxy_port: int = queue_proxies.PORT
    activator_port: int = activators.PORT


class Beside:
    """What stands in for our own activators, and for who publishes Services."""

    def __init__(
        self,
        client: Client,
        place: Place,
        decider: Decider,
        *,
        draw: Callable[[], float] | None = None,
    ) -> None:
        self._decider = decider
        self.path = ServerlessServices(
            client, changed=decider.path_changed, can_wake=lambda: self.can_wake
        )
        self._activators = Activators(
            client,
            place.namespace,
            receive=decider.receive,
            is_empty=self._is_empty,
            judged=decider.woken,
            port=place.activator_port,
        )
        self.meter = QueueProxies(
            draw or random.Random().random,  # noqa: S311 - who is asked, no secret
            is_counted_elsewhere=self._activators.counts,
            port=place.queue_proxy_port,
        )

    async def run(self) -> None:
        """Watch, ask and write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.path.run(), name="autoscaler ways")
            tasks.create_task(self._activators.run(), name="autoscaler activators' reports")

    async def ready(self) -> None:
        """Wait until it is known what is written, and whether a Revision at zero can be woken."""
        await self.path.synced()
        await self._activators.judged()

    @property
    def can_wake(self) -> bool:
        """Say whether requests for a Revision at zero are told of."""
        return self._activators.can_wake

    def settings(self, settings: Settings) -> Settings:
        """The same for who decides here: only what names our class, and nothing that can not be."""
        return replace(
            settings,
            classes=(keys.CLASS_RELIGHT,),
            is_class_named=True,
            hears_reports=False,
            can_wake=self.can_wake,
        )

    def statistics(self) -> Statistics:
        """Of both sides."""
        reading, writing = self._activators.statistics(), self.path.statistics()
        return Statistics(
            can_wake=reading.can_wake,
            activators=reading.activators,
            answers=reading.answers,
            failures=reading.failures,
            written=writing.written,
            write_failures=writing.failures,
        )

    def _is_empty(self, key: Key) -> bool:
        known = self._decider.known(key)
        return known is None or known.scale.ready == 0
