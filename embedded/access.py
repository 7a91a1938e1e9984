"""Who may talk to the API server of one machine: programs of that machine.

For: keeping web pages out. A browser sends what any page asks it to, also to localhost, and
an object with a `command` is a program that runs.
Must not know: what is asked.
"""

import hmac
from collections.abc import Mapping
from typing import Final

from cluster.errors import ForbiddenError, UnauthorizedError

_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Gate:
    """Checks a request's headers. With a token, whoever knows it may call from anywhere."""

    def __init__(self, *, token: str | None = None) -> None:
        self._expected = None if token is None else f"Bearer {token}".encode()

    def knows(self, token: str) -> bool:
        """Whether this is the token that is asked for."""
        given = f"Bearer {token}".encode("utf-8", "surrogateescape")
        return self._expected is not None and hmac.compare_digest(given, self._expected)

    def check(self, headers: Mapping[str, str]) -> None:
        """ForbiddenError or UnauthorizedError for who may not come in."""
        if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") not in ("none", ""):
            # No client of an API server sends these; every browser does.
            raise ForbiddenError("requests from web pages are refused: use kubectl or a program")
        if self._expected is not None:
            given = headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, self._expected):
                raise UnauthorizedError("Unauthorized: the bearer token is missing or wrong")
            return
        host = _name(headers.get("Host", "")).lower()
        # A name that a page made to resolve to 127.0.0.1 (DNS rebinding) is not one of these.
        if host not in _LOCAL_NAMES and not host.endswith(".localhost"):
            raise ForbiddenError(
                f"the API server answers to localhost and 127.0.0.1, not to {host[:80]!r}"
            )


def _name(host: str) -> str:
    """The name or address in a Host header, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
