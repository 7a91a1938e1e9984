"""What goes wrong between a component and the API server: an interceptor around its client.

For: refusing writes before they happen or losing the answer after, cutting watches, delaying.
Must not know: which component it serves, or what any object means.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from api.kinds import Resource
from api.objects import Raw
from cluster.client import ALL, ObjectList, Page, PatchKind, WatchEvent
from cluster.direct import DirectClient
from cluster.errors import ConflictError, GoneError, InternalError, UnavailableError
from tests.simulation.server import SwitchedServer

_DELAYS_S = (0.0, 0.0, 0.0, 0.001, 0.004, 0.03)


@dataclass(slots=True)
class Weather:
    """How bad it is now; one for all clients. Probabilities are for each call or event."""

    refused: float = 0.0  # the write did not happen
    conflict: float = 0.0
    lost: float = 0.0  # the write happened, its answer was lost
    unlisted: float = 0.0
    cut: float = 0.0  # a watch ends
    gone: float = 0.0  # a watch ends with 410
    lag: float = 0.0
    lag_s: float = 0.0

    def calm(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0.0)


class FaultyClient(DirectClient):
    """A component's own way to the API server. `cut_off` when the component is killed."""

    def __init__(
        self, server: SwitchedServer, weather: Weather, rng: random.Random, *, user: str
    ) -> None:
        super().__init__(server, user=user)
        self._weather = weather
        self._rng = rng
        self._is_cut_off = False

    def cut_off(self) -> None:
        """Nothing of this component may reach the server any more, not even while it dies."""
        self._is_cut_off = True

    async def _travel(self) -> None:
        delay_s = self._rng.choice(_DELAYS_S)
        if delay_s:
            await asyncio.sleep(delay_s)
        if self._is_cut_off:
            raise UnavailableError("this component is dead")

    async def _before_write(self, *, conflict: bool = True) -> None:
        await self._travel()
        number = self._rng.random()
        if number < self._weather.refused:
            raise InternalError("injected: nothing was written")
        if conflict and number < self._weather.refused + self._weather.conflict:
            raise ConflictError("injected: somebody else was quicker")

    def _after_write(self) -> None:
        if self._rng.random() < self._weather.lost:
            raise UnavailableError("injected: written, but the answer was lost")

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        await self._travel()
        return await super().get(resource, namespace, name)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page: Page = ALL,
    ) -> ObjectList:
        del page
        await self._travel()
        if self._rng.random() < self._weather.unlisted:
            raise InternalError("injected: no list")
        return await super().list(
            resource, namespace, label_selector=label_selector, field_selector=field_selector
        )

    async def create(self, resource: Resource, obj: Raw) -> dict[str, Any]:
        await self._before_write()
        made = await super().create(resource, obj)
        self._after_write()
        return made

    async def replace(
        self, resource: Resource, obj: Raw, *, subresource: str = ""
    ) -> dict[str, Any]:
        await self._before_write()
        made = await super().replace(resource, obj, subresource=subresource)
        self._after_write()
        return made

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        kind: PatchKind = "merge",
        subresource: str = "",
    ) -> dict[str, Any]:
        await self._before_write()
        made = await super().patch(
            resource, namespace, name, patch, kind=kind, subresource=subresource
        )
        self._after_write()
        return made

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        propagation: str = "Background",
        uid: str | None = None,
        grace_period_s: int | None = None,
    ) -> None:
        await self._before_write(conflict=False)
        await super().delete(
            resource,
            namespace,
            name,
            propagation=propagation,
            uid=uid,
            grace_period_s=grace_period_s,
        )
        self._after_write()

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        await self._travel()
        events = super().watch(
            resource,
            namespace,
            resource_version=resource_version,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        async for event in events:
            number, weather = self._rng.random(), self._weather
            if number < weather.lag:
                await asyncio.sleep(self._rng.random() * weather.lag_s)
            elif number < weather.lag + weather.cut:
                return
            elif number < weather.lag + weather.cut + weather.gone:
                raise GoneError("injected: list again")
            if self._is_cut_off:
                return
            yield event
