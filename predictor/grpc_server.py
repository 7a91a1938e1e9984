"""Answer gRPC's methods over HTTP/2: which path is which method, and the deadline of a call.

For: V2 over gRPC on the same ports as REST, through the same lane.
Must not know: how messages are made of tensors, what a method that runs nothing says.
"""

import asyncio
from functools import partial

from typing_extensions import override

from predictor import grpc_codec, grpc_reflection
from predictor.calls import Call, Front
from predictor.config import Settings
from predictor.errors import Fault, RequestError
from predictor.grpc_answers import HEALTH, INFERENCE, PATHS, Answers, read
from predictor.grpc_codec import GrpcCodec
from predictor.grpc_messages import message
from predictor.grpc_streams import (
    RUNNING_MAX,
    AnsweredStream,
    InferStream,
    Stream,
    WatchStream,
    bad_timeout,
)
from predictor.loaded import Loaded
from predictor.protocol import Encoded
from wire import grpc
from wire.buffering import BufferedReceiver
from wire.exchange import Exchange

_INFER = f"/{INFERENCE}/ModelInfer"
_STREAM_INFER = f"/{INFERENCE}/ModelStreamInfer"
_WATCH = f"/{HEALTH}/Watch"
_REFLECTIONS = grpc_reflection.paths()
_PATHS = {path.encode(): path for path in (_INFER, _STREAM_INFER, _WATCH, *PATHS, *_REFLECTIONS)}
_TIMEOUT = b"grpc-timeout"
_HealthCheckRequest = message("grpc.health.v1.HealthCheckRequest")


class GrpcServer:
    """The gRPC side of one model's server."""

    def __init__(
        self, settings: Settings, loaded: Loaded, front: Front, *, identity: bytes, version: str
    ) -> None:
        """`identity`: header lines of every answer; `version`: the server's."""
        self._settings = settings
        self._loaded = loaded
        self._version = version
        self._front = front
        self._bytes_max = settings.body_bytes_max
        self._head = grpc.CONTENT_TYPE + identity
        self._running_max = 1 if settings.container_concurrency else RUNNING_MAX
        self._watching: set[WatchStream] = set()
        self._is_draining = False
        self._parts: tuple[GrpcCodec, Answers] | None = None
        self.paths = _PATHS if settings.has_grpc else {}

    @property
    def _codec(self) -> GrpcCodec:
        return (self._parts or self._made())[0]

    @property
    def _answers(self) -> Answers:
        return (self._parts or self._made())[1]

    def _made(self) -> tuple[GrpcCodec, Answers]:
        """When the first call comes: most replicas see none, and need not own what it takes."""
        name, revision = self._settings.model_name, self._settings.revision
        answers = Answers(self._loaded, name=name, revision=revision, version=self._version)
        answers.is_draining = self._is_draining
        codec = GrpcCodec(
            self._loaded.signature, name=name, version=revision, bytes_max=self._bytes_max
        )
        self._parts = codec, answers
        return self._parts

    def drains(self, is_draining: bool) -> None:
        """Whether the server is going to leave."""
        if self._is_draining != is_draining:
            self._is_draining = is_draining
            if self._parts is not None:
                self._answers.is_draining = is_draining
            for stream in tuple(self._watching):
                stream.changed()

    def on_request(self, exchange: Exchange) -> None:
        """Take a call; RequestError for what is none of these methods'."""
        path = self.paths.get(exchange.path)
        if path is None:
            raise RequestError(Fault.NO_METHOD, path=exchange.path.decode(errors="replace"))
        if (
            exchange.method != b"POST"
            or not exchange.is_http2
            or not grpc.is_grpc(exchange.index.get(b"content-type"))
        ):
            raise RequestError(Fault.NOT_GRPC, path=path)
        if path == _INFER:
            GrpcCall(self._front, exchange, self._codec).begin(bytes_max=self._bytes_max)
        elif path in (_STREAM_INFER, _WATCH) or path in _REFLECTIONS:
            self._stream(exchange, path).begin()
        else:
            BufferedReceiver(
                partial(self._answer, path),
                bytes_max=self._bytes_max,
                on_overflow=self._overflowed,
            ).attach(exchange)

    def refuse(self, exchange: Exchange, error: RequestError) -> None:
        """Say why there is no answer."""
        head, body = grpc_codec.refusal(error)
        exchange.respond(200, head, body)

    def _stream(self, exchange: Exchange, path: str) -> Stream:
        if path == _STREAM_INFER:
            return InferStream(
                exchange,
                self._head,
                bytes_max=self._bytes_max,
                lane=self._front.lane,
                codec=self._codec,
                running_max=self._running_max,
            )
        if path == _WATCH:
            return WatchStream(
                exchange,
                self._head,
                bytes_max=self._bytes_max,
                look=self._health,
                watching=self._watching,
            )
        answer = partial(grpc_reflection.answer, _REFLECTIONS[path])
        return AnsweredStream(exchange, self._head, bytes_max=self._bytes_max, answer=answer)

    def _health(self, data: bytes) -> bytes:
        service = read(_HealthCheckRequest, data).service
        return bytes(self._answers.health(service).SerializeToString())

    def _answer(self, path: str, exchange: Exchange, body: bytes) -> None:
        try:
            asked = grpc_codec.unframed(body, exchange.index, self._bytes_max)
            answer = self._answers.answer(path, asked)
        except RequestError as error:
            self.refuse(exchange, error)
        else:
            exchange.respond(200, self._head, grpc.framed(answer), trailers=grpc.OK_TRAILERS)

    def _overflowed(self, exchange: Exchange) -> None:
        self.refuse(exchange, RequestError(Fault.TOO_LARGE, limit_bytes=self._bytes_max))


class GrpcCall(Call):
    """A call with a deadline of its own, if its client says one."""

    __slots__ = ("_timer",)

    def __init__(self, front: Front, exchange: Exchange, codec: GrpcCodec) -> None:
        super().__init__(front, exchange, codec)
        self._timer: asyncio.TimerHandle | None = None

    @override
    def begin(self, *, bytes_max: int) -> None:
        """See `Call`; the body may have a prefix more than a message."""
        asked = self.exchange.index.get(_TIMEOUT)
        timeout_s = None if asked is None else grpc.timeout_s(asked)
        if asked is not None and timeout_s is None:
            raise bad_timeout(asked)
        loop = asyncio.get_running_loop()
        if timeout_s is not None:
            self.deadline_s = loop.time() + timeout_s
        super().begin(bytes_max=bytes_max + grpc.PREFIX_BYTES)
        if timeout_s is not None and not self.is_over:
            expired = self.front.lane.expired
            self._timer = loop.call_at(self.deadline_s, expired, self, timeout_s)

    @override
    def answer(self, encoded: Encoded, run_s: float, timing: bytes) -> None:
        """See `Call`."""
        self._disarm()
        super().answer(encoded, run_s, timing)

    @override
    def refuse(self, error: RequestError) -> None:
        """See `Call`."""
        self._disarm()
        super().refuse(error)

    @override
    def on_abort(self) -> None:
        """See `Call`."""
        self._disarm()
        super().on_abort()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
