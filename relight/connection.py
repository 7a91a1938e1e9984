"""An open way to one platform, and its failures in words for a person.

For: every verb: objects by way of the client, requests by way of the session.
Must not know: any verb.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.kinds import Resource
from cluster.auth import CredentialsError
from cluster.client import Client
from cluster.errors import (
    ApiError,
    BadRequestError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from cluster.http import HttpClient
from relight.config import Location, not_running
from relight.errors import CommandError, FailedError, UnreachableError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a verb talks through. The session knows the API server's certificate authority."""

    location: Location
    client: Client
    session: aiohttp.ClientSession


@asynccontextmanager
async def connect(location: Location) -> AsyncIterator[Connection]:
    """Open a connection; what the API server refuses inside leaves as a CommandError."""
    address = location.address
    async with aiohttp.ClientSession(connector=_connector(location)) as session:
        client = HttpClient(address.url, session, address.token)
        try:
            yield Connection(location=location, client=client, session=session)
        except ApiError as error:
            raise explain(error, location.label) from error
        except BaseExceptionGroup as group:
            raise _of_group(group, location.label) from group


async def find(
    client: Client, resource: Resource, namespace: str, name: str
) -> dict[str, Any] | None:
    """Read one object, or None where there is none of that name."""
    try:
        return await client.get(resource, namespace, name)
    except NotFoundError:
        return None


def explain(error: ApiError, label: str) -> CommandError:
    """The CommandError that says what an API server's refusal means to who typed."""
    if isinstance(error, UnavailableError):
        cause = error.__cause__
        # A server that is slow is there; one that refuses or breaks off is not.
        if isinstance(cause, OSError | aiohttp.ClientError) and not isinstance(cause, TimeoutError):
            return not_running(label)
        return UnreachableError(error.message)
    if isinstance(error, InvalidError | BadRequestError):
        return UsageError(error.message)
    return FailedError(error.message)


def _of_group(group: BaseExceptionGroup[BaseException], label: str) -> BaseException:
    """The first failure of tasks that ran together: when one fails the others are cancelled."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return explain(first, label) if isinstance(first, ApiError) else first


def _connector(location: Location) -> aiohttp.TCPConnector:
    try:
        return aiohttp.TCPConnector(ssl=location.address.ssl_context() or True)
    except CredentialsError as error:
        raise UsageError(str(error)) from error
