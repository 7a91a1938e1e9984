"""The same behaviours on every server, and the table that says so: `make conformance`."""

import asyncio
import os
import random
import uuid
from collections import defaultdict
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

OURS = ("call", "http")
REAL = "kubernetes"
# Names of our own: a KUBECONFIG that happens to be set must not get CRDs from `make test`.
KUBECONFIG = "RELIGHT_CONFORMANCE_KUBECONFIG"
TABLE = "RELIGHT_CONFORMANCE_TABLE"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*features): what a server must be able to do for this behaviour"
    )


@pytest.fixture(scope="session")
def address() -> Iterator[Address | None]:
    """Where the real server is, with our CRDs on it while the tests run."""
    path = os.environ.get(KUBECONFIG, "")
    if not path:
        yield None
        return
    found = load_kubeconfig(Path(path))
    created = asyncio.run(_install(found))
    yield found
    asyncio.run(_remove(found, created))


async def _install(address: Address) -> list[str]:
    async with servers.reached(address, REAL) as api:
        return await servers.install(api)


async def _remove(address: Address, names: list[str]) -> None:
    async with servers.reached(address, REAL) as api:
        for name in names:
            await api.do("delete", servers.CRD, name)


@pytest.fixture(params=[*OURS, REAL])
async def api(request: pytest.FixtureRequest, address: Address | None) -> AsyncIterator[Api]:
    """Each server in turn; behaviours it cannot show are skipped, with what it lacks."""
    wanted = set()
    for marker in request.node.iter_markers("needs"):
        wanted |= set(marker.args)
    if request.param == REAL:
        if address is None:
            pytest.skip("no KUBECONFIG was given")
        async with servers.reached(address, REAL) as found:
            _check(found, wanted)
            async with _namespace(found):
                yield found
        return
    served = Served()
    try:
        if request.param == "call":
            yield ByCall(served.server)
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
        pytest.skip(f"this server lacks: {', '.join(missing)}")


class _Namespace:
    def __init__(self, api: OverHttp) -> None:
        self._api = api

    async def __aenter__(self) -> None:
        self._api.namespace = f"conformance-{uuid.UUID(int=random.getrandbits(128)).hex[:10]}"
        if "core" in self._api.features:
            raw = {"metadata": {"name": self._api.namespace}}
            await self._api.do("create", NAMESPACES, body=raw)

    async def __aexit__(self, *_: object) -> None:
        if "core" in self._api.features:
            await self._api.do("delete", NAMESPACES, self._api.namespace)


_namespace = _Namespace


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Rows are behaviours, columns are servers."""
    if TABLE not in os.environ:
        return
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            behaviour, server = _cell(report.nodeid)
            if server:
                rows[behaviour][server] = _shown(outcome, report)
    _print(terminalreporter, rows)


def _cell(nodeid: str) -> tuple[str, str]:
    name, _, parameters = nodeid.partition("::")[2].partition("[")
    found = [each for each in parameters.rstrip("]").split("-") if each in (*OURS, REAL)]
    rest = "-".join(e for e in parameters.rstrip("]").split("-") if e not in (*OURS, REAL))
    text = name.split("::")[-1].removeprefix("test_").replace("_", " ")
    area = Path(nodeid.partition("::")[0]).stem.removeprefix("test_")
    return f"{area}: {text}{f' ({rest})' if rest else ''}", found[0] if found else ""


def _shown(outcome: str, report: pytest.TestReport | pytest.CollectReport) -> str:
    if outcome == "skipped":
        why = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        return why.removeprefix("Skipped: ").removeprefix("this server ") or "skipped"
    return {"passed": "yes", "failed": "NO", "error": "ERROR"}[outcome]


def _print(out: pytest.TerminalReporter, rows: dict[str, dict[str, str]]) -> None:
    columns = (*OURS, REAL)
    width = max((len(each) for each in rows), default=0)
    out.write_line("")
    out.write_line(f"{'behaviour':<{width}}  " + "  ".join(f"{each:<10}" for each in columns))
    for behaviour in sorted(rows):
        cells = [rows[behaviour].get(each, "") for each in columns]
        shown = "  ".join(
            f"{'-' if cell == 'no KUBECONFIG was given' else cell:<10}" for cell in cells
        )
        out.write_line(f"{behaviour:<{width}}  {shown.rstrip()}")
    counts = []
    for column in columns:
        found = [row.get(column, "") for row in rows.values()]
        yes, no = found.count("yes"), found.count("NO") + found.count("ERROR")
        asked = [cell for cell in found if cell and cell != "no KUBECONFIG was given"]
        said = f"{yes} of {len(asked)}" if asked else "not asked"
        counts.append(f"{column}: {said}" + (f", {no} FAILED" if no else ""))
    out.write_line("")
    out.write_line("; ".join(counts))
