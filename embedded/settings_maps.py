"""The ConfigMaps whose settings are read, put there when a platform starts: empty, all defaults.

For: `kubectl patch configmap config-gc -n knative-serving`, as on any cluster with Knative.
Must not know: which settings there are, or who reads them.
"""

from typing import Final

from api.kinds import CONFIGMAPS, NAMESPACES
from cluster.client import Client
from cluster.errors import AlreadyExistsError

NAMESPACE: Final = "knative-serving"
NAMES: Final = ("config-gc", "config-network")


async def install(client: Client) -> None:
    """Create those that are absent; what somebody set stays as it is."""
    wanted = [
        (NAMESPACES, {"metadata": {"name": NAMESPACE}}),
        *((CONFIGMAPS, {"metadata": {"name": name, "namespace": NAMESPACE}}) for name in NAMES),
    ]
    for kind, body in wanted:
        try:
            await client.create(kind, {"apiVersion": "v1", "kind": kind.kind, **body})
        except AlreadyExistsError:
            continue
