"""Answer the requests of one model: infer, metadata, health, load.

For: the hot path from a parsed head to a written answer, within the gate and the timeout.
Must not know: processes, signals, how bytes become requests, how the model was found.

JSON is read and written on the loop however large it is: orjson and numpy hold the interpreter
lock for the whole call, so a thread would block the loop just as long.
"""

import importlib.metadata
import uuid
from collections.abc import Mapping

import orjson

from api import keys
from predictor import (
    cloud_events,
    coding,
    explain_codecs,
    openapi,
    repository_requests,
    routes,
    text_server,
)
from predictor.calls import PROXY, Call
from predictor.cloud_events import EventCodec
from predictor.config import Settings
from predictor.errors import Fault, RequestError
from predictor.grpc_server import GrpcServer
from predictor.lane import Lane
from predictor.load_header import LoadHeader
from predictor.loaded import Loaded
from predictor.plans import Plan
from predictor.protocol import JSON, Codec, Encoded
from predictor.protocol_v1 import CodecV1
from predictor.protocol_v2 import CodecV2, metadata
from predictor.repository_requests import Listed, State
from predictor.routes import Answer
from predictor.text_server import TextServer
from predictor.worker import Worker
from wire import grpc
from wire.exchange import Exchange

_TIMING = keys.HEADER_SERVER_TIMING.encode()
_LOAD_FORMAT = keys.HEADER_LOAD_FORMAT.encode()
_EXTENSIONS = ("binary_tensor_data", "model_repository")
_VERSION = importlib.metadata.version("relight")


class Server:
    """One model behind the wire's `Handler` interface. All calls come from one event loop."""

    def __init__(
        self, settings: Settings, loaded: Loaded, worker: Worker, *, start_timing: str = ""
    ) -> None:
        """`start_timing`: what the first answer tells of the start, as server-timing entries."""
        self._settings = settings
        self._loaded = loaded
        self._mark = object()
        self.lane = Lane(settings, loaded, worker)
        self._load = LoadHeader(loaded.metrics)
        self._is_draining = False
        self._start_timing = b""
        self.restarted(start_timing)
        self._routes = routes.table(settings.model_name, settings.revision)
        name, version = settings.model_name, settings.revision
        facts = loaded.facts
        self._v1 = CodecV1(
            loaded.signature,
            signature_name=str(facts.get("signature_name", "serving_default")),
            signature_names=facts.get("signature_names", ()),
        )
        self._v2 = CodecV2(loaded.signature, name=name, version=version)
        self._identity = _identity(settings, loaded)
        self._head = JSON + self._identity
        self._timed_head = b"%b" + self._identity + _TIMING + b": %brun;dur=%.3f\r\n"
        self._grpc = GrpcServer(settings, loaded, self, identity=self._identity, version=_VERSION)
        self._text = TextServer(self, settings, loaded)
        self._explain: Mapping[Answer, Codec] = {}  # made when it is asked for: few ever are
        self._answers = _static_answers(settings, loaded, self._text)
        self._refusals = _readiness(name, is_ready=False)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being received, waits or runs, or an abandoned run goes on."""
        return self.lane.is_busy

    @property
    def active_s(self) -> float:
        """When a request last came or was answered."""
        return self.lane.active_s

    @active_s.setter
    def active_s(self, now_s: float) -> None:
        self.lane.active_s = now_s

    @property
    def asked_s(self) -> float:
        """When a request last came."""
        return self.lane.asked_s

    @property
    def is_draining(self) -> bool:
        """Whether it serves what comes, and asks that nothing more comes."""
        return self._is_draining

    @is_draining.setter
    def is_draining(self, is_draining: bool) -> None:
        self._is_draining = is_draining
        self._grpc.drains(is_draining)

    def restarted(self, start_timing: str) -> None:
        """Tell the next answer what this start took, as server-timing entries."""
        self._start_timing = f"{start_timing}, ".encode() if start_timing else b""

    def on_request(self, exchange: Exchange) -> None:
        """Take one request from the wire."""
        plan = exchange.head.origin.memo
        if type(plan) is not Plan or plan.mark is not self._mark:
            plan = self._plan(exchange)
            if plan is None:
                return
        if plan.is_direct and exchange.is_complete and self.lane.is_clear:
            self._at_once(exchange, plan)
        else:
            Call(self, exchange, plan.codec).begin(bytes_max=self._settings.body_bytes_max)

    def _plan(self, exchange: Exchange) -> Plan | None:
        """How an inference is to be taken; None for what is none, which has its answer."""
        route = self._routes.get(exchange.target)
        try:
            if route is None:
                path = exchange.path
                route = self._routes.get(path)
                if route is None and self._went_elsewhere(exchange, path):
                    return None
                route = route or self._find(path)
            if exchange.method != route.method:
                routes.check_method(route, exchange.method, exchange.path)
            codec = self._codec(exchange, route.answer)
            if codec is not None:
                return self._planned(exchange, codec)
            self._other(exchange, route.answer)
        except RequestError as error:
            self._refuse_head(exchange, error, route)
        return None

    def _planned(self, exchange: Exchange, codec: Codec) -> Plan:
        index = exchange.index
        is_encoded = b"content-encoding" in index
        if is_encoded:
            coding.check(index[b"content-encoding"])
        is_lasting = codec is self._v2 or codec is self._v1
        is_proxied = index.get(PROXY) == b"activator"
        plan = Plan(self._mark, codec, is_lasting and not is_encoded, is_proxied)
        if is_lasting:
            exchange.head.origin.memo = plan
        return plan

    def _codec(self, exchange: Exchange, answer: Answer) -> Codec | None:
        """Of what is an inference."""
        if answer is Answer.INFER:
            return self._v2
        if answer is Answer.PREDICT:
            return self._event(exchange) if cloud_events.is_event(exchange.index) else self._v1
        if answer not in (Answer.EXPLAIN, Answer.EXPLAIN_V1):
            return None
        if not self._explain:
            self._explain = explain_codecs.of_model(
                self._settings, self._loaded, v1=self._v1, v2=self._v2
            )
        return self._explain[answer]

    def _refuse_head(
        self, exchange: Exchange, error: RequestError, route: routes.Route | None
    ) -> None:
        if grpc.is_grpc(exchange.index.get(b"content-type")) and exchange.is_http2:
            self._grpc.refuse(exchange, error)
        else:
            headers = self._head + routes.remedy(error, route)
            self._respond(exchange, error.status, headers, error.body)

    def _other(self, exchange: Exchange, answer: Answer) -> None:
        """Whatever is no inference."""
        if answer is Answer.REPOSITORY:
            self._repository(exchange)
        else:
            self._tell(exchange, answer)

    def _went_elsewhere(self, exchange: Exchange, path: bytes) -> bool:
        """Whether a path is of another server of the same model's, which has it now."""
        if self._text.takes(path):
            self._text.on_request(exchange)
        elif path in self._grpc.paths or grpc.is_grpc(exchange.index.get(b"content-type")):
            self._grpc.on_request(exchange)
        else:
            return False
        return True

    def _find(self, path: bytes) -> routes.Route:
        settings = self._settings
        return routes.find(
            self._routes, path, model_name=settings.model_name, revision=settings.revision
        )

    def _event(self, exchange: Exchange) -> EventCodec:
        name, identity = self._settings.model_name, str(uuid.uuid4())
        return EventCodec(self._v1, dict(exchange.index), model_name=name, identity=identity)

    # -- inference ---------------------------------------------------------------------------

    def _at_once(self, exchange: Exchange, plan: Plan) -> None:
        """Answer here and now: nothing is waited for, so nobody has to watch."""
        codec = plan.codec
        try:
            encoded, run_s, timing = self.lane.at_once(
                codec, exchange.take(), exchange.index, is_proxied=plan.is_proxied
            )
        except RequestError as error:
            self._refuse(exchange, codec, error)
            return
        timing = self._start_timing + timing
        self._answer(exchange, codec, encoded, timing, run_s=run_s, waited_s=0.0)

    def answered(self, call: Call, encoded: Encoded, run_s: float, timing: bytes) -> None:
        """Send an answer."""
        waited_s = max(0.0, self.lane.active_s - call.arrived_s - run_s)
        timing = self._start_timing + timing
        self._answer(call.exchange, call.codec, encoded, timing, run_s=run_s, waited_s=waited_s)

    def _answer(
        self,
        exchange: Exchange,
        codec: Codec,
        encoded: Encoded,
        timing: bytes,
        *,
        run_s: float,
        waited_s: float,
    ) -> None:
        headers = self._timed_head % (encoded.head, timing, run_s * 1000)
        self._start_timing = b""
        asked = exchange.index.get(_LOAD_FORMAT)
        if asked is not None:
            headers += self._load.line(asked, waited_s=waited_s)
        if self._is_draining:
            exchange.keep_alive = False
        codec.send(exchange, 200, headers, encoded.body)

    def refused(self, call: Call, error: RequestError, *, status: int = 0) -> None:
        """Send a refusal, with the fault's own status unless another is given."""
        self._refuse(call.exchange, call.codec, error, status=status)

    def _refuse(
        self, exchange: Exchange, codec: Codec, error: RequestError, *, status: int = 0
    ) -> None:
        head, body = codec.refuse(error)
        if self._is_draining:
            exchange.keep_alive = False
        codec.send(exchange, status or error.status, head + self._identity, body)

    def heading(self, content: bytes) -> bytes:
        """The head of an answer that is not one of an inference's."""
        return content + self._identity

    def _respond(self, exchange: Exchange, status: int, headers: bytes, body: bytes) -> None:
        if self._is_draining:
            exchange.keep_alive = False
        exchange.respond(status, headers, body)

    # -- everything that is not inference -----------------------------------------------------

    def _repository(self, exchange: Exchange) -> None:
        """The repository extension, of the one model there is."""
        if not repository_requests.is_whole(exchange, self._too_large):
            return
        ask = repository_requests.read(exchange)
        name = self._settings.model_name
        if ask.what == "unload":
            why = "this predictor serves one model; its Revision goes to zero by itself"
            raise RequestError(Fault.UNSERVED, what="unload", why=why)
        body: object = {"name": name, "load": True}
        if ask.what == "index":
            state = State.UNLOADED if self.is_draining else State.READY
            line = Listed(name=name, state=state, reason="leaving" if self.is_draining else "")
            listed = [{**line.raw(), "version": self._settings.revision}]
            body = listed if line.is_ready or not ask.is_ready_only else []
        self._respond(exchange, 200, self._head, orjson.dumps(body))

    def _too_large(self, exchange: Exchange) -> None:
        error = repository_requests.too_large()
        self._respond(exchange, error.status, self._head, error.body)

    def _tell(self, exchange: Exchange, answer: Answer) -> None:
        status = 200
        if answer is Answer.STATS:
            body = orjson.dumps(self.lane.statistics())
        elif answer is Answer.OPENAPI:
            body = self._document()
        elif self._is_draining and answer in self._refusals:
            status, body = 503, self._refusals[answer]
        else:
            body = self._answers[answer]
        self._respond(exchange, status, self._head, body)

    def _document(self) -> bytes:
        """Made when it is first asked for: few replicas ever are."""
        if Answer.OPENAPI not in self._answers:
            self._answers[Answer.OPENAPI] = openapi.document(
                self._routes,
                self._loaded,
                model_name=self._settings.model_name,
                revision=self._settings.revision,
                text_paths=self._text.paths,
            )
        return self._answers[Answer.OPENAPI]


def _identity(settings: Settings, loaded: Loaded) -> bytes:
    lines = f"{keys.HEADER_MODEL_DIGEST}: {loaded.digest}\r\n"
    if settings.revision:
        lines += f"{keys.HEADER_REVISION}: {settings.revision}\r\n"
    return lines.encode()


def _static_answers(settings: Settings, loaded: Loaded, text: TextServer) -> dict[Answer, bytes]:
    name = settings.model_name
    extensions = [*_EXTENSIONS, *(text_server.EXTENSIONS if loaded.generate else ())]
    models = {"models": [name], **(text.listed() if text.is_serving else {})}
    ready = _readiness(name, is_ready=True)
    if text.is_serving:  # by the same path OpenAI's clients look a model up
        ready[Answer.MODEL_V1] = orjson.dumps({"name": name, "ready": True, **text.described()})
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
        Answer.MODELS: models,
        Answer.SERVER: {"name": "relight", "version": _VERSION, "extensions": extensions},
    }
    answers = {answer: orjson.dumps(one) for answer, one in raw.items()}
    return answers | ready | {Answer.METADATA: described}


def _readiness(name: str, *, is_ready: bool) -> dict[Answer, bytes]:
    """What asks whether requests should come here. A draining replica says no and serves on."""
    of_model = orjson.dumps({"name": name, "ready": is_ready})
    return {
        Answer.READY: orjson.dumps({"ready": is_ready}),
        Answer.MODEL_V1: of_model,
        Answer.MODEL_READY: of_model,
    }
