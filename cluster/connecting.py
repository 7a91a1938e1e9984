"""An open way to a cluster's API server, as an operator or a kubelet describes it.

For: components that run as processes of their own: address, TLS, credentials that rotate.
Must not know: what is asked of the server.

A bound service account token is replaced long before it ends, its certificate authority hardly
ever: both files are read again when they change, by the next request. Connections that are open
stay: the server has accepted them.
"""

import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from cluster.auth import (
    SERVICE_ACCOUNT,
    Address,
    load_kubeconfig,
    load_service_account,
)
from cluster.authorizing import begin
from cluster.credentials import CredentialsError
from cluster.http import HttpClient

_LOG = logging.getLogger(__name__)
_CONNECTIONS_MAX: Final = 64  # together; every watch holds one of them
_CONNECT_S: Final = 10.0
# A server that vanished without a word is noticed: else its watches would be silent for ever.
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
_UNACKNOWLEDGED_MS: Final = 20_000


def locate(
    kubeconfig: Path | None,
    *,
    environ: Mapping[str, str] = os.environ,  # noqa: TID251 - a kubelet tells the address so
    folder: Path = SERVICE_ACCOUNT,
) -> Address:
    """The server of a kubeconfig's current context, else of this Pod; CredentialsError."""
    if kubeconfig is not None:
        return load_kubeconfig(kubeconfig)
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise CredentialsError("this is no Pod of a cluster: name one with --kubeconfig FILE")
    return load_service_account(host=host, port=port, folder=folder)


@asynccontextmanager
async def connect(
    address: Address,
    *,
    only_namespace: str = "",
    admit: Callable[[str, str], Awaitable[None]] | None = None,
    request_timeout_s: float = 30.0,
) -> AsyncIterator[HttpClient]:
    """A client with connections of its own; CredentialsError for bad certificates or plugins.

    With `only_namespace`, nothing is read of others unless they are named.
    """
    context = address.ssl_context()
    authorization = await begin(address, context)
    connector = aiohttp.TCPConnector(
        ssl=context if context is not None else True,
        force_close=authorization is not None and authorization.has_certificate,
        limit=_CONNECTIONS_MAX,
        socket_factory=_make_socket,
    )
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        middlewares=(authorization,) if authorization is not None else (),
    ) as session:
        client = HttpClient(
            address.url,
            session,
            fresh_token(address, context),
            request_timeout_s=request_timeout_s,
            only_namespace=only_namespace or None,
            admit=admit,
        )
        client.is_lean = True  # caches hold a third less
        yield client


def own_ip(address: Address) -> str:
    """The address of this machine on the way to the server; nothing is sent to find it."""
    parts = urlsplit(address.url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(where)
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


def fresh_token(address: Address, context: ssl.SSLContext | None) -> str | Callable[[], str] | None:
    """What an HttpClient takes as its token; `context` learns of a new certificate authority."""
    if address.token_file is None:
        return address.token
    authority = None
    if address.ca_file is not None and context is not None:
        authority = _Watched(address.ca_file)
    return _Fresh(
        token=address.token or "",
        token_file=_Watched(address.token_file),
        ca_file=authority,
        context=context,
    )


@dataclass(slots=True)
class _Watched:
    """A file, and whether it is another one than before."""

    path: Path
    version: tuple[int, int] | None = field(init=False)

    def __post_init__(self) -> None:
        self.version = self._version()

    def changed(self) -> bytes | None:
        """What is in it now, if it changed; a file that can not be read did not."""
        version = self._version()
        if version is None or version == self.version:
            return None
        try:
            found = self.path.read_bytes()
        except OSError as error:
            _LOG.warning("%s: %s; going on with what was read before", self.path, error.strerror)
            return None
        self.version = version
        return found

    def _version(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


@dataclass(slots=True, kw_only=True)
class _Fresh:
    """A token that is read again when its file changes."""

    token: str
    token_file: _Watched
    ca_file: _Watched | None
    context: ssl.SSLContext | None

    def __call__(self) -> str:
        found = self.token_file.changed()
        if found and found.strip():
            self.token = found.decode("ascii", "replace").strip()
            _LOG.info("the token in %s was replaced", self.token_file.path)
        if self.ca_file is not None and self.context is not None:
            authority = self.ca_file.changed()
            if authority:
                self._trust(authority)
        return self.token

    def _trust(self, authority: bytes) -> None:
        assert self.ca_file is not None
        assert self.context is not None
        try:
            self.context.load_verify_locations(cadata=authority.decode())
        except (ssl.SSLError, UnicodeDecodeError) as error:
            _LOG.warning("%s is unusable: %s", self.ca_file.path, error)


def _make_socket(info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = info
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
    return made
