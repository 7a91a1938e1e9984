"""The runtimes that come with Relight, put there when a platform starts.

For: an InferenceService that works on a machine where nobody installed anything.
Must not know: what a runtime runs, or who chooses one.
"""

from api.kinds import CLUSTERSERVINGRUNTIMES
from api.runtime_builtin import built_in
from cluster.client import Client
from cluster.errors import AlreadyExistsError


async def install(client: Client) -> None:
    """Create those that are absent; one that was changed stays as it is."""
    for runtime in built_in():
        try:
            await client.create(CLUSTERSERVINGRUNTIMES, runtime)
        except AlreadyExistsError:
            continue
