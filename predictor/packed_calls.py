"""gRPC calls to a predictor of many models: which model one is for, and our own answers to it.

For: reading calls into the same `Ask` as paths of REST, and writing what REST writes as messages.
Must not know: which models there are or are open, inference.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from api import model_calls
from predictor.errors import Fault, RequestError
from predictor.grpc_answers import HEALTH, INFERENCE, NOT_SERVING, SERVING, read
from predictor.grpc_codec import unframed
from predictor.grpc_messages import message
from predictor.repository_requests import Ask, What
from wire import grpc, parking
from wire.exchange import Exchange
from wire.peeking import Peek

_BODY_BYTES_MAX = 65_536
_WAIT_S = 60.0  # for the name of a model
_OWN: dict[str, What] = {
    "ServerLive": "live",
    "ServerReady": "server ready",
    "ServerMetadata": "server",
    "RepositoryIndex": "index",
    "RepositoryModelLoad": "load",
    "RepositoryModelUnload": "unload",
    "ModelReady": "ready",
}
_OF_MODELS = ("ModelInfer", "ModelStreamInfer", "ModelMetadata")
_CHECK = f"/{HEALTH}/Check"


def is_call(exchange: Exchange) -> bool:
    """Whether a request is a gRPC call."""
    return grpc.is_grpc(exchange.index.get(b"content-type")) and exchange.is_http2


def take(
    exchange: Exchange,
    refuse: Callable[[Exchange, RequestError], None],
    *,
    is_served: bool = True,
) -> Ask | None:
    """What a call asks for; None: it comes again once more of it is here, or `refuse` has it."""
    path = exchange.path.decode("latin-1")
    method = path.removeprefix(f"/{INFERENCE}/")
    if not is_served:
        raise RequestError(Fault.NO_METHOD, path=path)
    if method in _OF_MODELS:
        return _of_model(exchange, refuse)
    if path != _CHECK and (method == path or method not in _OWN):
        raise RequestError(Fault.NO_METHOD, path=path)
    too_large = RequestError(Fault.TOO_LARGE, limit_bytes=_BODY_BYTES_MAX)
    over = partial(_refuse_with, refuse, too_large)
    if not parking.is_whole(exchange, bytes_max=_BODY_BYTES_MAX, on_overflow=over):
        return None
    body = unframed(exchange.take(), exchange.index, _BODY_BYTES_MAX)
    if path == _CHECK:
        return Ask(what="server ready")
    return _own(method, read(message(f"inference.{method}Request"), body))


def say(exchange: Exchange, said: Any) -> None:
    """Send what REST says as the message of a method."""
    path = exchange.path.decode("latin-1")
    if path == _CHECK:
        status = SERVING if said["ready"] else NOT_SERVING
        response = message("grpc.health.v1.HealthCheckResponse")(status=status)
    else:
        method = path.rpartition("/")[2]
        response = message(f"inference.{method}Response")(**_fields(method, said))
    data = grpc.framed(response.SerializeToString())
    exchange.respond(200, grpc.CONTENT_TYPE, data, trailers=grpc.OK_TRAILERS)


def _fields(method: str, said: Any) -> dict[str, Any]:
    match method:
        case "RepositoryIndex":
            return {"models": said}
        case "RepositoryModelLoad":
            return {"model_name": said["name"], "isLoaded": said["load"]}
        case "RepositoryModelUnload":
            return {"model_name": said["name"], "isUnloaded": said["unload"]}
        case "ModelReady":
            return {"ready": said["ready"]}
        case _:
            return dict(said)


def _own(method: str, request: Any) -> Ask:
    what = _OWN[method]
    if what == "index":
        return Ask(what=what, is_ready_only=request.ready)
    if what == "ready":
        return Ask(what=what, name=request.name)
    if what == "load" and request.parameters:
        field = f"parameter '{min(request.parameters)}' of {method}"
        raise RequestError(Fault.UNSERVED, what=field, why="models are what their files say")
    if what in ("load", "unload"):
        return Ask(what=what, name=request.model_name or request.repository_name)
    return Ask(what=what)


def _of_model(exchange: Exchange, refuse: Callable[[Exchange, RequestError], None]) -> Ask | None:
    encoding = exchange.index.get(b"grpc-encoding", b"")
    look = partial(model_calls.named, exchange.path, encoding)
    early, most = exchange.early, model_calls.BODY_BYTES_MAX
    try:
        found = look(early, exchange.is_complete or len(early) >= most)
    except ValueError as error:
        raise _nameless(str(error)) from None
    if found is not None:
        return Ask(what="model", name=found.model.decode(errors="replace"))
    Peek(
        exchange,
        look,
        lambda exchange, _, body: exchange.again(body),
        lambda exchange, why: refuse(exchange, _nameless(why)),
        bytes_max=most,
        wait_s=_WAIT_S,
    ).begin()
    return None


def _nameless(why: str) -> RequestError:
    return RequestError(Fault.BAD_FRAME, detail=f"no model can be found by it: {why}")


def _refuse_with(
    refuse: Callable[[Exchange, RequestError], None], error: RequestError, exchange: Exchange
) -> None:
    refuse(exchange, error)
