"""V1 predictions asked for and answered as CloudEvents 1.0, structured or binary.

For: event brokers and KServe's clients that POST events to `:predict`.
Must not know: sockets, paths, how a model runs, or where an id comes from.

An event in gives an event out of the same form, with KServe's type and source. What is wrong is
answered with a plain JSON error, for its status is what a broker retries by.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from predictor import datatypes
from predictor.errors import Fault, RequestError
from predictor.model import Tensor
from predictor.protocol import NO_HEADERS, Encoded, InferRequest, PlainCodec, parse_object
from predictor.protocol_v1 import CodecV1

_STRUCTURED = b"application/cloudevents+json"
_FAMILY = b"application/cloudevents"
_REQUIRED = ("specversion", "id", "source", "type")
_TYPE = "io.kserve.inference.response"

Headers = Mapping[bytes, bytes]  # names in lower case


def is_event(headers: Headers) -> bool:
    """Whether a request says that it is a CloudEvent."""
    return b"ce-specversion" in headers or headers.get(b"content-type", b"").lower().startswith(
        _FAMILY
    )


class EventCodec(PlainCodec):
    """Both directions for one event; `identity` is that of the answer."""

    def __init__(self, inner: CodecV1, headers: Headers, *, model_name: str, identity: str) -> None:
        self._inner = inner
        self._headers = headers
        self._attributes = {
            "specversion": "1.0",
            "id": identity,
            "source": f"io.kserve.inference.{model_name}",
            "type": _TYPE,
        }
        self._is_structured = b"ce-specversion" not in headers
        self._head = self._answer_head()

    def decode(self, body: bytes, index: Headers = NO_HEADERS) -> InferRequest:
        """Raises RequestError with a 400 that names the attribute, or what the data lacks."""
        data = self._opened(body) if self._is_structured else self._bare(body)
        return self._inner.decode(data, index)

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        """The answer's body: the predictions, within an envelope where the request had one."""
        data = self._inner.encode(request, outputs).body
        if not self._is_structured:
            return Encoded(self._head, data)
        envelope = {**self._attributes, "datacontenttype": "application/json"}
        return Encoded(self._head, orjson.dumps({**envelope, "data": orjson.Fragment(data)}))

    def _answer_head(self) -> bytes:
        if self._is_structured:
            return b"content-type: application/cloudevents+json\r\n"
        lines = [f"ce-{name}: {value}\r\n" for name, value in self._attributes.items()]
        return b"content-type: application/json\r\n" + "".join(lines).encode()

    def _bare(self, body: bytes) -> bytes:
        found = {
            name: self._headers.get(f"ce-{name}".encode(), b"").decode("latin-1")
            for name in _REQUIRED
        }
        _check(found, "header ce-")
        _check_content(self._headers.get(b"content-type", b"").decode("latin-1"))
        return body

    def _opened(self, body: bytes) -> bytes:
        media = self._headers[b"content-type"].partition(b";")[0].strip().lower()
        if media != _STRUCTURED:
            raise _bad("content-type", _STRUCTURED.decode(), media.decode("latin-1"))
        raw = parse_object(body)
        _check(raw, "")
        _check_content(raw.get("datacontenttype") or "")
        if "data_base64" in raw:
            try:
                return base64.b64decode(raw["data_base64"], validate=True)
            except (TypeError, ValueError, binascii.Error):
                raise _bad("data_base64", "base64", "something else") from None
        if "data" not in raw:
            raise _bad("data", "the body of a prediction", "nothing")
        return orjson.dumps(raw["data"])


def _check(attributes: Mapping[str, Any], prefix: str) -> None:
    for name in _REQUIRED:
        value = attributes.get(name)
        if type(value) is not str or not value:
            got = datatypes.word(value) if value else "nothing"
            raise _bad(f"{prefix}{name}", "an attribute of CloudEvents", got)
    if attributes["specversion"] != "1.0":
        raise _bad(f"{prefix}specversion", "1.0", attributes["specversion"])


def _check_content(text: Any) -> None:
    media = text.partition(";")[0].strip().lower() if isinstance(text, str) else "?"
    if media and media != "application/json" and not media.endswith("+json"):
        raise _bad("datacontenttype", "application/json", media)


def _bad(field: str, expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)
