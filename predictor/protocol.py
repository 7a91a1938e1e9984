"""What both protocols share: a parsed request, and the first look at a body.

For: letting the server treat V1 and V2 alike.
Must not know: paths, or how a model runs.
"""

from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import orjson

from predictor import coding, nonfinite
from predictor.datatypes import word
from predictor.errors import Fault, RequestError
from predictor.loaded import Run
from predictor.model import Tensor

NO_HEADERS: Mapping[bytes, bytes] = MappingProxyType({})
JSON = b"content-type: application/json\r\n"


# Yields what is to be run next and is sent its outputs; what it returns is the outcome.
Steps = Generator["InferRequest", Mapping[str, Tensor], Mapping[str, Tensor]]


class InferRequest(NamedTuple):
    """One parsed request. A tuple, because one is made for every request."""

    id: str | None
    feeds: dict[str, Tensor]
    outputs: tuple[str, ...] | None  # None asks for all of them
    reply: Any = None  # what else its codec needs to answer
    run: Run | None = None  # in place of the model's; alone, and never on the loop's thread
    steps: Steps | None = None  # in place of one run: as many as there are


class Encoded(NamedTuple):
    """An answer: its own header lines, each with CRLF, and its body."""

    head: bytes
    body: bytes


class Outlet(Protocol):
    """Where an answer is written: an exchange of wire's, which no codec needs to know."""

    @property
    def index(self) -> Mapping[bytes, bytes]:
        """The request's headers, names in lower case."""
        ...

    def respond(self, status: int, headers: bytes, body: bytes, trailers: bytes = b"") -> None:
        """Send a whole answer."""


class Codec(Protocol):
    """One protocol, for one model. `index`: the request's headers, names in lower case."""

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        """Raises RequestError with a 400 that names the field or tensor."""
        ...

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """Raises RequestError for what the protocol can not carry."""
        ...

    def send(self, exchange: Outlet, status: int, headers: bytes, body: bytes) -> None:
        """Write an answer, or a refusal."""

    def refuse(self, error: RequestError) -> Encoded:
        """What a client reads of a fault."""
        ...


class PlainCodec:
    """What protocols over plain HTTP have in common: a status, and faults in JSON."""

    def send(self, exchange: Outlet, status: int, headers: bytes, body: bytes) -> None:
        """See `Codec`. An answer is compressed for who asks for it."""
        if b"accept-encoding" in exchange.index and status == 200:
            lines, body = coding.deflated(body, exchange.index[b"accept-encoding"])
            headers += lines
        exchange.respond(status, headers, body)

    def refuse(self, error: RequestError) -> Encoded:
        """See `Codec`."""
        return Encoded(JSON, error.body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, or the fault that says why there is none."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raw = _parse_words(body, error)
    if type(raw) is not dict:
        raise RequestError(Fault.NOT_OBJECT, got=word(raw))
    return raw


def _parse_words(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """Once more, with Python's bare NaN and Infinity, which no strict parser reads, as text."""
    text = nonfinite.quoted(body)
    if text is not body:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:  # the first one points into what the client sent
            pass
    raise RequestError(Fault.NOT_JSON, detail=str(error)) from None
