"""Telling the API server of this machine, as a kubelet does of its own.

For: one Node object that is there from the start and true.
Must not know: what is in it, or which server it is.
"""

from typing import Any

from api.kinds import NODES
from cluster.client import Client
from cluster.errors import AlreadyExistsError


async def register(client: Client, node: dict[str, Any]) -> None:
    """Create the Node, or make the one that is there say what is so now."""
    try:
        await client.create(NODES, {key: node[key] for key in node if key != "status"})
    except AlreadyExistsError:
        labels = {"metadata": {"labels": node["metadata"]["labels"]}}
        await client.patch(NODES, None, node["metadata"]["name"], labels)
    await client.patch(
        NODES, None, node["metadata"]["name"], {"status": node["status"]}, subresource="status"
    )
