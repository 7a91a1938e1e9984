"""Several models behind one port: opened when asked for, closed when others need the room.

For: fleets of small, rarely used models, each with a server of its own in one process.
Must not know: which goes when room is short (packing.py says so), protocols of inference, signals.

A request for a model that is not open is parked; models are opened one after another. A model is
closed only when nothing of it is received, waits or runs. One that was unloaded by hand stays
closed until it is loaded by hand. One that could not be opened costs the others nothing for a
while, unless its files change.
"""

import asyncio
import logging
import math
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from predictor import grpc_codec, packed_answers, packed_calls, repository_requests
from predictor.config import Settings
from predictor.errors import Fault, LoadError, RequestError
from predictor.loaded import Loaded
from predictor.opening import Opened, open_measured
from predictor.packed_model import LOOK_S, PackedModel, Waiter
from predictor.packing import Packing
from predictor.protocol import JSON
from predictor.repository import Files, Repository, files_of
from predictor.repository_requests import Ask, Listed, State
from predictor.server import Server
from predictor.worker import Worker
from wire.exchange import Exchange
from wire.parking import Parked

_LOG = logging.getLogger(__name__)
_RETRY_S = 10.0  # one that could not be opened is tried again, with the same files


class PackedServer:
    """The wire's handler for all of them. All calls come from one event loop."""

    def __init__(self, settings: Settings, repository: Repository, worker: Worker) -> None:
        """`worker` opens models; each runs on one of its own."""
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._repository = repository
        self._worker = worker
        self._models: dict[str, PackedModel] = {name: PackedModel() for name in repository.names()}
        self._packing = Packing(bytes_max=settings.models_bytes_max, count_max=settings.models_max)
        self._wanted: dict[str, None] = {}  # to be opened, in this order
        self._is_opening = False
        self._opens = 0  # which opening it is
        self._looking: asyncio.TimerHandle | None = None  # for room
        self._is_draining = False
        self.asked_s = self._touched_s = self._loop.time()  # when a model was; when anything

    # -- what serving.py asks ----------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether a request is being received, waits or runs."""
        return self._is_opening or any(
            one.waiting or (one.server is not None and one.server.is_busy)
            for one in self._models.values()
        )

    @property
    def active_s(self) -> float:
        """When a request last came or was answered."""
        return max([self._touched_s, *(server.active_s for server in self._servers())])

    @active_s.setter
    def active_s(self, now_s: float) -> None:
        self._touched_s = now_s

    @property
    def is_draining(self) -> bool:
        """Whether it serves what comes, and asks that nothing more comes."""
        return self._is_draining

    @is_draining.setter
    def is_draining(self, is_draining: bool) -> None:
        self._is_draining = is_draining
        for server in self._servers():
            server.is_draining = is_draining

    def restarted(self, start_timing: str) -> None:
        """A start of the process is no model's."""
        del start_timing

    # -- requests ----------------------------------------------------------------------------

    def on_request(self, exchange: Exchange) -> None:
        """Take one request from the wire."""
        self._touched_s = self._loop.time()
        try:
            if packed_calls.is_call(exchange):
                has_grpc = self._settings.has_grpc
                ask = packed_calls.take(exchange, self._refuse, is_served=has_grpc)
            elif repository_requests.is_whole(exchange, self._too_large):
                ask = repository_requests.read(exchange)
            else:
                return
            if ask is None:
                return
            if ask.what == "model":
                self._pass_on(ask.name, exchange)
            else:
                self._answer(ask, exchange)
        except RequestError as error:
            self._refuse(exchange, error)
        except LoadError as error:
            self._refuse(exchange, RequestError(Fault.NOT_LOADED, detail=str(error)))

    def _too_large(self, exchange: Exchange) -> None:
        self._refuse(exchange, repository_requests.too_large())

    def _pass_on(self, name: str, exchange: Exchange) -> None:
        self.asked_s = self._loop.time()
        model = self._known(name)
        if model.state is State.UNLOADED:
            raise RequestError(Fault.NOT_READY, name=name)
        if model.server is not None:
            self._packing.used(name)
            model.server.on_request(exchange)
            return
        if model.state is State.FAILED and not self._may_open(name, model):
            raise RequestError(Fault.NOT_LOADED, detail=model.reason)
        waiter = Waiter(exchange=exchange, go_on=lambda: None)
        parked = Parked(exchange, partial(self._gone, model, waiter))
        waiter.go_on = parked.go_on
        self._wait(model, waiter)
        self._want(name)

    def _answer(self, ask: Ask, exchange: Exchange) -> None:
        body: Any
        match ask.what:
            case "index":
                body = self._index(is_ready_only=ask.is_ready_only)
            case "load":
                self._load(ask.name, exchange)
                return
            case "unload":
                self._unload(ask.name, exchange)
                return
            case "ready":
                model = self._known(ask.name)
                is_ready = not self._is_draining and model.state not in (
                    State.UNLOADED,
                    State.FAILED,
                )
                self._say(exchange, {"name": ask.name, "ready": is_ready}, 200 if is_ready else 503)
                return
            case "server ready":
                status = 503 if self._is_draining else 200
                self._say(exchange, {"ready": not self._is_draining}, status)
                return
            case "stats":
                body = self._statistics()
            case own:
                names, revision = self._repository.names, self._settings.revision
                body = packed_answers.said(own, names, revision)
        self._say(exchange, body, 200)

    def _known(self, name: str) -> PackedModel:
        if self._repository.path(name) is None:
            gone = self._models.get(name)
            if gone is not None and gone.server is not None and not gone.is_busy:
                self._close(name, gone, State.STANDBY)
            raise RequestError(Fault.NO_MODEL, name=name)
        return self._models.setdefault(name, PackedModel())

    def _index(self, *, is_ready_only: bool) -> list[dict[str, str]]:
        listed = []
        for name in self._repository.names():
            model = self._models.setdefault(name, PackedModel())
            one = Listed(name=name, state=model.state, reason=model.reason)
            if not is_ready_only or one.is_ready:
                listed.append(one.raw())
        return listed

    def _load(self, name: str, exchange: Exchange) -> None:
        model = self._known(name)
        done = partial(self._say, exchange, {"name": name, "load": True}, 200)
        if model.server is not None:
            model.state = State.READY  # though it may just be unloaded
            if self._files(name).stamp == model.stamp:
                done()
                return
        else:
            model.state = State.STANDBY
        waiter = Waiter(exchange=exchange, go_on=done)
        Parked(exchange, partial(self._gone, model, waiter))
        self._wait(model, waiter)
        model.when_idle(partial(self._renew, name, model))

    def _renew(self, name: str, model: PackedModel) -> None:
        """Open it; one that is open, with other files by now, once it has come to rest."""
        if model.waiting and model.server is not None:
            self._close(name, model, State.STANDBY)
        self._want(name)

    def _unload(self, name: str, exchange: Exchange) -> None:
        model = self._known(name)
        model.state, model.reason = State.UNLOADED, "unloaded"
        error = RequestError(Fault.NOT_READY, name=name)
        model.let_all(lambda waiter: self._refuse(waiter.exchange, error))
        model.when_idle(partial(self._closed_by_hand, name, model, exchange))

    def _closed_by_hand(self, name: str, model: PackedModel, exchange: Exchange) -> None:
        if model.server is not None and model.state is State.UNLOADED:
            self._close(name, model, State.UNLOADED)
        self._say(exchange, {"name": name, "unload": True}, 200)

    # -- waiting for a model -----------------------------------------------------------------

    def _wait(self, model: PackedModel, waiter: Waiter) -> None:
        timeout_s = self._settings.timeout_s
        model.waiting[waiter] = None
        fault = RequestError(Fault.TIMED_OUT, timeout_s=timeout_s)
        refuse = partial(self._refuse, waiter.exchange, fault)
        waiter.timer = self._loop.call_later(timeout_s, partial(model.let, waiter, refuse))

    def _gone(self, model: PackedModel, waiter: Waiter) -> None:
        model.let(waiter, lambda: None)

    def _want(self, name: str) -> None:
        self._wanted[name] = None
        if self._looking is None:  # else there is no room, and somebody looks for it already
            self._open_next()

    # -- opening and closing -----------------------------------------------------------------

    def _open_next(self) -> None:
        """Open the first that is wanted, if there is room or can be made."""
        self._looking = None
        while self._wanted and not self._is_opening:
            name = next(iter(self._wanted))
            model = self._models[name]
            path = self._path(name)
            if model.server is not None or not model.waiting or path is None:
                del self._wanted[name]  # open already, or nobody waits any more
                self._failed(name, model, "it is not in the repository any more")
                continue
            files = files_of(path)
            model.stamp = files.stamp
            limit = self._settings.models_bytes_max
            size = model.expected_bytes(files.size_bytes, limit)
            if not self._packing.fits_alone(size):
                del self._wanted[name]
                self._failed(name, model, f"it needs {size} bytes, and all have {limit} together")
                continue
            victims = self._packing.victims(size, is_idle=self._is_idle)
            if victims is None:
                self._looking = self._loop.call_later(LOOK_S, self._open_next)
                return
            self._evict(victims)
            del self._wanted[name]
            self._open(name, model, path, files)

    def _path(self, name: str) -> Path | None:
        """Where it is now; None also where the folder can not be told at this moment."""
        try:
            return self._repository.path(name)
        except LoadError as error:
            _LOG.error("%s", error)
            return None

    def _files(self, name: str) -> Files:
        path = self._path(name)
        return Files(0, 0) if path is None else files_of(path)

    def _may_open(self, name: str, model: PackedModel) -> bool:
        """Whether one that could not be opened may do better: else it would evict in vain."""
        is_due = self._loop.time() - model.failed_s >= _RETRY_S
        return is_due or self._files(name).stamp != model.stamp

    def _open(self, name: str, model: PackedModel, path: Path, files: Files) -> None:
        self._is_opening = True
        model.state, model.reason = State.LOADING, ""
        settings = self._repository.settings(name, path, self._settings)
        self._opens += 1
        this = self._opens

        def end(opened: Opened) -> None:
            self._loop.call_soon_threadsafe(self._opened, this, name, model, opened, files)

        def give_up(why: str) -> None:
            end(Opened(settings=settings, failure=why, is_stuck=True))

        self._worker.call(lambda: end(open_measured(settings, give_up)))

    def _opened(
        self, this: int, name: str, model: PackedModel, opened: Opened, files: Files
    ) -> None:
        if this != self._opens or not self._is_opening:
            return  # it was given up
        self._is_opening = False
        if opened.is_stuck:  # its thread does not come back
            limits, self._worker = self._worker.limits, Worker(self._loop)
            self._worker.limit(*limits)
        if opened.loaded is None:
            self._failed(name, model, opened.failure)
            if opened.is_stuck:  # each further try would cost a thread that never ends
                model.failed_s = math.inf
        elif model.state is State.UNLOADED:
            _LOG.info("%s was unloaded while it was opened", name)
        else:
            self._start(name, model, opened.settings, opened.loaded)
            measured = opened.memory_bytes
            least = min(measured, model.size_bytes) if model.opens else measured
            model.size_bytes = max(least, files.size_bytes)
            model.opens += 1
            self._packing.opened(name, size_bytes=model.size_bytes, cost_s=opened.load_s)
            mib, load_ms = model.size_bytes / 2**20, opened.load_s * 1000
            _LOG.info("opened %s: %.1f MiB in %.1f ms", name, mib, load_ms)
            model.let_all(lambda waiter: waiter.go_on())
            # The guess may have been too small: it is corrected once, at the expense of others.
            others = lambda one: one != name and self._is_idle(one)  # noqa: E731 - short
            self._evict(self._packing.victims(0, count=0, is_idle=others) or [])
        self._open_next()

    def _start(self, name: str, model: PackedModel, settings: Settings, loaded: Loaded) -> None:
        model.worker = Worker(self._loop)
        model.worker.limit(*self._worker.limits)
        model.server = Server(settings, loaded, model.worker)
        model.server.is_draining = self._is_draining
        model.server.lane.on_stuck = partial(self._stuck, name, model)
        model.state, model.reason = State.READY, ""

    def _stuck(self, name: str, model: PackedModel, seconds: float) -> None:
        """One that does not return is given up; the next request opens it anew."""
        _LOG.error("%s has not returned for %d s: it is given up", name, seconds)
        if model.server is not None:
            self._close(name, model, State.STANDBY)

    def _failed(self, name: str, model: PackedModel, why: str) -> None:
        model.failed_s = self._loop.time()
        if not model.waiting and model.state is not State.LOADING:
            return
        model.state, model.reason = State.FAILED, why
        _LOG.error("%s cannot be opened: %s", name, why)
        error = RequestError(Fault.NOT_LOADED, detail=why)
        model.let_all(lambda waiter: self._refuse(waiter.exchange, error))

    def _evict(self, names: list[str]) -> None:
        for name in names:
            self._close(name, self._models[name], State.STANDBY, is_for_room=True)

    def _close(
        self, name: str, model: PackedModel, state: State, *, is_for_room: bool = False
    ) -> None:
        (self._packing.evicted if is_for_room else self._packing.closed)(name)
        free = model.close(state)
        _LOG.info("closed %s", name)
        self._worker.call(free)  # before another is opened in its place

    def _is_idle(self, name: str) -> bool:
        model = self._models[name]
        return not model.is_busy and not (model.server and model.server.lane.is_held)

    # -- answers -----------------------------------------------------------------------------

    def _servers(self) -> list[Server]:
        return [one.server for one in self._models.values() if one.server is not None]

    def _statistics(self) -> dict[str, Any]:
        open_now = {
            name: model.server.lane.statistics()
            for name, model in self._models.items()
            if model.server is not None
        }
        return {"models": open_now, "used_bytes": self._packing.used_bytes}

    def _say(self, exchange: Exchange, body: Any, status: int) -> None:
        if self._is_draining:
            exchange.keep_alive = False
        if packed_calls.is_call(exchange):
            packed_calls.say(exchange, body)
        else:
            exchange.respond(status, JSON, orjson.dumps(body))

    def _refuse(self, exchange: Exchange, error: RequestError) -> None:
        if packed_calls.is_call(exchange):
            head, body = grpc_codec.refusal(error)
            exchange.respond(200, head, body)
            return
        headers = JSON
        if error.fault is Fault.WRONG_METHOD:
            headers += b"allow: %b\r\n" % repository_requests.method(exchange.path)
        exchange.respond(error.status, headers, error.body)
