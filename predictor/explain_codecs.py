"""Explanations over HTTP, in the ways of V1 and V2.

For: POST /v1/models/m:explain and /v2/models/m/explain; a model's own `explain`, where it has one.
Must not know: how explanations are found, sockets, paths.

Both ask as their protocols ask for predictions, with parameters beside the rows, and answer with
"explanations": of V2 below the names that every V2 answer has. No standard says more.
"""

from collections.abc import Generator, Mapping
from typing import Any

import orjson

from predictor import binary_v2, explain_requests, explained, explaining
from predictor.binary_v2 import LENGTH
from predictor.config import Settings
from predictor.errors import Fault, RequestError
from predictor.explain_requests import Asked
from predictor.explained import Explained
from predictor.loaded import Loaded
from predictor.model import Tensor
from predictor.protocol import (
    JSON,
    NO_HEADERS,
    Codec,
    Encoded,
    InferRequest,
    PlainCodec,
    parse_object,
)
from predictor.protocol_v1 import CodecV1
from predictor.protocol_v2 import CodecV2
from predictor.routes import Answer

_OWN_PARAMETERS = ("content_type", "headers")  # of V2 requests, which their codec reads
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def of_model(
    settings: Settings, loaded: Loaded, *, v1: CodecV1, v2: CodecV2
) -> Mapping[Answer, Codec]:
    """The codec of each path."""
    known = explained.of_model(loaded, batch_size_max=settings.batch_size_max)
    head = {"model_name": settings.model_name}
    if settings.revision:
        head["model_version"] = settings.revision
    explainer = _Explainer(loaded, known)
    return {Answer.EXPLAIN_V1: _V1(v1, explainer), Answer.EXPLAIN: _V2(v2, explainer, head)}


class _Explainer:
    """From a decoded request to one that explains; `reply` is filled while it runs."""

    def __init__(self, loaded: Loaded, known: Explained) -> None:
        self._own = loaded.explain
        self._known = known

    def asked(self, request: InferRequest, asked: Asked) -> InferRequest:
        """What runs in place of an inference."""
        if request.reply is not None:
            raise RequestError(Fault.NOT_HONOURED, field="outputs.parameters")
        found: list[Any] = []
        if self._own is None:
            return request._replace(reply=found, steps=self._steps(request, asked, found))
        if asked != Asked():
            raise RequestError(Fault.NOT_HONOURED, field="parameters")
        return request._replace(reply=found, run=self._running(found))

    def _steps(
        self, request: InferRequest, asked: Asked, found: list[Any]
    ) -> Generator[InferRequest, Mapping[str, Tensor], Mapping[str, Tensor]]:
        explanations = yield from explaining.steps(
            self._known, request.feeds, request.outputs, asked
        )
        found.append([each.written() for each in explanations])
        return {}

    def _running(self, found: list[Any]) -> Any:
        own = self._own
        assert own is not None

        def run(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
            del wanted
            found.append(own(feeds))
            return {}

        return run


class _V1(PlainCodec):
    """Rows as V1 has them, and `parameters` beside."""

    def __init__(self, codec: CodecV1, explainer: _Explainer) -> None:
        self._codec = codec
        self._explainer = explainer

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        """See `Codec`."""
        del index
        raw = parse_object(body)
        asked = explain_requests.parse(raw.pop("parameters", None))
        request = self._codec.read(raw)._replace(reply=None)  # of columns: answered alike
        return self._explainer.asked(request, asked)

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """See `Codec`."""
        del outputs  # there are none
        return _written({}, request)


class _V2(PlainCodec):
    """A request as for an inference, whose parameters say how to explain it."""

    def __init__(self, codec: CodecV2, explainer: _Explainer, head: Mapping[str, Any]) -> None:
        self._codec = codec
        self._explainer = explainer
        self._head = head

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        """See `Codec`."""
        request = self._codec.decode(body, index)
        text = binary_v2.split(body, index)[0] if LENGTH in index else body
        raw = parse_object(text) if text else {}
        asked = explain_requests.parse(raw.get("parameters"), passed_over=_OWN_PARAMETERS)
        if not text:
            request = request._replace(reply=None)  # of a raw body, whose outputs would be raw
        return self._explainer.asked(request, asked)

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """See `Codec`."""
        del outputs  # there are none
        head = dict(self._head)
        if request.id is not None:
            head["id"] = request.id
        return _written(head, request)


def _written(head: dict[str, Any], request: InferRequest) -> Encoded:
    answer = {**head, "explanations": request.reply[0]}
    try:
        return Encoded(JSON, orjson.dumps(answer, option=_OPTIONS))
    except TypeError as error:
        detail = f"explain gave what JSON can not carry: {error}"
        raise RequestError(Fault.BAD_OUTPUT, detail=detail) from None
