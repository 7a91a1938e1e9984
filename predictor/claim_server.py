"""The claim port of a warm Pod: two probes and one POST, over HTTP/1.1.

For: a process that must stay small: no framework, one request a connection, bounds on all of it.
Must not know: what a claim is, or what becomes of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

_HEAD_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 256 * 1024
_READ_S = 10.0
_CONNECTIONS_MAX = 64
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]  # by names in lower case
    body: bytes


Answer = tuple[int, dict[str, Any]]
Handle = Callable[[Call], Awaitable[Answer]]


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ClaimServer:
    """Answers with JSON what `handle` says."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._open = 0
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port. OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_HEAD_BYTES_MAX)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Accept nothing more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _CONNECTIONS_MAX:
                await self._answer(reader, writer)
        except ConnectionError:
            pass  # the caller went; what it asked for was done
        finally:
            self._open -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_S):
                call = await _read(reader)
            status, told = await self._handle(call)
        except TimeoutError:
            status, told = 408, {"error": f"the request took more than {_READ_S:g} s"}
        except asyncio.IncompleteReadError:
            return
        except _RefusedError as error:
            status, told = error.status, {"error": str(error)}
        body = orjson.dumps(told)
        head = (
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n"
            "content-type: application/json\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Call:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError:
        raise _RefusedError(431, f"the head takes more than {_HEAD_BYTES_MAX} bytes") from None
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _RefusedError(400, "expected a request of HTTP/1.1")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise _RefusedError(411, "transfer-encoding: give a content-length instead")
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise _RefusedError(400, "content-length: expected a number")
    if len(length) > 9 or int(length) > BODY_BYTES_MAX:
        raise _RefusedError(413, f"the body may take {BODY_BYTES_MAX} bytes")
    body = await reader.readexactly(int(length))
    return Call(method=words[0], path=words[1].partition("?")[0], headers=headers, body=body)
