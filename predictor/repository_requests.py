"""What is asked of a predictor of many models: which model, or which of its own answers.

For: paths and bodies of the repository extension (Triton's) to one `Ask`.
Must not know: which models there are or are open, sockets.
"""

import enum
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from predictor.datatypes import word
from predictor.errors import Fault, RequestError
from predictor.protocol import parse_object
from wire import parking
from wire.exchange import Exchange

What = Literal[
    "alive", "index", "live", "load", "model", "models", "openapi", "ready", "server",
    "server ready", "stats", "unload",
]  # fmt: skip
_OWN: dict[str, What] = {
    "": "alive",
    "/healthz": "server ready",
    "/openapi.json": "openapi",
    "/relight/stats": "stats",
    "/v1/models": "models",
    "/v2": "server",
    "/v2/health/live": "live",
    "/v2/health/ready": "server ready",
    "/v2/models": "models",
}
_REPOSITORY = "/v2/repository/"
_BODY_BYTES_MAX = 65_536


class State(enum.Enum):
    """Of one model."""

    STANDBY = "opened when it is asked for"
    LOADING = "being opened"
    READY = "open"
    FAILED = "not to be opened"
    UNLOADED = "closed by hand, until it is loaded by hand"


_WORDS = {State.LOADING: "LOADING", State.READY: "READY"}  # Triton's; all others UNAVAILABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A line of the index."""

    name: str
    state: State
    reason: str

    @property
    def is_ready(self) -> bool:
        """Whether it is open."""
        return self.state is State.READY

    def raw(self) -> dict[str, str]:
        """As JSON; what stands by says that it only has to be asked."""
        state = _WORDS.get(self.state, "UNAVAILABLE")
        reason = self.reason
        if self.state is State.STANDBY:
            reason = self.state.value
        return {"name": self.name, "version": "", "state": state, "reason": reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request wants."""

    what: What
    name: str = ""  # of the model
    is_ready_only: bool = False


def is_whole(exchange: Exchange, on_overflow: Callable[[Exchange], None]) -> bool:
    """Whether a request can be read now; else it comes again. Only bodies of our own matter."""
    if not exchange.path.startswith(_REPOSITORY.encode()):
        return True
    return parking.is_whole(exchange, bytes_max=_BODY_BYTES_MAX, on_overflow=on_overflow)


def too_large() -> RequestError:
    """The fault of a body beyond the limit."""
    return RequestError(Fault.TOO_LARGE, limit_bytes=_BODY_BYTES_MAX)


def read(exchange: Exchange) -> Ask:
    """What an exchange asks for, once it is whole."""
    path = urllib.parse.unquote(exchange.path.decode("latin-1")).rstrip("/")
    own = _OWN.get(path)
    if own is not None:
        _check(exchange, path)
        return Ask(what=own)
    if path.startswith(_REPOSITORY):
        _check(exchange, path)
        return _repository(path, exchange.take())
    parts = path.split("/")
    is_ready, name = False, ""
    if parts[1:3] == ["v1", "models"] and len(parts) == 4:
        name, _, verb = parts[3].partition(":")
        is_ready = not verb
    elif parts[1:3] == ["v2", "models"] and len(parts) > 3:
        name, is_ready = parts[3], parts[4:] == ["ready"]
    else:
        raise RequestError(Fault.NO_PATH, path=path)
    if is_ready:
        _check(exchange, path)
    return Ask(what="ready" if is_ready else "model", name=name)


def method(path: bytes) -> bytes:
    """The one that a path of our own takes."""
    return b"POST" if path.startswith(_REPOSITORY.encode()) else b"GET"


def _repository(path: str, body: bytes) -> Ask:
    raw = parse_object(body) if body.strip() else {}
    if path == "/v2/repository/index":
        _only(raw, "ready")
        is_ready_only = raw.get("ready", False)
        if type(is_ready_only) is not bool:
            got = word(is_ready_only)
            raise RequestError(Fault.BAD_FIELD, field="ready", expected="true or false", got=got)
        return Ask(what="index", is_ready_only=is_ready_only)
    parts = path.split("/")
    if parts[3:4] != ["models"] or len(parts) != 6 or parts[5] not in ("load", "unload"):
        raise RequestError(Fault.NO_PATH, path=path)
    _only(raw, "parameters")
    parameters = raw.get("parameters")
    if parameters is None:
        parameters = {}
    if type(parameters) is not dict:
        got = word(parameters)
        raise RequestError(Fault.BAD_FIELD, field="parameters", expected="an object", got=got)
    for name, value in parameters.items():
        if name != "unload_dependents" or value:
            raise RequestError(Fault.NOT_HONOURED, field=f"parameters.{name}")
    return Ask(what="load" if parts[5] == "load" else "unload", name=parts[4])


def _only(raw: dict[str, object], known: str) -> None:
    for name in raw:
        if name != known:
            raise RequestError(Fault.UNKNOWN_FIELD, field=name)


def _check(exchange: Exchange, path: str) -> None:
    expected = method(path.encode())
    if exchange.method != expected and not (exchange.method == b"HEAD" and expected == b"GET"):
        raise RequestError(
            Fault.WRONG_METHOD,
            path=path or "/",
            expected=expected.decode(),
            got=exchange.method.decode("latin-1"),
        )
