"""HTTP/2 frames: their names, their errors, and the bytes of those that are sent.

For: one place that knows how a frame is laid out (RFC 9113, 4.1 and 6).
Must not know: streams, windows, what a header says.
"""

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES: Final = 9

# Kinds.
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

# Flags.
ACK, END_STREAM, END_HEADERS, PADDED, PRIORITISED = 1, 1, 4, 8, 32

# Settings.
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6

# Errors.
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = 0, 1, 2, 3, 4
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 5, 6, 7, 8, 9
CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = 10, 11, 12, 13
_ERRORS = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT"),
    *("STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR"),
    *("CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)

WINDOW_DEFAULT: Final = 65_535
WINDOW_MAX: Final = 2**31 - 1
FRAME_BYTES_DEFAULT: Final = 16_384
FRAME_BYTES_LIMIT: Final = 2**24 - 1  # what a SETTINGS frame may ask for at most
STREAM_ID_MAX: Final = 2**31 - 1

_HEAD = struct.Struct("!LBL")  # length and kind share the first word
_SETTING = struct.Struct("!HL")
read_head = _HEAD.unpack_from
pack_head = _HEAD.pack  # (length << 8 | kind, flags, stream)
read_settings = _SETTING.iter_unpack

SETTINGS_ACK: Final = b"\0\0\0\4\1\0\0\0\0"
PING_US: Final = b"\0\0\10\6\0\0\0\0\0are you?"


class ConnectionFaultError(Exception):
    """The far side broke the protocol: the connection ends with this code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


class StreamFaultError(Exception):
    """The far side broke the rules of one stream: it is reset with this code."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def error_name(code: int) -> str:
    """The name of an error code; the number of one without a name."""
    return _ERRORS[code] if code < len(_ERRORS) else f"error {code}"


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join(_SETTING.pack(*pair) for pair in values.items())
    return _HEAD.pack(len(payload) << 8 | SETTINGS, 0, 0) + payload


def window_update(stream_id: int, increment: int) -> bytes:
    """Let the far side send so many bytes more; on stream 0, on all streams together."""
    return b"\0\0\4\10\0%b%b" % (stream_id.to_bytes(4, "big"), increment.to_bytes(4, "big"))


def rst_stream(stream_id: int, code: int) -> bytes:
    """End a stream at once."""
    return b"\0\0\4\3\0%b%b" % (stream_id.to_bytes(4, "big"), code.to_bytes(4, "big"))


def ping_ack(payload: bytes) -> bytes:
    """Answer a PING."""
    return b"\0\0\10\6\1\0\0\0\0" + payload


def goaway(last_id: int, code: int, why: str = "") -> bytes:
    """Say that streams above `last_id` were not and will not be looked at."""
    payload = last_id.to_bytes(4, "big") + code.to_bytes(4, "big") + why.encode()
    return _HEAD.pack(len(payload) << 8 | GOAWAY, 0, 0) + payload


def headers(stream_id: int, block: bytes, *, is_end: bool, frame_bytes_max: int) -> bytes:
    """A header block: one HEADERS frame, and CONTINUATION frames if it is long."""
    flags = END_STREAM if is_end else 0
    size = len(block)
    if size <= frame_bytes_max:
        return _HEAD.pack(size << 8 | HEADERS, flags | END_HEADERS, stream_id) + block
    parts = []
    kind = HEADERS
    for at in range(0, size, frame_bytes_max):
        part = block[at : at + frame_bytes_max]
        if at + frame_bytes_max >= size:
            flags |= END_HEADERS
        parts.append(_HEAD.pack(len(part) << 8 | kind, flags, stream_id) + part)
        kind, flags = CONTINUATION, 0
    return b"".join(parts)


def unpadded(payload: bytes) -> bytes:
    """What a padded payload carries."""
    if not payload or payload[0] >= len(payload):
        raise ConnectionFaultError(PROTOCOL_ERROR, "padding as long as its frame")
    return payload[1 : len(payload) - payload[0]]
