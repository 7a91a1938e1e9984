import asyncio
import csv
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from rehearsal import traces
from relight import ended, record
from relight.__main__ import build_parser, execute
from tests.relight.conftest import DEADLINE_S, Platform, serve
from tests.relight.test_ended import row

PATH = "/api/v1/namespaces/relight-system/services/activator:admin/proxy/requests"


class Activator:
    """Tells of the rows it is given, and goes on until it is stopped."""

    def __init__(self, platform: Platform) -> None:
        self.asked: list[dict[str, str]] = []
        self.rows: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.told = asyncio.Event()
        self._platform = platform

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        while (told := await self.rows.get()) is not None:
            await response.write(orjson.dumps(told) + b"\n")
            self.told.set()
        return response


@pytest.fixture
async def activator(platform: Platform, model: Path) -> AsyncIterator[Activator]:
    """In front of the API server, so that both are asked at one address."""
    await platform.type("deploy", "iris", "--model", str(model))
    activator = Activator(platform)
    behind = orjson.loads((platform.folder / "relight.json").read_bytes())["api"]

    async def forward(request: web.Request) -> web.Response:
        from aiohttp import ClientSession

        async with ClientSession() as session, session.get(behind + str(request.rel_url)) as found:
            body = await found.read()
            return web.Response(body=body, status=found.status, content_type="application/json")

    app = web.Application()
    app.router.add_get(PATH, activator.handle)
    app.router.add_get("/{path:.*}", forward)
    front = await serve(app, platform.runners)
    kubeconfig = platform.folder / "kubeconfig"
    kubeconfig.write_text(kubeconfig.read_text().replace(behind, front))
    yield activator
    activator.rows.put_nowait(None)


async def lines_of(path: Path, count: int) -> list[dict[str, str]]:
    """The rows of a file once there are so many."""
    async with asyncio.timeout(DEADLINE_S):
        while not path.exists() or path.read_text().count("\n") <= count:
            await asyncio.sleep(0.01)
    return list(csv.DictReader(io.StringIO(path.read_text())))


def typed(platform: Platform, *words: str) -> Any:
    args = build_parser().parse_args(["record", "--data-dir", str(platform.folder), *words])
    return execute(args)


async def test_rows_are_written_as_they_come_and_an_interrupt_is_a_good_end(
    platform: Platform, activator: Activator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.csv"
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        recording = group.create_task(typed(platform, "iris", "--output", str(path)))
        activator.rows.put_nowait(row())
        activator.rows.put_nowait({"lost": 3, "serial": 11})
        activator.rows.put_nowait(row(status=504, executing_s=None, time=1_700_000_001.5))
        rows = await lines_of(path, 2)
        assert not recording.done()
        os.kill(os.getpid(), signal.SIGINT)
    assert recording.result() == 0
    assert rows == [
        {
            "timestamp": "1700000000.250000",
            "duration": "0.200000",
            "model": "iris",
            "revision": "iris-00001",
            "status": "200",
            "grpc_status": "",
        },
        {
            "timestamp": "1700000001.500000",
            "duration": "",
            "model": "iris",
            "revision": "iris-00001",
            "status": "504",
            "grpc_status": "",
        },
    ]
    assert activator.asked == [
        {"namespace": "default", "service": "iris", "after": "latest", "follow": "true"}
    ]
    err = capsys.readouterr().err
    assert "recorded 2 requests; 3 ended faster than they could be read and are missing" in err


async def test_the_time_that_is_given_ends_it(
    platform: Platform, activator: Activator, tmp_path: Path
) -> None:
    path = tmp_path / "trace.csv"
    code, out, err = await platform.type("record", "--for", "10ms", "--output", str(path))
    assert (code, out) == (0, "")
    assert path.read_text() == record.HEADER
    assert err.endswith("recorded 0 requests\n")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("iris", {"service": "iris"}),
        ("iris-00001", {"revision": "iris-00001"}),
        (None, {}),
    ],
)
async def test_a_name_is_a_services_or_a_revisions(
    platform: Platform,
    activator: Activator,
    tmp_path: Path,
    name: str | None,
    asked: dict[str, str],
) -> None:
    activator.rows.put_nowait(None)
    words = [name] if name else []
    await platform.type("record", *words, "--output", str(tmp_path / "t.csv"))
    common = {"namespace": "default", "after": "latest", "follow": "true"}
    assert activator.asked == [common | asked]


async def test_a_platform_that_ends_leaves_a_whole_file(
    platform: Platform, activator: Activator, tmp_path: Path
) -> None:
    path = tmp_path / "trace.csv"
    activator.rows.put_nowait(row())
    activator.rows.put_nowait(None)
    code, _, err = await platform.type("record", "iris", "--output", str(path))
    assert code == 1
    assert path.read_text().endswith(",iris,iris-00001,200,\n")
    assert "recorded 1 request\n" in err
    assert "the platform ended" in err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["cow"], 1, "no service and no revision is named cow in default"),
        (["iris", "--for", "soon"], 2, "--for soon: expected a time such as"),
        (["iris", "--for", "0s"], 2, "--for 0s: expected at least"),
        (["iris", "--output", "{there}"], 2, "it exists already"),
        (["iris", "--output", "{there}/x/y.csv"], 2, "Not a directory"),
    ],
)
async def test_what_cannot_be_recorded(
    platform: Platform,
    activator: Activator,
    tmp_path: Path,
    words: list[str],
    code: int,
    told: str,
) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    words = [word.replace("{there}", str(there)) for word in words]
    found, _, err = await platform.type("record", *words)
    assert found == code
    assert told in err
    assert there.read_text() == "mine"


def test_a_failed_call_says_so_and_is_rehearsed_as_any_request() -> None:
    """It took its time at a replica, and its status is 200, as of every call."""
    call = record.line(ended.parse(row(grpc_status="UNAVAILABLE")))
    assert call.endswith(",0.200000,iris,iris-00001,200,UNAVAILABLE\n")
    other = record.line(ended.parse(row(time=1_700_000_001.25, executing_s=0.5)))
    trace = traces.parse([record.HEADER, call, other])
    assert (trace.arrivals, trace.durations, trace.models) == ([0, 1], [0.2, 0.5], ["iris"] * 2)


def test_a_revision_without_a_service_is_its_own_model() -> None:
    assert ",iris-00001,iris-00001,200,\n" in record.line(ended.parse(row(service="")))


def test_half_a_write_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    written = bytearray()

    def write(_file: int, data: bytes) -> int:
        written.extend(data[:5])
        return min(5, len(data))

    monkeypatch.setattr(os, "write", write)
    record.Recording(7).add(row())
    assert written.decode() == record.HEADER + record.line(ended.parse(row()))
