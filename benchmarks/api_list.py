"""How long a list of Services takes over HTTP, as JSON and as the table kubectl asks for.

    .venv/bin/python -m benchmarks.api_list [--objects 1000]

Prints one line, `objects=1000 list_ms= table_ms=`: the median of 9 requests each, bodies read
whole and not parsed, server and client in one process. Every object has a status and two
managers. The budget is 200 ms for 1,000.
"""

import argparse
import asyncio
import random
import statistics
import time

import aiohttp
from aiohttp import web

from api.kinds import SERVICES
from cluster.options import WriteOptions
from embedded.apiserver import ApiServer
from embedded.http import make_app
from embedded.store import IN_MEMORY, Store

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_URL = "/apis/serving.knative.dev/v1/namespaces/default/services"
_ROUNDS = 9


def fill(server: ApiServer, count: int) -> None:
    """Services as they are when they run."""
    kinds = ("ConfigurationsReady", "Ready", "RoutesReady")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": "2027-01-15T08:00:00Z"}
        for kind in kinds
    ]
    for at in range(count):
        name = f"s{at:05}"
        container = {"image": "relight/predictor", "args": ["--model", "m.onnx"]}
        made = server.create(
            SERVICES,
            "default",
            {
                "apiVersion": SERVICES.api_version,
                "kind": SERVICES.kind,
                "metadata": {"name": name, "labels": {"app": name}},
                "spec": {"template": {"spec": {"containers": [container]}}},
            },
            WriteOptions(field_manager="kubectl-client-side-apply"),
        )
        traffic = [{"revisionName": f"{name}-00001", "percent": 100, "latestRevision": True}]
        status = {
            "observedGeneration": 1,
            "conditions": conditions,
            "latestCreatedRevisionName": f"{name}-00001",
            "latestReadyRevisionName": f"{name}-00001",
            "url": f"http://{name}.default.localhost",
            "traffic": traffic,
        }
        written = WriteOptions(subresource="status")
        server.replace(SERVICES, "default", name, {**made, "status": status}, written)


async def median_ms(session: aiohttp.ClientSession, url: str, accept: str) -> float:
    """Of several whole answers."""
    took: list[float] = []
    for _ in range(_ROUNDS):
        start_s = time.perf_counter()
        async with session.get(url, headers={"Accept": accept}) as response:
            assert response.status == 200
            await response.read()
        took.append((time.perf_counter() - start_s) * 1000)
    return statistics.median(took)


async def measure(count: int) -> None:
    """Serve, ask, print."""
    store = Store(IN_MEMORY)
    server = ApiServer(store, clock=lambda: 1_800_000_000.0, rng=random.Random(1))
    fill(server, count)
    runner = web.AppRunner(make_app(server))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{_URL}"
    async with aiohttp.ClientSession() as session:
        list_ms = await median_ms(session, url, "application/json")
        table_ms = await median_ms(session, url, _TABLE)
    await runner.cleanup()
    store.close()
    print(f"objects={count} list_ms={list_ms:.1f} table_ms={table_ms:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    asyncio.run(measure(parser.parse_args().objects))
