"""The ConfigMaps whose settings are read, put there when a platform starts: all defaults.

For: `kubectl edit configmap config-autoscaler -n knative-serving`, as on any cluster with Knative.
Must not know: what the settings do.
"""

from typing import Final

from api.keys import EXAMPLE_CHECKSUM
from api.kinds import CONFIGMAPS, NAMESPACES, Resource
from api.objects import Raw
from api.settings_examples import EXAMPLE_KEY, OF_MAPS, checksum, example
from cluster.client import Client
from cluster.errors import AlreadyExistsError

NAMESPACE: Final = "knative-serving"
NAMES: Final = tuple(OF_MAPS)


async def install(client: Client) -> None:
    """Create those that are absent; what somebody set stays as it is."""
    wanted: list[tuple[Resource, Raw]] = [(NAMESPACES, {"metadata": {"name": NAMESPACE}})]
    wanted += [(CONFIGMAPS, _map(name)) for name in NAMES]
    for kind, body in wanted:
        try:
            await client.create(kind, {"apiVersion": "v1", "kind": kind.kind, **body})
        except AlreadyExistsError:
            continue


def _map(name: str) -> Raw:
    """A ConfigMap that says nothing but what could be said, and that edits of it are refused."""
    text = example(OF_MAPS[name])
    annotations = {EXAMPLE_CHECKSUM: checksum(text)}
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations}
    return {"metadata": metadata, "data": {EXAMPLE_KEY: text}}
