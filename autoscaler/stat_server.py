"""Where activators report: one connection each, to whoever leads.

For: taking in reports and pokes as they come, and noticing who is gone.
Must not know: what is decided from a report.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from api import stats as wire
from api.stats import MessageError, Stat
from autoscaler.reporters import PERIOD_S, Reporters, Statistics

_LOG = logging.getLogger(__name__)
_HELLO_S: Final = 3.0
_WAITS: Final = 3  # in a row make a silence
_WRITE_BYTES_MAX: Final = 64 * 1024  # a peer that does not read what it asked for is gone


class StatServer:
    """Passes reports to `receive`, and calls `listen` while silence may mean anything."""

    def __init__(
        self,
        name: str,
        *,
        receive: Callable[[Sequence[Stat]], None],
        listen: Callable[[], None],
    ) -> None:
        """`name` is told to reporters."""
        self._name = name
        self._receive = receive
        self._listen = listen
        self._reporters = Reporters()
        self._writers: set[asyncio.StreamWriter] = set()

    def statistics(self) -> Statistics:
        """Who is here, and how much was said."""
        return self._reporters.statistics()

    async def run(self, listener: socket.socket) -> None:
        """Serve at a bound socket until cancelled."""
        server = await asyncio.start_server(
            self._serve, sock=listener, limit=wire.LINE_BYTES_MAX, backlog=1024
        )
        try:
            while True:
                if self._reporters.is_deaf:
                    self._listen()
                stats = self._reporters.fill(now_s=_now_s())
                if stats:
                    self._receive(stats)
                await asyncio.sleep(PERIOD_S)
        finally:
            server.close()
            for writer in tuple(self._writers):
                writer.close()  # their readers end, and with them what waits there

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._talk(reader, writer)
        except MessageError as error:
            _LOG.warning("%s reports what can not be read: %s", _peer(writer), error)
            _send(writer, {"refused": str(error)})
        except (ValueError, TimeoutError) as error:  # a line that is too long; no hello
            _LOG.warning("%s: %s", _peer(writer), str(error) or "silent")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HELLO_S):
            name = wire.read_hello(_decoded(await reader.readline()))
        connection = self._reporters.join(name)
        if connection is None:
            _send(writer, {"refused": "too many report here already"})
            return
        _LOG.info("%s reports, from %s", name, _peer(writer))
        _send(writer, wire.hello(self._name))
        is_farewell = False
        try:
            is_farewell = await self._listen_to(reader, writer, name, connection)
        finally:
            now_s = _now_s()
            self._reporters.leave(name, connection, is_farewell=is_farewell, now_s=now_s)
            _LOG.info("%s %s", name, "has left" if is_farewell else "is lost")

    async def _listen_to(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, connection: int
    ) -> bool:
        """Until the connection ends; whether that was announced."""
        while line := await _line(reader):
            message = _decoded(line)
            stats = wire.read_stats(message, reporter=name, time_s=_now_s())
            heard = self._reporters.hear(name, connection, stats)
            if heard:
                self._receive(heard)
            if message.get("leaving"):
                return True
            if message.get("beat"):
                _send(writer, wire.BEAT)
        return False


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; b"" once there will be none, or the other side is silent.

    A standstill of this process itself takes one of the waits, at the end of which it reads
    what was said meanwhile: nobody is blamed for it.
    """
    for _ in range(_WAITS):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wire.SILENCE_S / _WAITS):
                return await reader.readline()
    return b""


def _decoded(line: bytes) -> Any:
    if not line.endswith(b"\n"):
        raise ConnectionError("ended within a line")
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"not JSON: {line[:80]!r}") from error


def _send(writer: asyncio.StreamWriter, message: Any) -> None:
    if writer.transport.get_write_buffer_size() > _WRITE_BYTES_MAX:
        writer.transport.abort()
    else:
        writer.write(orjson.dumps(message) + b"\n")


def _peer(writer: asyncio.StreamWriter) -> str:
    host, port = (*(writer.get_extra_info("peername") or ()), "?", "?")[:2]
    return f"{host}:{port}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
