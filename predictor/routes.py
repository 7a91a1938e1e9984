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


_POSTED = (
    Answer.PREDICT,
    Answer.INFER,
    Answer.REPOSITORY,
    Answer.EXPLAIN_V1,
    Answer.EXPLAIN,
)


def table(model_name: str, revision: str) -> dict[bytes, Route]:
    """Every path that is served, as it stands in a request line."""
    model = f"/v2/models/{model_name}"
    paths = {
        "/": Answer.ALIVE,
        "/healthz": Answer.READY,
        "/openapi.json": Answer.OPENAPI,
        "/relight/stats": Answer.STATS,
        "/v1/models": Answer.MODELS,
        f"/v1/models/{model_name}": Answer.MODEL_V1,
        f"/v1/models/{model_name}:predict": Answer.PREDICT,
        f"/v1/models/{model_name}:explain": Answer.EXPLAIN_V1,
        "/v2": Answer.SERVER,
        "/v2/health/live": Answer.LIVE,
        "/v2/health/ready": Answer.READY,
        "/v2/models": Answer.MODELS,
        "/v2/repository/index": Answer.REPOSITORY,
        f"/v2/repository/models/{model_name}/load": Answer.REPOSITORY,
        f"/v2/repository/models/{model_name}/unload": Answer.REPOSITORY,
    }
    versioned = (f"{model}/versions/{revision}",) if revision else ()
    for start in (model, *versioned):
        paths[start] = Answer.METADATA
        paths[f"{start}/ready"] = Answer.MODEL_READY
        paths[f"{start}/infer"] = Answer.INFER
        paths[f"{start}/explain"] = Answer.EXPLAIN
    return {
        path.encode(): Route(b"POST" if answer in _POSTED else b"GET", answer)
        for path, answer in paths.items()
    }


def find(routes: dict[bytes, Route], raw_path: bytes, *, model_name: str, revision: str) -> Route:
    """The route of a path that is not in the table as it stands; RequestError says why none."""
    path = urllib.parse.unquote_to_bytes(raw_path)
    path = path.rstrip(b"/") or b"/"
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
