"""The head of a forwarded request: what is added, appended to, and left out.

For: building it once, as bytes. Names travel in lower case; HTTP does not mind.
Must not know: connections, replicas, how the body is sent.
"""

from functools import lru_cache

from wire.exchange import Exchange
from wire.messages import HOP_BY_HOP

_CACHE_MAX = 1024
_FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
)
# Left out: what is rewritten here, and what only a platform may say to a replica.
_LEFT_OUT = HOP_BY_HOP | {
    b"content-length",
    b"expect",
    b"forwarded",
    b"k-network-probe",
    b"k-proxy-request",
    b"knative-serving-default-route",
    b"knative-serving-namespace",
    b"knative-serving-revision",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-request-id",
}
_PROXY = b"k-proxy-request: activator\r\n"


def request_start(
    exchange: Exchange,
    lines: bytes = b"",
    replaced: frozenset[bytes] = frozenset(),
    upgrade: bytes = b"",
) -> bytes:
    """The head of the request to the replica, without its id and the empty line.

    `lines` are added, in the place of the client's headers whose names are in `replaced`;
    `upgrade` is a protocol to ask the replica for.
    Depends on the head and the client only. The framing of a body of unknown length is left
    to the sender.
    """
    index = exchange.index
    parts = [exchange.method, b" ", exchange.target, b" HTTP/1.1\r\n"]
    is_forwarded = False
    left_out = _LEFT_OUT | replaced if replaced else _LEFT_OUT
    for name, value in exchange.headers:
        if name not in left_out:
            parts += (name, b": ", value, b"\r\n")
        elif name in _FORWARDED:
            is_forwarded = True
    nominated = index.get(b"connection")
    if nominated is not None and nominated.lower() not in {b"close", b"keep-alive"}:
        parts[4:] = _without(parts[4:], nominated)
    if is_forwarded:
        parts.append(_forwarded_lines(exchange.peer, index.get(b"host", b""), index) + lines)
    else:
        parts.append(_direct_lines(exchange.peer, index.get(b"host", b""), lines))
    if upgrade:
        parts.append(b"connection: upgrade\r\nupgrade: %b\r\n" % upgrade)
    if exchange.content_length is not None:
        parts.append(b"content-length: %d\r\n" % exchange.content_length)
    return b"".join(parts)


def _without(parts: list[bytes], nominated: bytes) -> list[bytes]:
    """Leave out the headers that the client's Connection header makes hop-by-hop."""
    names = {name.strip() for name in nominated.lower().split(b",")} - {b"host"}
    kept: list[bytes] = []
    for at in range(0, len(parts), 4):
        if parts[at] not in names:
            kept += parts[at : at + 4]
    return kept


@lru_cache(maxsize=_CACHE_MAX)
def _direct_lines(peer: str, host: bytes, lines: bytes) -> bytes:
    """The same for a client without proxies before us: most, and with few hosts each."""
    return _forwarded_lines(peer, host, {}) + lines


def _forwarded_lines(peer: str, host: bytes, index: dict[bytes, bytes]) -> bytes:
    """Who asked for what: appended to what proxies before us said (RFC 7239)."""
    address = peer.encode() or b"unknown"
    node = b'"[%b]"' % address if b":" in address else address
    before = index.get(b"x-forwarded-for")
    chain = b"%b, %b" % (before, address) if before else address
    proto = index.get(b"x-forwarded-proto", b"http")
    asked = index.get(b"x-forwarded-host", host)
    said = index.get(b"forwarded")
    element = b'for=%b;host="%b";proto=http' % (node, host)
    return b"%bx-forwarded-for: %b\r\nx-forwarded-proto: %b\r\nx-forwarded-host: %b\r\n%b" % (
        _PROXY,
        chain,
        proto,
        asked,
        b"forwarded: %b\r\n" % (b"%b, %b" % (said, element) if said else element),
    )
