import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from predictor import claim_server
from predictor.claim_server import BODY_BYTES_MAX, Answer, Call, ClaimServer


class Echo:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        return 200, {"path": call.path, "body": call.body.decode()}


@pytest.fixture
async def server() -> AsyncIterator[tuple[Echo, int]]:
    echo = Echo()
    found = ClaimServer(echo.handle)
    port = await found.start("127.0.0.1", 0)
    yield echo, port
    found.close()


async def ask(port: int, raw: bytes) -> tuple[int, dict[str, str]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    writer.write_eof()
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ")[1]), orjson.loads(body)


async def test_a_request_is_read_whole(server: tuple[Echo, int]) -> None:
    echo, port = server
    raw = b"POST /claim?x=1 HTTP/1.1\r\nAuthorization: Bearer k\r\ncontent-length: 2\r\n\r\nhi"
    assert await ask(port, raw) == (200, {"path": "/claim", "body": "hi"})
    (call,) = echo.calls
    assert (call.method, call.headers["authorization"]) == ("POST", "Bearer k")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / SPDY/3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1), 413),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999999\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_is_refused(
    server: tuple[Echo, int], raw: bytes, status: int
) -> None:
    echo, port = server
    found, told = await ask(port, raw)
    assert found == status
    assert told["error"]
    assert not echo.calls


async def test_a_caller_that_goes_costs_nothing(server: tuple[Echo, int]) -> None:
    echo, port = server
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhi")
    writer.close()
    await writer.wait_closed()
    assert (await ask(port, b"GET /readyz HTTP/1.1\r\n\r\n"))[0] == 200
    assert len(echo.calls) == 1


async def test_who_does_not_ask_is_told_that_it_took_too_long(
    server: tuple[Echo, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_server, "_READ_S", 0.05)
    _, port = server
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /readyz HTTP/1.1\r\n")
    said = await asyncio.wait_for(reader.read(), 10)
    assert said.startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_so_many_connections_and_no_more(
    server: tuple[Echo, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_server, "_CONNECTIONS_MAX", 1)
    _, port = server
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /one HTTP/1.1\r\n")
    others, other = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(others.read(), 10) == b""
    other.close()
    writer.write(b"\r\n")
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 ")
    writer.close()
