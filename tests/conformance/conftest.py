"""The same behaviours on every server: each as a fixture, and how a real one is left as it was."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from api.kinds import NAMESPACES
from cluster.auth import Address, load_kubeconfig
from embedded.http import make_app
from tests.cluster.serving import Served
from tests.conformance import servers
from tests.conformance.platform import Platform, running
from tests.conformance.servers import Api, ByCall, OverHttp
from tests.conformance.table import LACKS, NOT_GIVEN, OURS, REAL, Table

# Names of our own: a KUBECONFIG that happens to be set must not get CRDs from `make test`.
KUBECONFIG = "RELIGHT_CONFORMANCE_KUBECONFIG"
TABLE = "RELIGHT_CONFORMANCE_TABLE"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*features): what a server must be able to do for this behaviour"
    )


@pytest.fixture(scope="session")
def address() -> Iterator[Address | None]:
    """Where the real server is, with our CRDs on it while the tests run.

    It is left as it was found: what the run made is taken away, also after failures.
    """
    path = os.environ.get(KUBECONFIG, "")
    if not path:
        yield None
        return
    found = load_kubeconfig(Path(path))
    created: list[str] = []
    try:
        asyncio.run(_install(found, created))
        yield found
    finally:
        asyncio.run(_clean(found, created))


async def _install(address: Address, created: list[str]) -> None:
    async with servers.reached(address, REAL) as api:
        await servers.install(api, created)


async def _clean(address: Address, created: list[str]) -> None:
    async with servers.reached(address, REAL) as api:
        await servers.clean(api, created)


@pytest.fixture(params=[*OURS, REAL])
def column(request: pytest.FixtureRequest) -> tuple[str, Address | None]:
    """Each server in turn, and where it is; ours does not wait for the real one to be ready."""
    name = str(request.param)
    return name, request.getfixturevalue("address") if name == REAL else None


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, column: tuple[str, Address | None]
) -> AsyncIterator[Api]:
    """The server of a column; behaviours it cannot show are skipped, with what it lacks."""
    wanted = set()
    for marker in request.node.iter_markers("needs"):
        wanted |= set(marker.args)
    name, address = column
    if name == REAL:
        if address is None:
            pytest.skip(NOT_GIVEN)
        async with servers.reached(address, REAL) as found:
            _check(found, wanted)
            async with _namespace(found):
                yield found
        return
    served = Served()
    try:
        if name == "call":
            by_call = ByCall(served.server)
            _check(by_call, wanted)
            yield by_call
        else:
            async with (
                TestServer(make_app(served.server)) as listening,
                aiohttp.ClientSession() as session,
            ):
                url = str(listening.make_url(""))
                yield OverHttp("http", url, session, servers.EVERYTHING)
    finally:
        served.close()


@pytest.fixture
async def platform(api: Api) -> AsyncIterator[Platform]:
    """Each server in turn, with our controller and autoscaler beside it."""
    async with running(api) as found:
        yield found


def _check(api: Api, wanted: set[str]) -> None:
    missing = sorted(wanted - api.features)
    if missing:
        pytest.skip(f"{LACKS}{', '.join(missing)}")


class _Namespace:
    def __init__(self, api: OverHttp) -> None:
        self._api = api

    async def __aenter__(self) -> None:
        self._api.namespace = f"conformance-{uuid.uuid4().hex[:10]}"
        if "core" in self._api.features:
            raw = {"metadata": {"name": self._api.namespace, "labels": servers.MARK}}
            await self._api.do("create", NAMESPACES, body=raw)

    async def __aexit__(self, *_: object) -> None:
        if "core" in self._api.features:
            await self._api.do("delete", NAMESPACES, self._api.namespace)


_namespace = _Namespace


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Rows are behaviours, columns are servers."""
    if TABLE not in os.environ:
        return
    table = Table()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            table.add(report.nodeid, outcome, str(why))
    for line in table.lines():
        terminalreporter.write_line(line)
