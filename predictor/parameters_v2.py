"""The `parameters` of V2 requests: those that change what is asked, and those that are hints.

For: naming what a client asks for and we do not serve, instead of answering something else.
Must not know: tensors, models, or how the answer is written.

Unknown parameters are hints of the caller's tools and pass. Of `content_type` (MLServer, KServe),
base64, raw and str say how the elements of BYTES are to be read; np, pd and datetime say what a
model's own code may make of them.
"""

from typing import Any, NamedTuple

from predictor import datatypes
from predictor.errors import Fault, RequestError

# Extensions of Triton that need what is not here: said, for their tensors would be others.
_NOT_SERVED = {
    "shared_memory_region": "shared memory between client and server",
    "shared_memory_byte_size": "shared memory between client and server",
    "shared_memory_offset": "shared memory between client and server",
    "classification": "the classification of outputs",
}


class OfRequest(NamedTuple):
    """What a whole request asks for."""

    is_binary: bool = False  # of all outputs that do not say otherwise
    content_type: str = ""


class OfInput(NamedTuple):
    """How an input's data is sent."""

    binary_size: int | None = None  # None: in JSON
    content_type: str = ""


class OfOutput(NamedTuple):
    """How an output is to be sent."""

    is_binary: bool | None = None  # None: as the request says
    content_type: str = ""


def of_request(raw: Any) -> OfRequest:
    """RequestError with a 400 that names what is malformed, or not served."""
    field = "parameters"
    if not _is_given(field, raw):
        return OfRequest()
    return OfRequest(
        bool(_flag(field, raw, "binary_data_output")),
        _content_type(field, raw),
    )


def of_input(field: str, raw: Any) -> OfInput:
    """See of_request."""
    if not _is_given(field, raw):
        return OfInput()
    size = datatypes.whole(raw.get("binary_data_size"))
    if size is not None and (type(size) is not int or size < 0):
        got = repr(size) if type(size) is int else datatypes.word(size)
        raise _bad(f"{field}.binary_data_size", "a number of bytes", got)
    return OfInput(size, _content_type(field, raw))


def of_output(field: str, raw: Any) -> OfOutput:
    """See of_request."""
    if not _is_given(field, raw):
        return OfOutput()
    return OfOutput(_flag(field, raw, "binary_data"), _content_type(field, raw))


def _is_given(field: str, raw: Any) -> bool:
    if raw is None:
        return False
    if type(raw) is not dict:
        raise _bad(field, "an object", datatypes.word(raw))
    for name, what in _NOT_SERVED.items():
        if name in raw:
            raise RequestError(Fault.NOT_SERVED, field=f"{field}.{name}", what=what)
    headers = raw.get("headers")
    if headers is not None and type(headers) is not dict:
        raise _bad(f"{field}.headers", "an object", datatypes.word(headers))
    return bool(raw)


def _flag(field: str, raw: dict[str, Any], name: str) -> bool | None:
    value = raw.get(name)
    if value is None or type(value) is bool:
        return value
    raise _bad(f"{field}.{name}", "true or false", datatypes.word(value))


def _content_type(field: str, raw: dict[str, Any]) -> str:
    value = raw.get("content_type", "")
    if value is None:
        return ""
    if type(value) is not str:
        raise _bad(f"{field}.content_type", "text", datatypes.word(value))
    return value


def _bad(field: str, expected: str, got: str) -> RequestError:
    return RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=got)
