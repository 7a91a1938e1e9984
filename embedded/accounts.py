"""The ServiceAccount that every namespace has: default.

For: programs and manifests that name it, as on a cluster.
Must not know: HTTP, or what an account may do: one machine has one user.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from api.kinds import NAMESPACES, SERVICEACCOUNTS
from api.objects import Raw
from embedded.history import Change
from embedded.store import Store

NAME: Final = "default"


class DefaultAccounts:
    """Makes it with the namespace, and again when someone deletes it."""

    def __init__(
        self,
        store: Store,
        *,
        create: Callable[[str, Raw], object],
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._store = store
        self._create = create
        self._later = later
        for namespace in list(store.select(NAMESPACES)):
            self._give(namespace["metadata"]["name"])
        store.subscribe(self.observe)

    def observe(self, change: Change) -> None:
        """Follow namespaces that come and accounts that go."""
        metadata = change.object["metadata"]
        if change.resource == NAMESPACES and change.type == "ADDED":
            self._later(partial(self._give, metadata["name"]))
        elif (
            change.resource == SERVICEACCOUNTS
            and change.type == "DELETED"
            and metadata["name"] == NAME
        ):
            self._later(partial(self._give, metadata["namespace"]))

    def _give(self, namespace: str) -> None:
        found = self._store.get(NAMESPACES, "", namespace)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        if self._store.get(SERVICEACCOUNTS, namespace, NAME) is None:
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": NAME, "namespace": namespace},
            }
            self._create(namespace, account)
