"""Which model a gRPC call of the inference service is about: in its first bytes, not in its path.

For: finding a model where a path of REST would say it: on the bare host, among many in one replica.
Must not know: connections, routes; nor messages beyond the two fields that name a model.
"""

import zlib
from dataclasses import dataclass
from typing import Final

_SERVICE: Final = b"/inference.GRPCInferenceService/"
# Methods whose message begins with a model's name and version.
VERSIONED: Final = frozenset(
    _SERVICE + method
    for method in (b"ModelInfer", b"ModelStreamInfer", b"ModelReady", b"ModelMetadata")
)
# Here KServe has the name in 1; Triton in 2, behind its repository's.
REPOSITORY: Final = frozenset(
    _SERVICE + method for method in (b"RepositoryModelLoad", b"RepositoryModelUnload")
)
MODEL_METHODS: Final = VERSIONED | REPOSITORY
_PREFIX_BYTES: Final = 5
_LENGTH_DELIMITED: Final = 2
_WINDOWS: Final = {b"gzip": 31, b"deflate": 15}
NAME_BYTES_MAX: Final = 4096  # of the message, until both are known
BODY_BYTES_MAX: Final = 65_536  # of a body, until they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a call is about; "" for what it does not say."""

    model: bytes
    version: bytes = b""

    @property
    def path(self) -> bytes:
        """The path of REST that names the same."""
        model = b"/v2/models/%b" % _quoted(self.model)
        return model + (b"/versions/%b" % _quoted(self.version) if self.version else b"")


def named(method: bytes, encoding: bytes, body: bytes, is_whole: bool) -> Named | None:
    """What the start of a body names; None: more of it is needed. ValueError: nothing can.

    `encoding` is what grpc-encoding says of a message that is compressed.
    """
    if len(body) < _PREFIX_BYTES:
        if is_whole:
            raise ValueError("it has no message")
        return None
    length = int.from_bytes(body[1:_PREFIX_BYTES], "big")
    message = body[_PREFIX_BYTES : _PREFIX_BYTES + length]
    has_all = len(message) == length or is_whole
    if body[0]:
        message = _expanded(message, encoding)
    first, second = _fields(message[:NAME_BYTES_MAX])
    if first is None or second is None:  # cut, unless nothing more comes
        if not has_all and len(message) < NAME_BYTES_MAX:
            return None
        first, second = first or b"", second or b""
    model = (second or first) if method in REPOSITORY else first
    if not model:
        raise ValueError("it names no model")
    return Named(model=model, version=second if method in VERSIONED else b"")


def _fields(message: bytes) -> tuple[bytes | None, bytes | None]:
    """Fields 1 and 2, which are text and come first; None for one that more bytes may bring."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number = tag >> 3
        if number > 2 or tag & 7 != _LENGTH_DELIMITED:
            break  # fields are written in the order of their numbers
        size, at = _varint(message, at)
        if at < 0 or at + size > len(message):
            return found.get(1), found.get(2)
        found[number] = message[at : at + size]
        at += size
    else:
        return found.get(1), found.get(2)
    if at < 0:
        return found.get(1), found.get(2)
    return found.get(1, b""), found.get(2, b"")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; -1: it is cut."""
    value = shift = 0
    while 0 <= at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return 0, -1


def _expanded(message: bytes, encoding: bytes) -> bytes:
    window = _WINDOWS.get(encoding)
    if window is None:
        raise ValueError(f"its grpc-encoding is {encoding.decode('latin-1') or 'not said'}")
    try:
        return zlib.decompressobj(window).decompress(message, NAME_BYTES_MAX)
    except zlib.error as error:
        raise ValueError("its message is not compressed as it says") from error


_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def _quoted(name: bytes) -> bytes:
    return b"".join(b"%c" % byte if byte in _PLAIN else b"%%%02X" % byte for byte in name)
