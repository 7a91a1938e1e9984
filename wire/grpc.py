"""gRPC's framing over HTTP/2: messages in a body, statuses in trailers, timeouts in a header.

For: whoever answers gRPC callers, or refuses them, in bytes.
Must not know: services, methods, messages, connections.
"""

import enum
import re
import struct
import zlib
from collections.abc import Iterator

PREFIX_BYTES = 5  # a flag, and the length of the message behind it
CONTENT_TYPE = b"content-type: application/grpc\r\n"
TE = b"te: trailers\r\n"  # that a caller takes trailers: some servers insist on it
OK_TRAILERS = b"grpc-status: 0\r\n"
# zlib's window bits: the header that each coding has. gRPC's deflate is zlib's.
_WINDOWS = {b"gzip": 31, b"deflate": 15}
_STATUS = re.compile(rb"^grpc-status: ?([0-9]{1,3})\r?$", re.MULTILINE)
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MESSAGE_BYTES_MAX = 4096  # of a grpc-message: it travels in a header
_PLAIN = frozenset(range(0x20, 0x7F)) - {0x25}


class Code(enum.IntEnum):
    """How a call ended."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_NAMES = {b"%d" % code: code.name for code in Code}

_OF_HTTP = {
    200: Code.OK,
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    408: Code.DEADLINE_EXCEEDED,
    409: Code.ABORTED,
    412: Code.FAILED_PRECONDITION,
    413: Code.RESOURCE_EXHAUSTED,
    415: Code.UNIMPLEMENTED,  # a coding or a type that is not served
    422: Code.INVALID_ARGUMENT,
    424: Code.FAILED_PRECONDITION,
    429: Code.RESOURCE_EXHAUSTED,
    431: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELLED,
    500: Code.INTERNAL,
    501: Code.UNIMPLEMENTED,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}


class GrpcError(Exception):
    """A body that is not gRPC's, or not within bounds; says which code and why."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


def is_grpc(content_type: bytes | None) -> bool:
    """Whether a request is a gRPC call, in any codec; gRPC-Web is another protocol."""
    if content_type is None or not content_type.startswith(b"application/grpc"):
        return False
    return content_type[16:17] in (b"", b"+", b";", b" ")


def code_of(status: int) -> Code:
    """What an HTTP status is in gRPC."""
    return _OF_HTTP.get(status, Code.UNKNOWN)


def status_lines(code: Code, text: str = "") -> bytes:
    """Lines that end a call: trailers, or in the head of an answer of nothing else."""
    if not text:
        return b"grpc-status: %d\r\n" % code
    return b"grpc-status: %d\r\ngrpc-message: %b\r\n" % (code, quoted(text))


def failure(lines: bytes) -> str:
    """The name of the status in trailers, or in a head; "" where it is OK, or there is none."""
    found = _STATUS.search(lines)
    if found is None or found[1] == b"0":
        return ""
    return _NAMES.get(found[1], Code.UNKNOWN.name)


def quoted(text: str) -> bytes:
    """A text as a grpc-message: percent-encoded UTF-8."""
    raw = text.encode("utf-8", "replace")[:_MESSAGE_BYTES_MAX]
    if all(byte in _PLAIN for byte in raw):
        return raw
    return b"".join(b"%c" % byte if byte in _PLAIN else b"%%%02X" % byte for byte in raw)


def timeout_s(value: bytes) -> float | None:
    """The seconds of a grpc-timeout; None for what is none."""
    found = _TIMEOUT.fullmatch(value)
    return int(found[1]) * _UNITS_S[found[2]] if found is not None else None


def framed(message: bytes) -> bytes:
    """One message, not compressed."""
    return prefix(len(message)) + message


def prefix(length: int) -> bytes:
    """What stands before a message of this length."""
    return struct.pack(">BI", 0, length)


class Deframer:
    """Messages from the pieces of a body. Holds one message at most, of `bytes_max`."""

    def __init__(self, encoding: bytes, bytes_max: int) -> None:
        """`encoding`: what grpc-encoding says of messages that are marked as compressed."""
        self._encoding = encoding
        self._bytes_max = bytes_max
        self._pieces = bytearray()

    @property
    def is_between(self) -> bool:
        """Whether a body may end here."""
        return not self._pieces

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that these bytes complete; GrpcError for what is none."""
        pieces = self._pieces
        pieces += data
        while len(pieces) >= PREFIX_BYTES:
            flag, length = struct.unpack_from(">BI", pieces)
            self._check(flag, length)
            end = PREFIX_BYTES + length
            if len(pieces) < end:
                return
            message = bytes(memoryview(pieces)[PREFIX_BYTES:end])
            del pieces[:end]
            yield expanded(message, self._encoding, self._bytes_max) if flag else message

    def _check(self, flag: int, length: int) -> None:
        if flag > 1:
            raise GrpcError(Code.INTERNAL, f"a message begins with the flag {flag}, not 0 or 1")
        if length > self._bytes_max:
            raise _too_large(self._bytes_max)


def unframed(body: bytes, encoding: bytes, bytes_max: int) -> bytes | memoryview:
    """The one message of a unary call's body, without a copy; GrpcError if it is not one."""
    if len(body) < PREFIX_BYTES:
        said = "no message" if not body else "a message that is cut short"
        raise GrpcError(Code.INTERNAL if body else Code.UNIMPLEMENTED, f"the body holds {said}")
    flag, length = struct.unpack_from(">BI", body)
    if flag > 1:
        raise GrpcError(Code.INTERNAL, f"a message begins with the flag {flag}, not 0 or 1")
    if length > bytes_max:
        raise _too_large(bytes_max)
    found = len(body) - PREFIX_BYTES
    if found < length:
        raise GrpcError(Code.INTERNAL, "the body holds a message that is cut short")
    if found > length:
        raise GrpcError(
            Code.UNIMPLEMENTED, "this method takes one message, and the body holds more"
        )
    message = memoryview(body)[PREFIX_BYTES:]
    return expanded(message, encoding, bytes_max) if flag else message


def expanded(message: bytes | memoryview, encoding: bytes, bytes_max: int) -> bytes:
    """A message that was compressed; GrpcError for a coding we have not, or too much in it."""
    window = _WINDOWS.get(encoding)
    if window is None:
        said = encoding.decode("latin-1") or "identity"
        code = Code.INTERNAL if encoding in (b"", b"identity") else Code.UNIMPLEMENTED
        raise GrpcError(code, f"a message is compressed, and grpc-encoding is '{said}'")
    expander = zlib.decompressobj(window)
    try:
        found = expander.decompress(message, bytes_max + 1)
    except zlib.error as error:
        raise GrpcError(Code.INTERNAL, f"a message is not valid {encoding.decode()}") from error
    if len(found) > bytes_max:
        raise _too_large(bytes_max)
    if not expander.eof or expander.unused_data:
        raise GrpcError(Code.INTERNAL, f"a message is not valid {encoding.decode()}")
    return found


def _too_large(bytes_max: int) -> GrpcError:
    return GrpcError(Code.RESOURCE_EXHAUSTED, f"a message is larger than {bytes_max} bytes")
