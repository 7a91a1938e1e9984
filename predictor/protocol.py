"""What both protocols share: a parsed request, and the first look at a body.

For: letting the server treat V1 and V2 alike.
Must not know: sockets, paths, or how a model runs.
"""

from typing import Any, NamedTuple

import orjson

from predictor.datatypes import word
from predictor.errors import Fault, RequestError
from predictor.model import Tensor


class InferRequest(NamedTuple):
    """One parsed request. A tuple, because one is made for every request."""

    id: str | None
    feeds: dict[str, Tensor]
    outputs: tuple[str, ...] | None  # None asks for all of them


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, or the fault that says why there is none."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(Fault.NOT_JSON, detail=str(error)) from None
    if type(raw) is not dict:
        raise RequestError(Fault.NOT_OBJECT, got=word(raw))
    return raw
