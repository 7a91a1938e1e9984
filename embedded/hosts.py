"""By which names and addresses this machine is reached.

For: the names in a server's certificate, and whether an address is this machine's alone.
Must not know: certificates, or who listens.
"""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator
from typing import Final

_SIOCGIFADDR: Final = 0x8915  # Linux: the IPv4 address of an interface
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
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                request = struct.pack("256s", name.encode()[:15])
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # an interface without an IPv4 address, or no Linux
            yield socket.inet_ntoa(answer[20:24])
