import asyncio
import random

from api.kinds import CONFIGMAPS, SECRETS
from cluster.direct import DirectClient
from embedded.apiserver import ApiServer
from embedded.sources import Sources
from embedded.store import IN_MEMORY, Store

NAMED = {"apiVersion": "v1", "metadata": {"name": "a", "namespace": "default"}}


async def test_what_is_asked_for_is_followed_from_then_on() -> None:
    store = Store(IN_MEMORY)
    client = DirectClient(ApiServer(store, clock=lambda: 0.0, rng=random.Random(1)))
    sources = Sources(client)
    told: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()

    def listen(kind: str, namespace: str, name: str) -> None:
        told.put_nowait((kind, namespace, name))

    await client.create(CONFIGMAPS, {**NAMED, "kind": "ConfigMap", "data": {"k": "v"}})
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(sources.run())
        await asyncio.sleep(0)
        assert sources.lookup("default")("ConfigMap", "a") is None, "nobody asked yet"
        await sources.known()
        found = sources.lookup("default")("ConfigMap", "a")
        assert found is not None
        assert (found["kind"], found["data"]) == ("ConfigMap", {"k": "v"})
        assert sources.lookup("other")("ConfigMap", "a") is None
        sources.listen(listen)
        await client.create(SECRETS, {**NAMED, "kind": "Secret", "data": {}})
        assert await told.get() == ("Secret", "default", "a")
        await client.delete(SECRETS, "default", "a")
        assert await told.get() == ("Secret", "default", "a")
        sources.unlisten(listen)
        await client.create(SECRETS, {**NAMED, "kind": "Secret", "data": {}})
        while sources.lookup("default")("Secret", "a") is None:
            await asyncio.sleep(0)
        assert told.empty()
        running.cancel()
    store.close()
