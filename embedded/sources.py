"""ConfigMaps and Secrets as Pods need them: known once one is asked for, and told of changes.

For: looking up what environments and volumes refer to, without polling.
Must not know: what is done with it, or which Pod asks.
"""

import asyncio
from collections.abc import Callable

from api.kinds import CONFIGMAPS, SECRETS
from api.objects import Raw
from cluster.client import Client
from cluster.informer import Informer
from embedded.environment import Lookup, SourceKind

Changed = Callable[[SourceKind, str, str], None]  # kind, namespace, name


class Sources:
    """Follows both kinds from the first time anybody wants them."""

    def __init__(self, client: Client) -> None:
        self._informers: dict[SourceKind, Informer] = {
            "ConfigMap": Informer(client, CONFIGMAPS),
            "Secret": Informer(client, SECRETS),
        }
        self._is_wanted = asyncio.Event()
        self._listeners: list[Changed] = []
        for kind, informer in self._informers.items():
            informer.on_change(self._teller(kind))

    async def run(self) -> None:
        """Follow the server, once wanted, until cancelled."""
        await self._is_wanted.wait()
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers.values():
                tasks.create_task(informer.run())

    async def known(self) -> None:
        """Wait until what is there is known."""
        self._is_wanted.set()
        for informer in self._informers.values():
            await informer.synced()

    def lookup(self, namespace: str) -> Lookup:
        """How to find an object of one namespace."""

        def find(kind: SourceKind, name: str) -> Raw | None:
            found = self._informers[kind].objects.get((namespace, name))
            # Items of a list need not say what they are.
            return None if found is None else {**found, "kind": kind}

        return find

    def listen(self, listener: Changed) -> None:
        """Be told of each change from now on."""
        self._listeners.append(listener)

    def unlisten(self, listener: Changed) -> None:
        """Not any more."""
        self._listeners.remove(listener)

    def _teller(self, kind: SourceKind) -> Callable[[Raw | None, Raw | None], None]:
        def changed(old: Raw | None, new: Raw | None) -> None:
            known = new or old
            assert known is not None
            metadata = known["metadata"]
            for listener in tuple(self._listeners):
                listener(kind, metadata["namespace"], metadata["name"])

        return changed
