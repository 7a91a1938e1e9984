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
from cluster import authorizing
from cluster.client import Client
from cluster.credentials import CredentialsError
from cluster.errors import (
    ApiError,
    BadRequestError,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
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
    try:
        context = address.ssl_context()
        authorization = await authorizing.begin(address, context)
    except CredentialsError as error:
        raise UsageError(str(error)) from error
    connector = aiohttp.TCPConnector(
        ssl=context or True,
        force_close=authorization is not None and authorization.has_certificate,
    )
    middlewares = (authorization,) if authorization is not None else ()
    async with aiohttp.ClientSession(connector=connector, middlewares=middlewares) as session:
        client = HttpClient(address.url, session, address.token)
        try:
            yield Connection(location=location, client=client, session=session)
        except ApiError as error:
            raise explain(error, location.label, is_cluster=location.activator is None) from error
        except CredentialsError as error:
            raise UsageError(str(error)) from error
        except BaseExceptionGroup as group:
            raise _of_group(group, location) from group


async def find(
    client: Client, resource: Resource, namespace: str, name: str
) -> dict[str, Any] | None:
    """Read one object, or None where there is none of that name."""
    try:
        return await client.get(resource, namespace, name)
    except NotFoundError:
        return None


def explain(error: ApiError, label: str, *, is_cluster: bool = False) -> CommandError:
    """The CommandError that says what an API server's refusal means to who typed."""
    if isinstance(error, UnavailableError):
        cause = error.__cause__
        if isinstance(cause, CredentialsError):
            return UsageError(error.message)
        # A server that is slow is there; one that refuses or breaks off is not.
        if isinstance(cause, OSError | aiohttp.ClientError) and not isinstance(cause, TimeoutError):
            if is_cluster:
                return UnreachableError(f"the API server of {label} does not answer: {error}")
            return not_running(label)
        return UnreachableError(error.message)
    if isinstance(error, UnauthorizedError):
        return FailedError(
            f"the API server of {label} does not take your credentials (401 {error.message}): they "
            "are wrong, or have ended"
        )
    if isinstance(error, InvalidError | BadRequestError):
        return UsageError(error.message)
    return FailedError(error.message)


def _of_group(group: BaseExceptionGroup[BaseException], location: Location) -> BaseException:
    """The first failure of tasks that ran together: when one fails the others are cancelled."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, CredentialsError):
        return UsageError(str(first))
    if isinstance(first, ApiError):
        return explain(first, location.label, is_cluster=location.activator is None)
    return first
