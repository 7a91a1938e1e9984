"""One call of gRPC's health service, as bytes to send and bytes received: pure.

For: Kubernetes' `grpc` probe without a gRPC library. The answer is in a DATA frame of HTTP/2, and
an answer that is an error has none: so no header needs decoding.
Must not know: sockets, time, or who asks.
"""

import struct
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _END_HEADERS, _ACK, _PADDED = 1, 4, 1, 8
_SERVING: Final = 1
_STATUS: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_FRAME_MAX: Final = 1 << 24


def request(service: str, authority: str) -> bytes:
    """What to send on a new connection."""
    name = service.encode()
    message = b"" if not name else b"\x0a" + _varint(len(name)) + name
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/grpc.health.v1.Health/Check"),
        (b":authority", authority.encode()),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"user-agent", b"kube-probe/relight"),
    )
    head = b"".join(_literal(key, value) for key, value in fields)
    body = b"\x00" + struct.pack(">I", len(message)) + message
    return b"".join(
        (
            _PREFACE,
            _frame(_SETTINGS, 0, 0, b""),
            _frame(_HEADERS, _END_HEADERS, 1, head),
            _frame(_DATA, _END_STREAM, 1, body),
        )
    )


class Answer:
    """Reads what the server sends until the call is decided."""

    def __init__(self) -> None:
        self._bytes = b""
        self._message = b""
        self.to_send = b""  # what HTTP/2 wants said in between
        self.failure: str | None = None  # None: not decided; "": it serves

    def receive(self, data: bytes) -> None:
        """More bytes; b"" is the end of the connection."""
        if not data and self.failure is None:
            self.failure = "the connection ended before an answer"
        self._bytes += data
        while self.failure is None and len(self._bytes) >= 9:
            size = int.from_bytes(self._bytes[:3], "big")
            if len(self._bytes) < 9 + size:
                return
            kind, flags = self._bytes[3], self._bytes[4]
            payload, self._bytes = self._bytes[9 : 9 + size], self._bytes[9 + size :]
            self._frame(kind, flags, payload)

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            self.to_send += _frame(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self.to_send += _frame(_PING, _ACK, 0, payload)
        elif kind == _DATA:
            padding = payload[0] if flags & _PADDED and payload else -1
            self._message += payload[1 : len(payload) - padding] if padding >= 0 else payload
            self._decide()
        elif kind in (_RST, _GOAWAY):
            self.failure = "the call was refused"
        if self.failure is None and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            self.failure = "the server has no health service, or does not know this one"

    def _decide(self) -> None:
        if len(self._message) < 5:
            return
        size = int.from_bytes(self._message[1:5], "big")
        message = self._message[5 : 5 + size]
        if len(message) < size:
            return
        # HealthCheckResponse has one field, `status` = 1; zero is left out.
        status = message[1] if message[:1] == b"\x08" and len(message) > 1 else 0
        word = _STATUS.get(status, str(status))
        self.failure = "" if status == _SERVING else f"service unhealthy (responded with {word!r})"


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    assert len(payload) < _FRAME_MAX
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + payload
    )


def _literal(key: bytes, value: bytes) -> bytes:
    """A header field without indexing and without Huffman's code (RFC 7541, 6.2.2)."""
    return b"\x00" + _length(len(key)) + key + _length(len(value)) + value


def _length(size: int) -> bytes:
    """An integer with a prefix of seven bits (RFC 7541, 5.1)."""
    if size < 127:
        return bytes((size,))
    return b"\x7f" + _varint(size - 127)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
