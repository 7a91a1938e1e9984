import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from api import stats
from api.kinds import DEPLOYMENTS, LEASES, PODAUTOSCALERS
from autoscaler import process
from cluster.errors import NotFoundError
from cluster.flags import FlagError
from tests.cluster import processes
from tests.cluster.serving import Served, deployment

AUTOSCALER = {
    "apiVersion": PODAUTOSCALERS.api_version,
    "kind": PODAUTOSCALERS.kind,
    "metadata": {"name": "r", "namespace": "default"},
    "spec": {
        "containerConcurrency": 1,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "r-deployment"},
        "protocolType": "http1",
        "reachability": "Reachable",
    },
}


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


async def test_a_poke_over_the_network_is_followed_by_replicas(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await served.direct.create(DEPLOYMENTS, deployment("r-deployment", replicas=0))
    await served.direct.create(PODAUTOSCALERS, AUTOSCALER)

    def address() -> str:
        try:
            lease = served.server.get(LEASES, "default", "autoscaler")
        except NotFoundError:
            return ""
        return str(lease["metadata"]["annotations"]["relight.dev/address"])

    def replicas() -> Any:
        return served.server.get(DEPLOYMENTS, "default", "r-deployment")["spec"]["replicas"]

    flags = ("--namespace=default", "--stats-host=127.0.0.1", "--stats-port=0", "--claims=false")
    async with processes.running(served, tmp_path, process.parse, process.serve, *flags):
        host, port = (await processes.until(address)).split(":")
        writer = await _poke(host, int(port))
        await processes.until(lambda: replicas() > 1)  # that there is one is wanted anyhow
        url = f"http://127.0.0.1:{await processes.admin_port(caplog)}"
        _, text = await processes.answer(f"{url}/metrics")
        for line in (
            'relight_autoscaler_replicas{namespace="default",revision="r"}',
            "relight_autoscaler_reporters 1.0",
            "relight_autoscaler_reports_total 1.0",
            "relight_autoscaler_leads 1.0",
        ):
            assert line in text
        assert (await processes.answer(f"{url}/revisions/default/r"))[0] == 200
        assert (await processes.answer(f"{url}/readyz"))[0] == 200
        writer.close()


async def _poke(host: str, port: int) -> asyncio.StreamWriter:
    """Connect as an activator does, which tries until somebody listens."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except ConnectionError:
            await asyncio.sleep(0.01)
            continue
        row = ["default", "r", 9.0, 0.0, 9, 0, 1, None, None]
        for message in (stats.hello("a"), {"stats": [row]}):
            writer.write(orjson.dumps(message) + b"\n")
        await reader.readline()
        return writer


def test_a_store_that_is_none_is_refused() -> None:
    with pytest.raises(FlagError, match="--state: "):
        process.window_store("http://x")
    assert process.window_store("") is None
