"""Which paths one replica serves, and why any other path is not served.

For: a table made once per model, looked up once per request.
Must not know: sockets, bodies, or what answers.
"""

import enum
import urllib.parse
from typing import NamedTuple

from predictor import coding
from predictor.errors import Fault, RequestError


class Answer(enum.Enum):
    """What a path is answered with."""

    ALIVE = "alive"
    LIVE = "live"
    READY = "ready"
    STATS = "stats"
    MODELS = "models"
    SERVER = "server"
    MODEL_V1 = "model v1"
    METADATA = "metadata"
    MODEL_READY = "model ready"
    PREDICT = "predict"
    INFER = "infer"
    OPENAPI = "openapi"
    REPOSITORY = "repository"
    EXPLAIN_V1 = "explain v1"
    EXPLAIN = "explain"


class Route(NamedTuple):
    """One path: the method it takes and its answer."""

    method: bytes
    answer: Answer


def _get(answer: Answer) -> Route:
    return Route(b"GET", answer)


def _post(answer: Answer) -> Route:
    return Route(b"POST", answer)


# Made once, before any fork: a replica only joins its model's names to them.
_FIXED = {
    b"/": _get(Answer.ALIVE),
    b"/healthz": _get(Answer.READY),
    b"/openapi.json": _get(Answer.OPENAPI),
    b"/relight/stats": _get(Answer.STATS),
    b"/v1/models": _get(Answer.MODELS),
    b"/v2": _get(Answer.SERVER),
    b"/v2/health/live": _get(Answer.LIVE),
    b"/v2/health/ready": _get(Answer.READY),
    b"/v2/models": _get(Answer.MODELS),
    b"/v2/repository/index": _post(Answer.REPOSITORY),
}
_OF_MODEL = {
    b"/v1/models/%b": _get(Answer.MODEL_V1),
    b"/v1/models/%b:predict": _post(Answer.PREDICT),
    b"/v1/models/%b:explain": _post(Answer.EXPLAIN_V1),
    b"/v2/repository/models/%b/load": _post(Answer.REPOSITORY),
    b"/v2/repository/models/%b/unload": _post(Answer.REPOSITORY),
}
_OF_VERSION = {
    b"": _get(Answer.METADATA),
    b"/ready": _get(Answer.MODEL_READY),
    b"/infer": _post(Answer.INFER),
    b"/explain": _post(Answer.EXPLAIN),
}


def table(model_name: str, revision: str) -> dict[bytes, Route]:
    """Every path that is served, as it stands in a request line."""
    name = model_name.encode()
    model = b"/v2/models/" + name
    found = dict(_FIXED)
    for form, route in _OF_MODEL.items():
        found[form % name] = route
    for start in (model, model + b"/versions/" + revision.encode()) if revision else (model,):
        for end, route in _OF_VERSION.items():
            found[start + end] = route
    return found


def find(routes: dict[bytes, Route], raw_path: bytes, *, model_name: str, revision: str) -> Route:
    """The route of a path that is not in the table as it stands; RequestError says why none."""
    path = plain(raw_path)
    route = routes.get(path)
    if route is not None:
        return route
    text = path.decode(errors="replace")
    parts = text.split("/")
    if parts[1:4] == ["v2", "repository", "models"] and parts[5:] in (["load"], ["unload"]):
        raise RequestError(Fault.NO_MODEL, name=parts[4])
    if parts[1:3] in (["v1", "models"], ["v2", "models"]) and len(parts) > 3:
        name = parts[3].partition(":")[0] if parts[1] == "v1" else parts[3]
        if name != model_name:
            raise RequestError(Fault.NO_MODEL, name=name)
        if parts[1] == "v2" and parts[4:5] == ["versions"] and parts[5:6] != [revision]:
            got = "".join(parts[5:6])
            raise RequestError(Fault.NO_VERSION, name=name, got=got, expected=revision)
    raise RequestError(Fault.NO_PATH, path=text)


def plain(path: bytes) -> bytes:
    """A path as it stands in a table: no letter of it is escaped, and no slash ends it."""
    return urllib.parse.unquote_to_bytes(path).rstrip(b"/") or b"/"


def check_method(route: Route, method: bytes, path: bytes) -> None:
    """RequestError when a path does not take a method. HEAD goes wherever GET goes."""
    if method != route.method and not (method == b"HEAD" and route.method == b"GET"):
        raise RequestError(
            Fault.WRONG_METHOD,
            path=path.decode(errors="replace"),
            expected=route.method.decode(),
            got=method.decode(errors="replace"),
        )


def remedy(error: RequestError, route: Route | None) -> bytes:
    """Header lines that say what would have been taken: a method, or encodings."""
    if error.fault is Fault.WRONG_METHOD and route is not None:
        return b"allow: %b\r\n" % route.method
    if error.fault is Fault.ENCODED:
        return b"accept-encoding: %b\r\n" % coding.served().encode()
    return b""
