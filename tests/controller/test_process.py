import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.kinds import CONFIGURATIONS, DEPLOYMENTS, LEASES, ROUTES, SERVICES
from cluster.errors import NotFoundError
from cluster.options import ListOptions, Selection
from controller import process
from tests.cluster import processes
from tests.cluster.serving import Served

SERVICE = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "Service",
    "metadata": {"name": "s", "namespace": "default"},
    "spec": {"template": {"spec": {"containers": [{"image": "x/y:1"}]}}},
}


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


async def test_it_leads_works_tells_and_lets_go(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await served.direct.create(SERVICES, SERVICE)
    flags = ("--namespace=default", "--pod-name=c-0", "--pod-ip=10.1.2.3")
    async with processes.running(served, tmp_path, process.parse, process.serve, *flags):

        def made() -> bool:
            try:
                return bool(served.server.get(CONFIGURATIONS, "default", "s"))
            except NotFoundError:
                return False

        await processes.until(made)
        port = await processes.admin_port(caplog)
        lease = await served.direct.get(LEASES, "default", "controller")
        assert lease["spec"]["holderIdentity"] == "c-0"
        assert lease["metadata"]["annotations"]["relight.dev/address"] == f"10.1.2.3:{port}"
        url = f"http://127.0.0.1:{port}"
        assert await processes.answer(f"{url}/healthz") == (200, "ok\n")
        status, text = await processes.answer(f"{url}/readyz")
        assert (status, '"leads":true' in text) == (200, True)
        _, text = await processes.answer(f"{url}/metrics")
        assert "relight_controller_leads 1.0" in text
        assert "relight_controller_failures_total" in text
    lease = await served.direct.get(LEASES, "default", "controller")
    assert lease["spec"]["holderIdentity"] == ""


def named(name: str) -> dict[str, Any]:
    return {**SERVICE, "metadata": {"name": name, "namespace": "default"}}


async def test_connections_that_break_cost_fifty_services_neither_lists_nor_writes(
    served: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    traffic = processes.Traffic()
    count = 50
    for number in range(count):
        await served.direct.create(SERVICES, named(f"s{number}"))

    def is_settled() -> bool:
        deployments = served.server.list(DEPLOYMENTS, Selection(), ListOptions())
        routes = served.server.list(ROUTES, Selection(), ListOptions())
        return len(deployments.items) == count and all("status" in each for each in routes.items)

    flags = ("--namespace=default", "--webhook=false")
    parts = (process.parse, process.serve)
    async with processes.running(served, tmp_path, *parts, *flags, traffic=traffic):
        await processes.until(is_settled)
        port = await processes.admin_port(caplog)
        await processes.until_quiet(traffic)
        lists, watches, writes = (traffic.asked[each] for each in ("list", "watch", "write"))
        traffic.cut()
        await processes.until(lambda: traffic.asked["watch"] >= 2 * watches)
        await served.direct.create(SERVICES, named("later"))
        count += 1
        await processes.until(is_settled)  # nothing was missed
        await processes.until_quiet(traffic)
        assert traffic.asked["list"] == lists
        assert traffic.asked["write"] - writes < 40  # those of one Service
        _, text = await processes.answer(f"http://127.0.0.1:{port}/metrics")
        assert "relight_controller_failing 0.0" in text
        assert "relight_controller_queue 0.0" in text


def test_flags_that_make_no_sense_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        process.main(["--workers", "0"])
    assert raised.value.code == 2
    assert "--workers: expected a whole number, 1 to 1000" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("--predictor-image=relight/predictor :1", "expected an image"),
        ("--cache-limit=much", "expected an amount such as 50Gi"),
        ("--node-cache=models", "expected an absolute path"),
        ("--gateway=front", "expected NAMESPACE/NAME"),
    ],
)
def test_a_flag_that_makes_no_sense_is_told_by_its_name(
    flag: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        process.parse([flag])
    said = capsys.readouterr().err
    assert flag.partition("=")[0] in said
    assert why in said
