"""The process beside a double of Knative, over sockets: from zero to many, and back."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.kinds import EVENTS, PODAUTOSCALERS, SERVERLESSSERVICES
from autoscaler import process
from tests.autoscaler.knative import SYSTEM, Knative
from tests.autoscaler.world import podautoscaler
from tests.cluster import processes
from tests.cluster.processes import until
from tests.cluster.serving import Served

ANNOTATIONS = {
    "autoscaling.knative.dev/window": "6s",
    "autoscaling.knative.dev/target-burst-capacity": "0",  # past the activators but at zero
    "relight.dev/keep-alive": "cheap",
}


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


def beside(served: Served, knative: Knative, folder: Path) -> Any:
    flags = (
        f"--beside-knative={SYSTEM}",
        f"--activator-metrics-port={knative.activator_port}",
        f"--queue-proxy-port={knative.queue_port}",
        "--system-namespace=default",
        "--tick-s=0.2",
    )
    return processes.running(served, folder, process.parse, process.serve, *flags)


async def test_from_zero_to_many_and_back(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    knative = Knative(served.server)
    others = [podautoscaler("r-00002"), podautoscaler("r-00003")]
    others[1]["metadata"]["annotations"]["autoscaling.knative.dev/class"] = (
        "kpa.autoscaling.knative.dev"
    )
    for each in others:
        await served.direct.create(PODAUTOSCALERS, each)
    async with knative.running(**ANNOTATIONS), beside(served, knative, tmp_path):
        await until(lambda: knative.condition("SKSReady") == ("True", ""))
        assert (knative.replicas, knative.mode) == (0, "Proxy")
        assert knative.condition("Active") == ("False", "NoTraffic")
        knative.load = 3  # which only an activator's metrics tell of
        await until(lambda: knative.replicas == 3)
        await until(lambda: knative.condition("Ready") == ("True", ""))
        await until(lambda: knative.mode == "Serve")
        knative.load = 5  # which only queue-proxies tell of
        await until(lambda: knative.replicas == 5)
        await until(lambda: knative.status["actualScale"] == 5)
        knative.load = 0
        await until(lambda: knative.replicas == 0)
        assert knative.mode == "Proxy"
        assert knative.probes[-1][1] == "activator"  # asked before the last replica went
        await until(lambda: knative.condition("Active") == ("False", "NoTraffic"))
        url = f"http://127.0.0.1:{await processes.admin_port(caplog)}"
        _, text = await processes.answer(f"{url}/metrics")
        assert "relight_autoscaler_can_wake 1.0" in text
        assert "relight_autoscaler_knative_activators 1.0" in text
    assert knative.status["serviceName"] == knative.name
    assert knative.status["metricsServiceName"] == f"{knative.name}-private"
    assert {"mode", "activators"} & knative.status.keys() == set()  # not of Knative's schema
    [owner] = knative.sks["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["controller"]) == ("PodAutoscaler", True)
    for each in others:
        name = each["metadata"]["name"]
        assert "status" not in served.server.get(PODAUTOSCALERS, "default", name)
    assert len((await served.direct.list(SERVERLESSSERVICES, "default")).items) == 1
    assert (await served.direct.list(EVENTS, "default")).items  # that say why
