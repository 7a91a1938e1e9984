"""Keep the HTTPRoutes of Routes as they should be, and tell the Routes what gateways say.

For: clusters whose own gateway is the entry (`--gateway`).
Must not know: what an HTTPRoute looks like.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from api import keys
from api.conditions import Condition
from api.kinds import HTTPROUTES, ROUTES
from api.objects import Raw
from cluster.client import Client, Page
from cluster.errors import ApiError, ForbiddenError, NotFoundError
from cluster.informer import Informer
from controller import gateway
from controller.addresses import Addresses
from controller.children import labels_of
from controller.concerns import Task, Work
from controller.gateway import Gateway
from controller.plan import Plan
from controller.reconciler import Writer
from controller.view import Index, Key, View, key_of

_LOG = logging.getLogger(__name__)
_AGAIN_S: Final = 30.0  # somebody may install the Gateway API
_REFUSED_AGAIN_S: Final = 60.0  # the server's rules may change


class GatewayRoutes:
    """Work for the controller's queue: task GATEWAY, of a Route."""

    def __init__(
        self,
        client: Client,
        attached_to: Gateway,
        view: View,
        writer: Writer,
        enqueue: Callable[[Work], None],
    ) -> None:
        self._client = client
        self._gateway = attached_to
        self._view = view
        self._writer = writer
        self._enqueue = enqueue
        self._by_route = Index(_route_of)
        self._informer = Informer(
            client, HTTPROUTES, label_selector=keys.PUBLISHED, is_optional=True
        )
        self._is_served: bool | None = None  # None: not known yet

    async def run(self) -> None:
        """Follow HTTPRoutes until cancelled; while this cluster has none, that is said."""
        self._informer.on_change(self._changed)
        while True:
            if await self._look():
                await self._informer.run()
            await asyncio.sleep(_AGAIN_S)

    async def _look(self) -> bool:
        """Whether HTTPRoutes are served; a change of that concerns every Route."""
        is_served = True
        try:
            await self._client.list(HTTPROUTES, page=Page(limit=1))
        except (NotFoundError, ForbiddenError) as error:
            is_served = False
            if self._is_served is None:
                _LOG.warning("--gateway: %s (%s)", gateway.MISSING.message, error.message)
        except ApiError as error:
            _LOG.info("%s: %s; the informer asks on", HTTPROUTES.plural, error.message)
        if is_served is not self._is_served:
            self._is_served = is_served
            for key in self._view.keys(ROUTES):
                self._enqueue((Task.GATEWAY, key))
                self._enqueue((Task.ROUTE, key))
        return is_served

    async def reconcile(self, key: Key, addresses: Addresses) -> float | None:
        """Write the HTTPRoutes of a Route; the seconds after which to try again what is refused."""
        raw = self._view.get(ROUTES, key)
        if raw is None or not self._is_served:
            return None
        await self._informer.synced()
        asked = gateway.wanted(raw, self._gateway, addresses)
        existing = await self._existing(key, list(asked))
        plan = gateway.plan(raw, asked, existing)
        # One that is refused (a host that is too long, more tags than a gateway takes) stops none.
        refused = await self._writer.carry_out_each(ROUTES, raw, plan)
        for name, why in refused.items():
            _LOG.warning("HTTPRoute %s/%s was refused: %s", key[0], name, why)
        await self._writer.carry_out(ROUTES, raw, Plan(deletes=plan.deletes))
        return _REFUSED_AGAIN_S if refused else None

    def ingress(self, route: Raw, addresses: Addresses) -> Condition | None:
        """What is to be said of a Route's way in; None: it is open."""
        asked = gateway.wanted(route, self._gateway, addresses)
        if self._is_served is False:
            return gateway.MISSING if asked else None
        return gateway.ingress(route, asked, self._seen(key_of(route)))

    def _seen(self, key: Key) -> list[Raw]:
        objects = self._informer.objects
        return [objects[each] for each in self._by_route.get(key) if each in objects]

    async def _existing(self, key: Key, names: list[str]) -> list[Raw]:
        """Those we know, and whoever else has one of the names."""
        known = {each["metadata"]["name"]: each for each in self._seen(key)}
        for name in names:
            if name not in known:
                try:
                    known[name] = await self._client.get(HTTPROUTES, key[0], name)
                except NotFoundError:
                    continue
        return list(known.values())

    def _changed(self, old: Raw | None, new: Raw | None) -> None:
        self._by_route.change(old, new)
        for key in {found for each in (old, new) if each for found in _route_of(each)}:
            self._enqueue((Task.GATEWAY, key))
            self._enqueue((Task.ROUTE, key))


def _route_of(raw: Raw) -> list[Any]:
    name = labels_of(raw).get(keys.ROUTE)
    return [(key_of(raw)[0], name)] if name else []
