"""What a request head must be beyond what the parser checks.

For: refusing heads that two servers in a row could read differently, and oversized ones.
Must not know: connections, bodies, routes. Every function returns a status, or 0 for "fine".
"""

from wire.head import Head
from wire.limits import Limits

_FINE = 0


def judge_version(head: Head, version: str) -> int:
    """Note HTTP/1.0; refuse what is neither that nor HTTP/1.1."""
    head.is_http_10 = version == "1.0"
    return _FINE if version in {"1.0", "1.1"} else 505


def judge_shape(head: Head, limits: Limits) -> int:
    """Judge a head with many or repeated headers, a long target, no Host or no plain path."""
    headers = head.headers
    if len(headers) > limits.header_count_max:
        return 431
    if len(head.target) > limits.target_bytes_max:
        return 414
    if len(head.index) != len(headers):
        head.index = _joined(headers)
        if sum(name == b"host" for name, _ in headers) > 1:
            return 400
    if b"host" not in head.index and not head.is_http_10:
        return 400
    if head.target[:1] != b"/" and not _to_origin_form(head):
        return 400
    return _FINE


def judge_coding(head: Head) -> int:
    """Judge a Transfer-Encoding: HTTP/1.0 has none, and we know only `chunked`."""
    if head.is_http_10:
        return 400
    return _FINE if head.index[b"transfer-encoding"].lower() == b"chunked" else 501


def judge_wishes(head: Head) -> int:
    """Judge CONNECT and Expect."""
    if head.method == b"CONNECT":
        return 501
    expect = head.index.get(b"expect")
    if expect is None:
        return _FINE
    head.expects_continue = not head.is_http_10
    return _FINE if expect.lower() == b"100-continue" else 417


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    index: dict[bytes, bytes] = {}
    for name, value in headers:
        index[name] = index[name] + b", " + value if name in index else value
    return index


def _to_origin_form(head: Head) -> bool:
    """Rewrite `http://host/path` to `/path` with that host (RFC 9112, 3.2.2)."""
    target = head.target
    if target == b"*":
        return head.method == b"OPTIONS"
    scheme, _, rest = target.partition(b"://")
    ends = [end for end in (rest.find(b"/"), rest.find(b"?")) if end >= 0]
    end = min(ends, default=len(rest))
    authority, path = rest[:end], rest[end:]
    if scheme.lower() not in {b"http", b"https"} or not authority:
        return False
    head.target = path if path.startswith(b"/") else b"/" + path
    head.index[b"host"] = authority
    head.headers[:] = [header for header in head.headers if header[0] != b"host"]
    head.headers.append((b"host", authority))
    return True
