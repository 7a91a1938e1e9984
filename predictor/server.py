"""Answer the requests of one model: infer, metadata, health, load.

For: the hot path from a parsed head to a written answer, within the gate and the timeout.
Must not know: processes, signals, how bytes become requests, how the model was found.

JSON is read and written on the loop however large it is: orjson and numpy hold the interpreter
lock for the whole call, so a thread would block the loop just as long.
"""

import asyncio
import importlib.metadata
import logging
import uuid
from collections.abc import Callable
from functools import partial

import orjson

from api import keys
from predictor import cloud_events, routes
from predictor.batches import Batches
from predictor.cloud_events import EventCodec
from predictor.config import Settings
from predictor.errors import Fault, RequestError
from predictor.gate import Admission, Gate
from predictor.load_header import LoadHeader
from predictor.loaded import Loaded
from predictor.protocol import InferRequest
from predictor.protocol_v1 import CodecV1
from predictor.protocol_v2 import CodecV2, metadata
from predictor.routes import Answer
from predictor.stats import RequestStats
from predictor.worker import Outcome, Worker
from wire.buffering import BufferedReceiver
from wire.exchange import Exchange

Codec = CodecV1 | CodecV2 | EventCodec

_LOG = logging.getLogger(__name__)
_JSON = b"content-type: application/json\r\n"
_PROXY = keys.HEADER_PROXY.encode()
_TIMING = keys.HEADER_SERVER_TIMING.encode()
_LOAD_FORMAT = keys.HEADER_LOAD_FORMAT.encode()
_BINARY_HEADER = b"inference-header-content-length"
_VERSION = importlib.metadata.version("relight")


class Call:
    """One inference on its way: the receiver of its exchange, a place in gate and timeouts."""

    __slots__ = (
        "arrived_s",
        "body",
        "codec",
        "exchange",
        "is_over",
        "is_proxied",
        "request",
        "server",
    )

    def __init__(
        self, server: "Server", exchange: Exchange, codec: Codec, is_proxied: bool
    ) -> None:
        self.server = server
        self.exchange = exchange
        self.codec = codec
        self.is_proxied = is_proxied
        self.is_over = False  # answered, or the client is gone
        self.body = b""
        self.arrived_s = 0.0  # whole
        self.request: InferRequest | None = None

    def on_body(self, data: bytes) -> None:
        """The body was taken whole before this became the receiver."""

    def on_end(self) -> None:
        """See on_body."""

    def on_abort(self) -> None:
        """The client left: its place in the queue is free, its run is not interrupted."""
        self.server.abandoned(self)

    def on_writable(self, is_writable: bool) -> None:
        """An answer is one write; what the client does not take is kept by the transport."""


class Server:
    """One model behind the wire's `Handler` interface. All calls come from one event loop."""

    def __init__(
        self, settings: Settings, loaded: Loaded, worker: Worker, *, start_timing: str = ""
    ) -> None:
        """`start_timing`: what the first answer tells of the start, as server-timing entries."""
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._worker = worker
        self._run = loaded.run
        self._load = LoadHeader(loaded.metrics)
        self._gate: Gate[Call] = Gate(settings.container_concurrency)
        self.stats = RequestStats(now_s=self._loop.time())
        self.active_s = self._loop.time()  # when a request last came or was answered
        self.is_draining = False
        self._start_timing = b""
        self.restarted(start_timing)
        self._batches = _batches(settings, loaded, worker, self._ran)
        self._waiting: dict[Call, float] = {}  # calls not answered in their tick → deadline
        self._timer: asyncio.TimerHandle | None = None
        self._routes = routes.table(settings.model_name, settings.revision)
        name, version = settings.model_name, settings.revision
        self._v1 = CodecV1(loaded.signature)
        self._v2 = CodecV2(loaded.signature, name=name, version=version)
        identity = _identity(settings, loaded)
        self._head = _JSON + identity
        self._timed_head = b"%b" + identity + _TIMING + b": %brun;dur=%.3f\r\n"
        self._answers = _static_answers(settings, loaded)
        self._refusals = _readiness(name, is_ready=False)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being received, waits or runs, or an abandoned run goes on."""
        return self.stats.in_flight > 0 or self._gate.running > 0

    def restarted(self, start_timing: str) -> None:
        """Tell the next answer what this start took, as server-timing entries."""
        self._start_timing = f"{start_timing}, ".encode() if start_timing else b""

    def on_request(self, exchange: Exchange) -> None:
        """Take one request from the wire."""
        route = self._routes.get(exchange.target)
        try:
            if route is None:
                path = exchange.path
                route = self._routes.get(path) or self._find(path)
            answer = route.answer
            if exchange.method != route.method:
                routes.check_method(route, exchange.method, exchange.path)
            if answer is Answer.INFER:
                self._infer(exchange, self._v2)
            elif answer is Answer.PREDICT:
                event = cloud_events.is_event(exchange.index)
                self._infer(exchange, self._event(exchange) if event else self._v1)
            else:
                self._tell(exchange, answer)
        except RequestError as error:
            headers = self._head
            if error.fault is Fault.WRONG_METHOD and route is not None:
                headers += b"allow: %b\r\n" % route.method
            self._respond(exchange, error.status, headers, error.body)

    def abandoned(self, call: Call) -> None:
        """The client of a call is gone."""
        if not call.is_over:
            self._over(call)
            self._leave(call)

    def _leave(self, call: Call) -> None:
        """Give back the place of a call that is over, unless it is running."""
        if not self._gate.abandoned(call) and self._batches and self._batches.abandoned(call):
            self._ran(call, Outcome(None, None, 0.0))

    def _find(self, path: bytes) -> routes.Route:
        settings = self._settings
        return routes.find(
            self._routes, path, model_name=settings.model_name, revision=settings.revision
        )

    def _event(self, exchange: Exchange) -> EventCodec:
        name, identity = self._settings.model_name, str(uuid.uuid4())
        return EventCodec(self._v1, dict(exchange.index), model_name=name, identity=identity)

    # -- inference ---------------------------------------------------------------------------

    def _infer(self, exchange: Exchange, codec: Codec) -> None:
        index = exchange.index
        if b"content-encoding" in index or _BINARY_HEADER in index:
            _check_encoding(exchange)
        is_proxied = index.get(_PROXY) == b"activator"
        call = Call(self, exchange, codec, is_proxied)
        self.active_s = now_s = self._loop.time()
        self.stats.arrived(is_proxied=is_proxied, now_s=now_s)
        if exchange.is_complete:
            call.body = exchange.take()
            call.arrived_s = now_s
            self._arrived(call)
            if not call.is_over:
                exchange.receiver = call
                self._watch(call, now_s)
            return
        self._watch(call, now_s)
        BufferedReceiver(
            partial(self._received, call),
            bytes_max=self._settings.body_bytes_max,
            on_overflow=partial(self._overflowed, call),
            on_gone=call.on_abort,
        ).attach(exchange)

    def _received(self, call: Call, exchange: Exchange, body: bytes) -> None:
        del exchange  # the call has it
        if not call.is_over:
            call.body = body
            call.arrived_s = self._loop.time()
            self._arrived(call)

    def _overflowed(self, call: Call, exchange: Exchange) -> None:
        del exchange
        limit_bytes = self._settings.body_bytes_max
        self._refuse(call, RequestError(Fault.TOO_LARGE, limit_bytes=limit_bytes))

    def _arrived(self, call: Call) -> None:
        admission = self._gate.arrived(call)
        if admission is Admission.ADMITTED:
            self._execute(call)
        elif admission is Admission.REFUSED:
            self._refuse(call, RequestError(Fault.QUEUE_FULL))

    def _execute(self, call: Call) -> None:
        """Run an admitted call; whatever happens, its slot is released once."""
        if call.is_over:  # its client left in the tick in which it got the slot
            self._ran(call, Outcome(None, None, 0.0))
            return
        try:
            call.request = request = call.codec.decode(call.body)
        except RequestError as error:
            self._ran(call, Outcome(None, error, 0.0))
            return
        except Exception:  # noqa: BLE001 - a boundary: release the slot, answer the client
            _LOG.exception("decoding a request failed")
            self._ran(call, Outcome(None, RequestError(Fault.BUG), 0.0))
            return
        call.body = b""
        worker = self._worker
        if self._batches is not None:
            deadline_s = self._waiting.get(call, self._loop.time() + self._settings.timeout_s)
            self._batches.add(call, deadline_s=deadline_s)
        elif worker.is_quick:
            self._ran(call, worker.run_here(self._run, request.feeds, request.outputs))
        else:
            worker.run_there(self._run, request.feeds, request.outputs, partial(self._ran, call))

    def _ran(self, call: Call, outcome: Outcome, timing: bytes = b"") -> None:
        if not call.is_over:
            if outcome.outputs is not None and call.request is not None:
                self._answer(call, call.request, outcome, timing)
            else:
                self._refuse(call, outcome.error or RequestError(Fault.BUG))
        following = self._gate.finished()
        if following is not None:
            self._loop.call_soon(self._execute, following)  # not at once: a queue is no stack

    def _answer(self, call: Call, request: InferRequest, outcome: Outcome, timing: bytes) -> None:
        assert outcome.outputs is not None
        try:
            body = call.codec.encode(request, outcome.outputs)
        except RequestError as error:
            self._refuse(call, error)
            return
        except Exception:  # noqa: BLE001 - a boundary, as in _execute
            _LOG.exception("encoding an answer failed")
            self._refuse(call, RequestError(Fault.BUG))
            return
        self._over(call)
        timing = self._start_timing + timing
        headers = self._timed_head % (call.codec.head, timing, outcome.run_s * 1000)
        self._start_timing = b""
        asked = call.exchange.index.get(_LOAD_FORMAT)
        if asked is not None:
            waited_s = max(0.0, self.active_s - call.arrived_s - outcome.run_s)
            headers += self._load.line(asked, waited_s=waited_s)
        self._respond(call.exchange, 200, headers, body)

    def _refuse(self, call: Call, error: RequestError) -> None:
        self._over(call)
        self._respond(call.exchange, error.status, self._head, error.body)

    def _over(self, call: Call) -> None:
        """The client has its answer or is gone. A run that goes on keeps its slot."""
        assert not call.is_over
        call.is_over = True
        self._waiting.pop(call, None)
        self.active_s = now_s = self._loop.time()
        self.stats.left(is_proxied=call.is_proxied, now_s=now_s)

    def _respond(self, exchange: Exchange, status: int, headers: bytes, body: bytes) -> None:
        if self.is_draining:
            exchange.keep_alive = False
        exchange.respond(status, headers, body)

    # -- deadlines: one timer for all calls, which all have the same timeout -------------------

    def _watch(self, call: Call, now_s: float) -> None:
        self._waiting[call] = now_s + self._settings.timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._waiting[call], self._expire)

    def _expire(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        while self._waiting:
            call, deadline_s = next(iter(self._waiting.items()))
            if deadline_s > now_s:
                self._timer = self._loop.call_at(deadline_s, self._expire)
                return
            self._refuse(call, RequestError(Fault.TIMED_OUT, timeout_s=self._settings.timeout_s))
            self._leave(call)

    # -- everything that is not inference -----------------------------------------------------

    def _tell(self, exchange: Exchange, answer: Answer) -> None:
        status = 200
        if answer is Answer.STATS:
            body = self._statistics()
        elif self.is_draining and answer in self._refusals:
            status, body = 503, self._refusals[answer]
        else:
            body = self._answers[answer]
        self._respond(exchange, status, self._head, body)

    def _statistics(self) -> bytes:
        gate = self._gate.statistics()
        batches = {"batching": self._batches.statistics()} if self._batches else {}
        return orjson.dumps(
            {
                **batches,
                **self.stats.report(now_s=self._loop.time()),
                "running": gate.running,
                "running_max": gate.running_max,
                "queued": gate.queued,
                "queued_max": gate.queued_max,
            }
        )


def _batches(
    settings: Settings,
    loaded: Loaded,
    worker: Worker,
    done: Callable[[Call, Outcome, bytes], None],
) -> Batches[Call] | None:
    if not settings.batch_size_max:
        return None
    if settings.container_concurrency == 1:
        _LOG.warning("WARNING: with containerConcurrency 1 there is never a second to batch")
    size, delay_s = settings.batch_size_max, settings.batch_delay_s
    return Batches(worker, loaded.run, done, rows_max=size, delay_s=delay_s)


def _identity(settings: Settings, loaded: Loaded) -> bytes:
    lines = f"{keys.HEADER_MODEL_DIGEST}: {loaded.digest}\r\n"
    if settings.revision:
        lines += f"{keys.HEADER_REVISION}: {settings.revision}\r\n"
    return lines.encode()


def _static_answers(settings: Settings, loaded: Loaded) -> dict[Answer, bytes]:
    name = settings.model_name
    described = metadata(
        loaded.described,
        name=name,
        version=settings.revision,
        platform=loaded.platform,
        facts=loaded.facts,
    )
    raw = {
        Answer.ALIVE: {"status": "alive"},
        Answer.LIVE: {"live": True},
        Answer.MODELS: {"models": [name]},
        Answer.SERVER: {"name": "relight", "version": _VERSION, "extensions": []},
    }
    answers = {answer: orjson.dumps(one) for answer, one in raw.items()}
    return answers | _readiness(name, is_ready=True) | {Answer.METADATA: described}


def _readiness(name: str, *, is_ready: bool) -> dict[Answer, bytes]:
    """What asks whether requests should come here. A draining replica says no and serves on."""
    of_model = orjson.dumps({"name": name, "ready": is_ready})
    return {
        Answer.READY: orjson.dumps({"ready": is_ready}),
        Answer.MODEL_V1: of_model,
        Answer.MODEL_READY: of_model,
    }


def _check_encoding(exchange: Exchange) -> None:
    if _BINARY_HEADER in exchange.index:
        raise RequestError(Fault.BINARY, field=_BINARY_HEADER.decode())
    coding = exchange.index[b"content-encoding"].decode(errors="replace")
    if coding.lower() != "identity":
        raise RequestError(Fault.ENCODED, got=coding)
