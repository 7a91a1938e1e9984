"""Requests that say who we are where a credential plugin knows it.

For: asking the plugin before the first request, when what it said has ended, and when the server
does not take it any more; each time once, however many requests wait.
Must not know: how a plugin is asked, or what is requested.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

from cluster import auth, plugins
from cluster.auth import Address
from cluster.credentials import Credential, CredentialsError
from cluster.plugins import Plugin

_LOG = logging.getLogger(__name__)
_UNAUTHORIZED: Final = 401
_HEADER: Final = "Authorization"


async def begin(
    address: Address,
    context: ssl.SSLContext | None,
    *,
    now: Callable[[], float] = time.time,  # noqa: TID251 - when credentials end is wall-clock time
    ask: Callable[[Plugin], Awaitable[Credential]] = plugins.ask,
) -> "Authorization | None":
    """Who asks for credentials where the address needs one; CredentialsError if it fails.

    The plugin is asked at once, so that one that asks a person is under no deadline of a request.
    """
    plugin = address.plugin
    if plugin is None:
        return None
    made = Authorization(address, context, now, lambda: ask(plugin))
    await made.renew(None)
    return made


class Authorization:
    """A middleware of an aiohttp session. Other servers are told nothing."""

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext | None,
        now: Callable[[], float],
        ask: Callable[[], Awaitable[Credential]],
    ) -> None:
        self._origin = URL(address.url).origin()
        self._context = context
        self._now = now
        self._ask = ask
        self._credential: Credential | None = None
        self._turn = asyncio.Lock()

    @property
    def has_certificate(self) -> bool:
        """A connection has the certificate of when it was made: it serves one request then."""
        return self._credential is not None and bool(self._credential.certificate)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send it as who we are now; refused, as who we are then, once."""
        if request.url.origin() != self._origin:
            return await handler(request)
        credential = self._credential
        if credential is None or not credential.holds(self._now()):
            credential = await self.renew(credential)
        response = await self._send(request, handler, credential)
        if response.status != _UNAUTHORIZED:
            return response
        response.release()
        return await self._send(request, handler, await self.renew(credential))

    async def renew(self, former: Credential | None) -> Credential:
        """Another credential than `former`: whoever comes second has what the first was given."""
        async with self._turn:
            if self._credential is None or self._credential is former:
                found = await self._ask()
                self._present(found)
                self._credential = found
                if former is not None:
                    _LOG.info("the credential plugin was asked again")
            return self._credential

    def _present(self, credential: Credential) -> None:
        if not credential.certificate:
            return
        if self._context is None:
            raise CredentialsError(
                f"the credential plugin answered with a certificate, and {self._origin} has no TLS"
            )
        try:
            auth.present(self._context, credential.certificate, credential.key)
        except ssl.SSLError as error:
            raise CredentialsError(
                f"the certificate that the credential plugin answered with is unusable: {error}"
            ) from error

    async def _send(
        self, request: ClientRequest, handler: ClientHandlerType, credential: Credential
    ) -> ClientResponse:
        if credential.token:
            request.headers[_HEADER] = f"Bearer {credential.token}"
        return await handler(request)
