"""A component's own answers, through the API server: Kubernetes' service proxy.

For: questions no object answers: which requests came, why so many replicas. One way on one
machine and on clusters, guarded by the API server.
Must not know: what is asked, or how an answer is told.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from cluster.errors import NotFoundError, UnavailableError, from_status
from relight.connection import Connection
from relight.errors import FailedError
from relight.podlogs import split_lines

NAMESPACE = "relight-system"
_NO_LIMIT = aiohttp.ClientTimeout(total=None)
_ERRORS_FROM = 400


@asynccontextmanager
async def rows(
    connection: Connection, component: str, path: str, params: Mapping[str, str]
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Each line of an answer as an object, as it comes; with `follow=true` it goes on."""

    async def parsed(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
        async for line in split_lines(response.content.iter_any()):
            raw = _parsed(component, line)
            if raw is not None:
                yield raw

    async with _answer(connection, component, path, params) as response:
        yield parsed(response)


async def answer(
    connection: Connection, component: str, path: str, params: Mapping[str, str]
) -> Any:
    """The whole answer as JSON."""
    async with _answer(connection, component, path, params) as response:
        return _parsed(component, await response.read())


@asynccontextmanager
async def _answer(
    connection: Connection, component: str, path: str, params: Mapping[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    address = connection.location.address
    url = (
        f"{address.url.rstrip('/')}/api/v1/namespaces/{NAMESPACE}/services/{component}:admin"
        f"/proxy/{path}"
    )
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    try:
        async with connection.session.get(
            url, params=params, headers=headers, timeout=_NO_LIMIT
        ) as response:
            if response.status >= _ERRORS_FROM:
                raise from_status(_refusal(response.status, await response.read()))
            yield response
    except NotFoundError as error:
        raise FailedError(f"the {component} does not tell: {error.message}") from error
    except aiohttp.ClientError as error:
        raise UnavailableError(f"the {component}'s answer broke off: {error}") from error


def _parsed(component: str, text: str | bytes) -> Any:
    if not text.strip():
        return None  # an empty line keeps a quiet connection open
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FailedError(f"the {component} answered what is no JSON: {text[:200]!r}") from error


def _refusal(code: int, body: bytes) -> dict[str, Any]:
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        raw = None
    told = raw if isinstance(raw, dict) else {"message": body[:200].decode("utf-8", "replace")}
    message = told.get("message") or told.get("error")
    return {**told, "code": code, "message": message}
