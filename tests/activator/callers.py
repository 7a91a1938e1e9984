"""gRPC through an activator: a replica of Google's server, and callers of Google's client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.activator.world import HOST, World, eventually, world
from wire.buffering import BufferedReceiver
from wire.exchange import Exchange
from wire.h2answer import ClientStream
from wire.h2frames import REFUSED_STREAM
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

H2C = [{"image": "mine", "ports": [{"name": "h2c", "containerPort": 9}]}]
LOAD = ("endpoint-load-metrics", "TEXT named_metrics.tokens_in_flight=7")
ECHO, TALK, FAIL, WAIT = (f"/a.B/{name}" for name in ("Echo", "Talk", "Fail", "Wait"))


class GrpcReplica:
    """Echoes with metadata, talks both ways, fails on purpose, and waits until `go`."""

    def __init__(self, path: Path, *, calls_max: int | None = None) -> None:
        options = [] if calls_max is None else [("grpc.max_concurrent_streams", calls_max)]
        self.server = grpc.aio.server(options=options)
        self.server.add_generic_rpc_handlers((self,))
        self.server.add_insecure_port(f"unix:{path}")
        self.path = path
        self.metadata: list[dict[str, Any]] = []
        self.running = self.running_max = self.calls = 0
        self.probes = self.cancelled = 0
        self.go = asyncio.Event()
        self._is_started = False

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """A handler for a method; None: unimplemented."""
        if details.method.startswith("/grpc.health"):
            self.probes += 1
            return None
        self.metadata.append(dict(details.invocation_metadata))
        found = {
            ECHO: grpc.unary_unary_rpc_method_handler(self._echo),
            TALK: grpc.stream_stream_rpc_method_handler(self._talk),
            FAIL: grpc.unary_unary_rpc_method_handler(self._fail),
            WAIT: grpc.unary_unary_rpc_method_handler(self._wait),
        }
        handler = found.get(details.method)
        if handler is None and "Inference" in details.method:
            return found[ECHO]
        return handler

    async def _echo(self, data: bytes, context: Any) -> bytes:
        self.calls += 1
        await context.send_initial_metadata((("x-first", "1"), LOAD))
        context.set_trailing_metadata((("x-last", "2"),))
        return b"echo " + data

    async def _talk(self, messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for data in messages:
            if data == b"fail":
                await context.abort(grpc.StatusCode.DATA_LOSS, "as asked")
            yield b"heard " + data
        yield b"bye"

    async def _fail(self, _: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-last", "3"),))
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so: ü")
        return b""

    async def _wait(self, data: bytes, _: Any) -> bytes:
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return data

    async def start(self) -> None:
        self._is_started = True
        await self.server.start()

    async def stop(self) -> None:
        if self._is_started:
            await self.server.stop(None)


class Channel:
    """One client. Its authority is a host of the activator."""

    def __init__(self, it: World, host: str = HOST) -> None:
        address = f"{it.activator.address[0]}:{it.activator.address[1]}"
        options = [("grpc.default_authority", host), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(address, options=options)

    def call(self, method: str, data: bytes = b"x", **more: Any) -> Any:
        return self.channel.unary_unary(method)(data, timeout=more.pop("timeout", 20), **more)

    def stream(self, method: str = TALK, **more: Any) -> Any:
        return self.channel.stream_stream(method)(timeout=20, **more)


async def status(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ends."""
    return await call.code(), await call.details() or ""


@asynccontextmanager
async def calling(
    *, is_ready: bool = True, calls_max: int | None = None, host: str = HOST, **more: Any
) -> AsyncIterator[tuple[World, GrpcReplica, Channel]]:
    """A Service of a user's own gRPC server, and a client. Settings begin without `of_`."""
    revision = {name[3:]: more.pop(name) for name in tuple(more) if name.startswith("of_")}
    async with world(**more) as it:
        it.revision(**{"containers": H2C, **revision})
        it.route(("app-1", 100))
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        replica = GrpcReplica(it.folder / "p1", calls_max=calls_max)
        channel = Channel(it, host)
        try:
            if is_ready:
                await comes(it, replica)
            yield it, replica, channel
        finally:
            await channel.channel.close(None)
            await replica.stop()


async def comes(it: World, replica: GrpcReplica) -> None:
    """The replica listens, and is found ready."""
    await replica.start()
    it.pod(replica.path.name, containers=H2C)
    await it.ready()


class H2Replica:
    """A plain server of HTTP/2: it echoes, and can die, or refuse streams without a look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[Exchange] = []
        self.answer: Callable[[Exchange], None] = self.answered
        self.refusals = 0  # to come
        self._server: asyncio.Server | None = None
        self._roster = Roster(Limits())
        self._protocols: list[ServerProtocol] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._make, str(self.path))

    def _make(self) -> ServerProtocol:
        self._protocols.append(ServerProtocol(self, Limits(), self._roster))
        return self._protocols[-1]

    def on_request(self, exchange: Exchange) -> None:
        if exchange.path.startswith(b"/grpc.health"):
            exchange.respond(404, b"", b"")
            return
        if self.refusals:
            self.refusals -= 1
            stream: Any = exchange._link
            stream.side._cut(stream, REFUSED_STREAM)
            return
        self.asked.append(exchange)
        self.answer(exchange)

    def answered(self, exchange: Exchange) -> None:
        BufferedReceiver(
            lambda exchange, body: exchange.respond(201, b"x-kind: echo\r\n", body),
            bytes_max=1_000_000,
            on_overflow=lambda _: None,
        ).attach(exchange)

    def die(self) -> None:
        """Nothing listens any more, and everything open breaks."""
        assert self._server is not None
        self._server.close()
        self.path.unlink()
        for protocol in self._protocols:
            protocol.transport.abort()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._roster.retire()


class Receiver:
    """One answer."""

    def __init__(self) -> None:
        self.status = 0
        self.body: bytes | None = None
        self._pieces = b""

    def on_answer(self, connection: ClientStream) -> None:
        self.status = connection.status
        self._pieces = connection.early
        if connection.is_answer_complete:
            self.on_answer_end()

    def on_answer_body(self, data: bytes) -> None:
        self._pieces += data

    def on_answer_end(self) -> None:
        self.body = self._pieces

    def on_answer_lost(self, why: str) -> None:
        raise AssertionError(why)

    def on_upstream_writable(self, is_writable: bool) -> None:
        pass


@asynccontextmanager
async def speaking(**settings: Any) -> AsyncIterator[tuple[World, H2Replica]]:
    """A Service whose replica speaks HTTP/2, and not gRPC."""
    async with world(**settings) as it:
        it.revision(containers=H2C)
        it.route(("app-1", 100))
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        replica = H2Replica(it.folder / "p1")
        await replica.start()
        it.pod("p1", containers=H2C)
        await it.ready()
        try:
            yield it, replica
        finally:
            await replica.stop()
