"""Compressed bodies: what came inflated, what goes deflated where a client asks for it.

For: Content-Encoding and Accept-Encoding, within the limit on what a body may become.
Must not know: what bodies mean, connections, models.

A body is inflated piece by piece and given up as soon as it is larger than the limit. An answer is
compressed with the quick levels, on the loop; where that would take long, or gains nothing (raw
floats), it goes as it is.
"""

import functools
import gzip
import importlib.util
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from predictor.errors import Fault, RequestError

WORTH_BYTES_MIN = 1024
WORTH_BYTES_MAX = 16 * 2**20  # a fifth of a second with gzip
_SAMPLE_BYTES = 65_536
_GAIN = 0.9  # of the size before
_PIECE_BYTES = 65_536
_ZSTD_WINDOW_BYTES_MAX = 8 * 2**20  # RFC 9659: a peer may count on no more
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 1


def served() -> str:
    """The codings there are, as a header lists them."""
    return ", ".join(name for name in _CODINGS if _is_there(name))


def check(coding: bytes) -> str:
    """A request's coding, "" for none; RequestError with a 415 for one that is not served."""
    text = coding.decode("latin-1").strip().lower().removeprefix("x-")
    if text in ("identity", ""):
        return ""
    if text not in _CODINGS or not _is_there(text):
        raise RequestError(Fault.ENCODED, got=text[:60], expected=served())
    return text


def inflated(body: bytes, coding: bytes, *, bytes_max: int) -> bytes:
    """What a client had before it compressed it; RequestError with a 400, 413 or 415."""
    name = check(coding)
    if not name:
        return body
    return _CODINGS[name][0](body, bytes_max)


def deflated(body: bytes, accepted: bytes) -> tuple[bytes, bytes]:
    """Header lines and a body, in the coding a client likes best where that is worth it."""
    if not WORTH_BYTES_MIN <= len(body) <= WORTH_BYTES_MAX:
        return b"", body
    name = _chosen(accepted)
    if name:
        deflate = _CODINGS[name][1]
        sample = body[:_SAMPLE_BYTES]
        new = deflate(sample)
        if len(new) <= _GAIN * len(sample):
            new = new if len(body) == len(sample) else deflate(body)
            return b"content-encoding: %b\r\nvary: accept-encoding\r\n" % name.encode(), new
    return b"vary: accept-encoding\r\n", body


def _chosen(accepted: bytes) -> str:
    """The coding of the highest weight, of ours the first; "" for none. RFC 9110, 12.5.3."""
    weights: dict[str, float] = {}
    for part in accepted.decode("latin-1").lower().split(","):
        coding, *parameters = (one.strip() for one in part.split(";"))
        weights[coding.removeprefix("x-")] = _weight(parameters)
    best, found = weights.get("identity", 0.0), ""
    for name in _CODINGS:
        weight = weights.get(name, weights.get("*", 0.0))
        if weight > 0 and (weight > best or (not found and weight == best)) and _is_there(name):
            best, found = weight, name
    return found


def _weight(parameters: list[str]) -> float:
    for one in parameters:
        name, _, value = one.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0  # not understood: not asked for
    return 1.0


def _is_there(name: str) -> bool:
    return name != "zstd" or _has_zstd()


@functools.cache
def _has_zstd() -> bool:
    return importlib.util.find_spec("zstandard") is not None


# -- zlib: gzip, and what HTTP calls deflate ---------------------------------------------------


def _ungzip(body: bytes, bytes_max: int) -> bytes:
    return _unzip(body, bytes_max, coding="gzip", wbits=_GZIP)


def _undeflate(body: bytes, bytes_max: int) -> bytes:
    """In zlib's envelope as RFC 9110 says; without one, as some clients send it."""
    has_envelope = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    wbits = zlib.MAX_WBITS if has_envelope else -zlib.MAX_WBITS
    return _unzip(body, bytes_max, coding="deflate", wbits=wbits)


def _unzip(body: bytes, bytes_max: int, *, coding: str, wbits: int) -> bytes:
    view = memoryview(body)
    inflater = zlib.decompressobj(wbits)
    pieces: list[bytes] = []
    size = at = 0
    while at < len(view):
        given = view[at : at + _PIECE_BYTES]
        try:
            piece = inflater.decompress(given, bytes_max - size + 1)
        except zlib.error as error:
            raise _not_inflated(coding, str(error)) from None
        size += len(piece)
        if size > bytes_max:
            raise RequestError(Fault.TOO_LARGE, limit_bytes=bytes_max)
        pieces.append(piece)
        at += len(given) - len(inflater.unused_data)
        if inflater.eof and at < len(view):
            if coding != "gzip":
                raise _not_inflated(coding, "something follows its end")
            inflater = zlib.decompressobj(wbits)  # gzip may be several, one behind the other
    if not inflater.eof:
        raise _not_inflated(coding, "it is cut off")
    return b"".join(pieces)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


def _deflate(body: bytes) -> bytes:
    return zlib.compress(body, _LEVEL)


# -- zstd --------------------------------------------------------------------------------------


def _unzstd(body: bytes, bytes_max: int) -> bytes:
    """Measured first, for only the second way notices that the end is missing, and has no limit."""
    zstd: Any = import_module("zstandard")
    context = zstd.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    try:
        size = 0
        for piece in context.read_to_iter(body):
            size += len(piece)
            if size > bytes_max:
                raise RequestError(Fault.TOO_LARGE, limit_bytes=bytes_max)
        inflater = context.decompressobj(read_across_frames=False)
        whole: bytes = inflater.decompress(body)
    except zstd.ZstdError as error:
        raise _not_inflated("zstd", str(error)) from None
    if not inflater.eof:
        raise _not_inflated("zstd", "it is cut off")
    if inflater.unused_data:
        raise _not_inflated("zstd", "something follows its end")
    return whole


def _zstd(body: bytes) -> bytes:
    found: bytes = import_module("zstandard").ZstdCompressor(level=_LEVEL).compress(body)
    return found


def _not_inflated(coding: str, detail: str) -> RequestError:
    return RequestError(Fault.NOT_INFLATED, coding=coding, detail=detail)


_Inflate = Callable[[bytes, int], bytes]
_Deflate = Callable[[bytes], bytes]

# In the order in which we like them.
_CODINGS: dict[str, tuple[_Inflate, _Deflate]] = {
    "zstd": (_unzstd, _zstd),
    "gzip": (_ungzip, _gzip),
    "deflate": (_undeflate, _deflate),
}
