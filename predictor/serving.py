"""One predictor on one event loop: load, listen, serve, drain, leave.

For: the shell around lifecycle.py, shared by a forked replica and a predictor run alone.
Must not know: who started the process, zygotes, what a request means.
"""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from typing_extensions import override

from predictor import draining, heap, loader, loading, orders
from predictor.config import Settings
from predictor.draining import Connections
from predictor.errors import LoadError
from predictor.lifecycle import Lifecycle, Phase
from predictor.loaded import Loaded
from predictor.orders import Order, Orders
from predictor.packed import PackedServer
from predictor.prepared import LOAD_MIN_MS
from predictor.repository import Repository
from predictor.server import Server
from predictor.worker import Worker
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

_LOG = logging.getLogger(__name__)

BACKLOG = 4096  # the kernel holds so many connections that came before the model was open
BACKLOG_S = 0.5  # who still comes is accepted for so long while a predictor leaves
QUIET_S = 1.0  # an open connection without a request for so long is a pool's spare
LINGER_QUIET_S = 4.0  # nobody came for so long: every node has heard that a replica leaves
_LINGER_LOOK_S = 0.05
GRACE_BEYOND_TIMEOUT_S = 5.0  # the last request may use its whole timeout, and be answered
TIDY_AFTER_S = 2.0  # what came while the model was loaded has been answered by then
EXIT_STUCK = 70  # sysexits.h: an internal error
_IDLE_S = 3600.0  # an activator keeps its pooled connections as long as it likes

T = TypeVar("T")
Report = Callable[[dict[str, Any]], None]
Front = Server | PackedServer


class _Connection(ServerProtocol):
    def __init__(
        self, server: Front, limits: Limits, roster: Roster, connections: Connections
    ) -> None:
        super().__init__(server, limits, roster)
        self._server = server
        self._open = connections.transports

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._open.add(self.transport)
        self._server.active_s = asyncio.get_running_loop().time()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self.transport)
        super().connection_lost(exc)


async def serve(
    settings: Settings,
    listener: socket.socket | Sequence[socket.socket],
    worker: Worker,
    report: Report,
    *,
    fork_ms: float | None = None,
    told: Orders | None = None,
) -> int:
    """Serve one model until told to stop by SIGTERM or SIGINT; the exit code.

    `told` may ask it to rest meanwhile, and to go on; then it has one listener.

    Nothing is accepted before the model is open: the listener's backlog holds what comes.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _settle, stopped, None)
    life = Lifecycle(quiet_s=QUIET_S, grace_s=settings.timeout_s + GRACE_BEYOND_TIMEOUT_S)
    started_s = time.perf_counter()
    opening = load_aside(worker, functools.partial(_open, settings, report))
    await asyncio.wait((opening, stopped), return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        return 0
    opened = opening.result()
    if isinstance(opened, LoadError):
        _LOG.error("%s", opened)
        report({"failed": str(opened)})
        return 1
    if isinstance(opened, BaseException):
        report({"failed": "the predictor failed while loading; the log says why"})
        raise opened
    load_ms = (time.perf_counter() - started_s) * 1000
    timing = f"load;dur={load_ms:.2f}"
    if fork_ms is not None:
        timing = f"fork;dur={fork_ms:.2f}, {timing}"
    server = _server(settings, opened, worker, timing)
    connections = Connections()
    listeners = [listener] if isinstance(listener, socket.socket) else listener
    accepting = [await listen(server, settings, each, connections) for each in listeners]
    life.loaded()
    facts = _facts(opened)
    report({"ready": True, "fork_ms": fork_ms, "load_ms": round(load_ms, 3), **facts})
    if load_ms >= LOAD_MIN_MS:
        prepare = opened.prepare if isinstance(opened, Loaded) else None
        loop.call_later(TIDY_AFTER_S, _tidy, prepare)
    if told is not None:
        rest = _Rest(life, server, listeners[0], connections, report, facts)
        await rest.obey(told, stopped)
    await stopped
    server.is_draining = True
    await _linger(server, settings.linger_s)
    life.stop(now_s=loop.time())
    for each, one in zip(listeners, accepting, strict=True):
        await draining.empty_backlog(each, by_s=loop.time() + BACKLOG_S)
        one.close()
    await draining.drain(life, server, connections)
    return 0


@dataclass(frozen=True, slots=True)
class _Rest:
    """Comes to rest and goes on, as often as it is told to."""

    life: Lifecycle
    server: Front
    listener: socket.socket
    connections: Connections
    report: Report
    facts: Mapping[str, Any]

    async def obey(self, told: Orders, stopped: "asyncio.Future[None]") -> None:
        """Do what is asked until told to stop."""
        while not stopped.done():
            coming = told.coming()
            await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                break
            order = coming.result()
            if order.op == "resume":
                self._resume(order)
            else:
                await self._settle(stopped)
        told.close()

    async def _settle(self, stopped: "asyncio.Future[None]") -> None:
        """Nobody finds the socket any more: end what came, and say so.

        Then it is as good as new, before it says so: who got in after all is served, if only
        when this process runs again.
        """
        now_s = asyncio.get_running_loop().time()
        self.life.settle(now_s=now_s)
        self.server.is_draining = True
        await draining.empty_backlog(self.listener, by_s=now_s + BACKLOG_S)
        await draining.drain(self.life, self.server, self.connections, unless=stopped)
        if self.life.phase is Phase.SETTLED:
            self.server.is_draining = False
            orders.fall_silent()
            self.report({"settled": True})

    def _resume(self, order: Order) -> None:
        self.life.resume()
        resumed_ms = orders.heed(order)
        self.server.is_draining = False
        self.server.restarted(f"resume;dur={resumed_ms:.2f}")
        self.report({"ready": True, "resumed_ms": resumed_ms, **self.facts})


async def _linger(server: Front, seconds: float) -> None:
    """Serve on, unready: who comes past the activator learns late that this address is leaving.

    Once nobody comes any more, all have learned it.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while loop.time() - began_s < seconds:
        is_quiet = loop.time() - max(began_s, server.asked_s) >= LINGER_QUIET_S
        if is_quiet and not server.is_busy:
            return
        await asyncio.sleep(_LINGER_LOOK_S)


def _open(settings: Settings, report: Report) -> Loaded | Repository:
    if not settings.repository:
        return loading.load(settings, functools.partial(_give_up, report))
    repository = Repository(loader.resolve(settings.repository))
    repository.names()
    return repository


def _server(settings: Settings, opened: Loaded | Repository, worker: Worker, timing: str) -> Front:
    worker.limit(settings.timeout_s, _end_stuck)
    if isinstance(opened, Repository):
        return PackedServer(settings, opened, worker)
    server = Server(loading.completed(settings, opened), opened, worker, start_timing=timing)
    server.lane.on_stuck = _end_stuck
    return server


def _end_stuck(seconds: float) -> None:
    """Every request behind that run would wait in vain: a new process serves the next."""
    _LOG.critical("the model has not returned for %d s: this replica ends", seconds)
    logging.shutdown()
    os._exit(EXIT_STUCK)


def _give_up(report: Report, why: str) -> None:
    """The model will not be ready, and its thread not come back."""
    _LOG.critical("%s: this replica ends", why)
    report({"failed": why})
    logging.shutdown()
    os._exit(EXIT_STUCK)


def _facts(opened: Loaded | Repository) -> dict[str, Any]:
    """What is told of the model with its being ready; a repository's models come and go."""
    if isinstance(opened, Repository):
        return {"digest": "", "provider": "", "prepared": False, "name": ""}
    return {
        "digest": opened.digest,
        "provider": opened.provider,
        "prepared": bool(opened.facts.get("prepared")),
        "name": opened.name,  # "" where one was given
    }


def _tidy(prepare: Callable[[], None] | None) -> None:
    """What is done after a load that took its time, on a thread that nobody waits for."""

    def work() -> None:
        heap.give_back()
        if prepare is not None:
            prepare()

    threading.Thread(target=work, name="tidy", daemon=True).start()


async def listen(
    server: Front, settings: Settings, listener: socket.socket, connections: Connections
) -> asyncio.Server:
    """Accept on a bound socket. Connections share one timer."""
    limits = Limits(
        body_bytes_max=settings.body_bytes_max, idle_s=_IDLE_S, body_s=float(settings.timeout_s)
    )
    roster = Roster(limits)
    factory = functools.partial(_Connection, server, limits, roster, connections)
    loop = asyncio.get_running_loop()
    return await loop.create_server(factory, sock=listener, backlog=BACKLOG)


def load_aside(worker: Worker, load: Callable[[], T]) -> "asyncio.Future[T | BaseException]":
    """Load on the worker's thread, so that the loop hears a stop meanwhile."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T | BaseException] = loop.create_future()

    def work() -> None:
        outcome: T | BaseException
        try:
            outcome = load()
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            outcome = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: stopped meanwhile
            loop.call_soon_threadsafe(_settle, future, outcome)

    worker.call(work)
    return future


def _settle(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)
