"""What a header list of HTTP/2 must be, and what it says (RFC 9113, 8.2 and 8.3).

For: refusing heads that HTTP/1.1 would read differently, as a proxy writes them again in it.
Must not know: connections, streams, bodies, routes.
"""

import re
from typing import Final

from wire.h2frames import PROTOCOL_ERROR, StreamFaultError
from wire.h2hpack import CONNECTION_HEADERS, Fields
from wire.head import Head
from wire.limits import Limits

# The names are tokens without capitals; a value is what HTTP/1.1 could carry too.
_is_name = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+").fullmatch
_is_method = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_is_value = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?").fullmatch
_is_target = re.compile(rb"[!-~]+").fullmatch
_is_authority = re.compile(rb"[!-.0-?A-~]*").fullmatch  # no "/", no "@"
_is_length = re.compile(rb"[0-9]{1,19}").fullmatch
_is_status = re.compile(rb"[1-9][0-9][0-9]").fullmatch

# Headers that were found good lately: most come again and again, if not all of one head.
_good: set[tuple[bytes, bytes]] = set()
_GOOD_MAX = 1024
_GOOD_BYTES_MAX = 256

_OF_REQUESTS: Final = frozenset({b":method", b":scheme", b":path", b":authority"})
_OF_ANSWERS: Final = frozenset({b":status"})
_SCHEMES: Final = frozenset({b"http", b"https"})


def read_request(fields: Fields, limits: Limits) -> tuple[Head, int]:
    """The head, and the status to refuse it with; 0 for "fine". StreamFaultError: malformed."""
    pseudo, headers = _split(fields, _OF_REQUESTS)
    method = pseudo.get(b":method", b"")
    if not _is_method(method):
        raise _malformed("a request without a valid :method")
    if method == b"CONNECT":
        return Head(method, b"", headers, {}), 501
    target = pseudo.get(b":path", b"")
    if pseudo.get(b":scheme") not in _SCHEMES:
        raise _malformed("a request with another :scheme than http")
    if not _is_target(target) or (target[0] != 47 and (method, target) != (b"OPTIONS", b"*")):
        raise _malformed("a :path that is no path")
    headers = _with_host(pseudo.get(b":authority"), headers)
    head = Head(method, target, headers, _index(headers))
    head.content_length = _length(head.index)
    return head, _judge(head, limits)


def read_answer(fields: Fields, left_out: frozenset[bytes]) -> tuple[int, bytes, int | None]:
    """Status, header lines without those of `left_out`, and content-length."""
    pseudo, headers = _split(fields, _OF_ANSWERS)
    status = pseudo.get(b":status", b"")
    if not _is_status(status) or status == b"101":
        raise _malformed("an answer without a valid :status")
    length = _length(_index([field for field in headers if field[0] == b"content-length"]))
    return int(status), _lines(headers, left_out), length


def read_trailers(fields: Fields) -> bytes:
    """Trailers as lines."""
    _, headers = _split(fields, frozenset())
    return _lines(headers, frozenset())


def _lines(headers: Fields, left_out: frozenset[bytes]) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in headers if field[0] not in left_out])


def _malformed(why: str) -> StreamFaultError:
    return StreamFaultError(PROTOCOL_ERROR, why)


def _split(fields: Fields, known: frozenset[bytes]) -> tuple[dict[bytes, bytes], Fields]:
    """Pseudo-headers, which come first and once, and the others."""
    pseudo: dict[bytes, bytes] = {}
    headers: Fields = []
    for field in fields:
        if field in _good:
            headers.append(field)
            continue
        name, value = field
        if not _is_value(value):
            raise _malformed("a header value with characters that none has")
        if name[:1] == b":":
            if name not in known or name in pseudo or headers:
                raise _malformed("a pseudo-header unknown, repeated or out of place")
            pseudo[name] = value
            continue
        _check(name, value)
        headers.append(field)
    return pseudo, headers


def _check(name: bytes, value: bytes) -> None:
    if not _is_name(name) or name in CONNECTION_HEADERS:
        raise _malformed("a header name that HTTP/2 does not have")
    if name == b"te" and value.lower() != b"trailers":
        raise _malformed("a TE header other than trailers")
    if len(name) + len(value) <= _GOOD_BYTES_MAX:
        if len(_good) >= _GOOD_MAX:
            _good.clear()
        _good.add((name, value))


def _with_host(authority: bytes | None, headers: Fields) -> Fields:
    """The headers with one Host, which is the authority if there is one."""
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (hosts and authority is not None and hosts[0] != authority):
        raise _malformed("a request for two hosts")
    host = authority if authority is not None else hosts[0] if hosts else b""
    if not _is_authority(host):
        raise _malformed("an :authority that is none")
    others = [field for field in headers if field[0] != b"host"]
    return [(b"host", host), *others] if host else others


def _index(headers: Fields) -> dict[bytes, bytes]:
    index = dict(headers)
    if len(index) == len(headers):
        return index
    index = {}
    for name, value in headers:
        if name in index:
            mark = b"; " if name == b"cookie" else b", "
            value = index[name] + mark + value
        index[name] = value
    return index


def _length(index: dict[bytes, bytes]) -> int | None:
    value = index.get(b"content-length")
    if value is None:
        return None
    if not _is_length(value):
        raise _malformed("a content-length that is no number")
    return int(value)


def _judge(head: Head, limits: Limits) -> int:
    """A status to refuse a well-formed head with; 0 if it is fine."""
    size = sum(len(name) + len(value) + 4 for name, value in head.headers)
    if len(head.headers) > limits.header_count_max or size > limits.header_bytes_max:
        return 431
    if len(head.target) > limits.target_bytes_max:
        return 414
    if b"host" not in head.index:
        return 400
    expect = head.index.get(b"expect")
    if expect is not None:
        head.expects_continue = True
        if expect.lower() != b"100-continue":
            return 417
    if head.content_length is not None and head.content_length > limits.body_bytes_max:
        return 413
    return 0
