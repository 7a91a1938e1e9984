"""Where something listens: a Unix socket or a TCP port, in one piece of text.

For: naming an endpoint the same way in annotations, settings and logs.
Must not know: who listens there.
"""

from dataclasses import dataclass
from typing import Self

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`unix:/path` has a path; `tcp:host:port` has a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything else."""
        scheme, _, rest = text.partition(":")
        if scheme == "unix" and rest.startswith("/"):
            return cls(path=rest)
        host, _, port = rest.rpartition(":")
        is_port = port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65_536
        if scheme == "tcp" and is_port and _can_be_resolved(host.strip("[]")):
            return cls(host=host.strip("[]"), port=int(port))
        raise ValueError(f"{text!r}: expected unix:/path or tcp:host:port")

    @override
    def __str__(self) -> str:
        """The text that `parse` reads."""
        if self.path:
            return f"unix:{self.path}"
        return (
            f"tcp:[{self.host}]:{self.port}" if ":" in self.host else f"tcp:{self.host}:{self.port}"
        )


def _can_be_resolved(host: str) -> bool:
    """Whether a resolver takes it: what has too long a label ends a connect in no OSError."""
    try:
        return bool(host.encode("idna")) and "\0" not in host
    except UnicodeError:
        return False
