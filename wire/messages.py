"""Status lines, header names with a meaning to HTTP itself, and the refusals of the wire.

For: bytes that are built once and written many times.
Must not know: sockets, what a request is about, who sent it.
"""

import http

import orjson

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for status in http.HTTPStatus
}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# Headers that concern one connection only (RFC 9110, 7.6.1) and never travel further.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

# status → (reason, sentence): what the wire itself refuses, before any handler saw a request.
_REFUSALS = {
    400: ("BadRequest", "the request is not valid HTTP"),
    408: ("RequestTimeout", "the request did not arrive in time"),
    413: ("BodyTooLarge", "the request body is larger than this server accepts"),
    414: ("TargetTooLong", "the request target is longer than this server accepts"),
    417: ("ExpectationFailed", "the only expectation this server knows is 100-continue"),
    431: ("HeadersTooLarge", "the request headers are larger or more than this server accepts"),
    501: ("NotImplemented", "the method or transfer coding is not implemented by this server"),
    505: ("VersionNotSupported", "this server speaks HTTP/1.0, 1.1 and 2"),
}


def refusal_text(status: int) -> str:
    """What a refusal says, for protocols that put it elsewhere than in a body."""
    return _REFUSALS[status][1]


def status_line(status: int) -> bytes:
    """First line of an answer; a status without a registered phrase gets an empty one."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def _body(status: int) -> bytes:
    reason, error = _REFUSALS[status]
    return orjson.dumps({"error": error, "reason": reason, "revision": "", "requestId": ""})


def _refusal(status: int) -> bytes:
    body = REFUSAL_BODIES[status]
    return (
        status_line(status)
        + b"content-type: application/json\r\nconnection: close\r\n"
        + b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


REFUSAL_BODIES = {status: _body(status) for status in _REFUSALS}
REFUSALS = {status: _refusal(status) for status in _REFUSALS}
