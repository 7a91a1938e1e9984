"""The objects that give hosts: Routes, DomainMappings, InferenceServices.

For: keeping the table of hosts up to date as they change.
Must not know: requests, queues, replicas.
"""

from collections.abc import Callable

from activator import catalog
from activator.routing import Router
from api import kinds
from api.objects import Raw
from cluster.client import Client
from cluster.informer import Informer


class Observer:
    """Callbacks of informers; `changed()` is called before each change of the table."""

    def __init__(self, router: Router, changed: Callable[[], None]) -> None:
        self._router = router
        self._changed = changed

    def informers(self, client: Client) -> list[Informer]:
        """What to run. Servers may lack the kinds that only give further hosts."""
        routes = Informer(client, kinds.ROUTES)
        mappings = Informer(client, kinds.DOMAINMAPPINGS, is_optional=True)
        inferences = Informer(client, kinds.INFERENCESERVICES, is_optional=True)
        routes.on_change(self.on_route)
        mappings.on_change(self.on_mapping)
        inferences.on_change(self.on_inference)
        return [routes, mappings, inferences]

    def on_route(self, old: Raw | None, new: Raw | None) -> None:
        """A Route appeared, changed or is gone."""
        self._changed()
        namespace, name = _identity(old, new)
        if new is None:
            self._router.remove_route(namespace, name)
            return
        shares, is_inside_only = catalog.read_shares(new), catalog.read_is_inside_only(new)
        # A split goes on where it was unless it is another one.
        if old is None or (shares, is_inside_only) != (
            catalog.read_shares(old),
            catalog.read_is_inside_only(old),
        ):
            self._router.set_route(namespace, name, shares, is_inside_only=is_inside_only)

    def on_mapping(self, old: Raw | None, new: Raw | None) -> None:
        """A DomainMapping appeared, changed or is gone."""
        self._changed()
        route = catalog.read_mapped_route(new) if new is not None else ""
        if new is None or not route:
            self._router.remove_mapping(*_identity(old, new))
        else:
            self._router.set_mapping(catalog.read_owner(new), route)

    def on_inference(self, old: Raw | None, new: Raw | None) -> None:
        """An InferenceService appeared, changed or is gone."""
        self._changed()
        if new is None:
            self._router.remove_inference(*_identity(old, new))
        else:
            self._router.set_inference(catalog.read_inference(new))


def _identity(old: Raw | None, new: Raw | None) -> tuple[str, str]:
    metadata = (new or old or {})["metadata"]
    return metadata.get("namespace", "default"), metadata["name"]
