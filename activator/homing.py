"""Sinks that are Services of ours: reached through ourselves, whether their names resolve or not.

For: URLs as KServe's users write them (`http://dumper.default`), on a machine without cluster DNS.
Must not know: sockets, what is sent.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

_HTTP_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a URL's host is served: ask `url`, with this Host header."""

    url: str
    host: str


def find_home(
    url: str, own: tuple[str, int], is_served: Callable[[bytes, bytes], bool]
) -> Home | None:
    """None for a host that is not ours, or a port that is not; `is_served(host, path)` knows.

    `own` is where we listen. A port other than HTTP's and ours is another server's.
    """
    parts = urlsplit(url)
    own_host, own_port = own
    if parts.scheme != "http" or not parts.hostname or not own_port:
        return None
    if parts.port not in {None, _HTTP_PORT, own_port}:
        return None
    host = parts.netloc.rpartition("@")[2]
    if not is_served(host.encode(), (parts.path or "/").encode()):
        return None
    address = ipaddress.ip_address(own_host) if own_host[:1].isdigit() or ":" in own_host else None
    if address is not None and address.is_unspecified:
        own_host = "::1" if address.version == 6 else "127.0.0.1"
    bracketed = f"[{own_host}]" if ":" in own_host else own_host
    return Home(url=urlunsplit(parts._replace(netloc=f"{bracketed}:{own_port}")), host=host)
