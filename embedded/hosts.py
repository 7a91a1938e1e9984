"""By which names and addresses this machine is reached.

For: the names in a server's certificate, and whether an address is this machine's alone.
Must not know: certificates, or who listens.
"""

import ipaddress
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

_OWN: Final = ["/32", "host", "LOCAL"]
_LINK: Final = "20"  # the scope of addresses that mean nothing without an interface
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1", "kubernetes.default.svc", "kubernetes")
_ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach this address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reachable(host: str) -> str:
    """The address by which this machine itself reaches a server that listens on `host`."""
    if host not in _ANY:
        return host
    return "::1" if host == "::" else "127.0.0.1"


def names(host: str) -> list[str]:
    """Every name and address that clients of a server on `host` may use."""
    own = [socket.gethostname(), socket.getfqdn()] if host in _ANY else [host]
    found = [*_ALWAYS, *own, *(_addresses() if host in _ANY else ())]
    return [each for each in dict.fromkeys(found) if each and each.isascii()]


def _addresses() -> Iterator[str]:
    """Every address of every interface, as Linux lists them; none elsewhere."""
    for path, found in (("/proc/net/fib_trie", ipv4_of), ("/proc/net/if_inet6", ipv6_of)):
        try:
            yield from found(Path(path).read_text())
        except OSError:
            continue  # no Linux, or no addresses of this family


def ipv4_of(fib_trie: str) -> list[str]:
    """The addresses of this machine's own in Linux' table of routes."""
    lines = [line.split() for line in fib_trie.splitlines()]
    return [leaf[1] for leaf, kind in pairwise(lines) if leaf[:1] == ["|--"] and kind == _OWN]


def ipv6_of(if_inet6: str) -> list[str]:
    """The addresses in Linux' list of them that hold beyond one link."""
    rows = (line.split() for line in if_inet6.splitlines())
    return [str(ipaddress.IPv6Address(bytes.fromhex(row[0]))) for row in rows if row[3] != _LINK]
