"""The log of one Pod as lines, read from the API server.

For: the one request the object client does not make.
Must not know: which Pods are of interest, or how lines are shown.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from cluster.errors import UnavailableError, from_status
from relight.connection import Connection
from relight.replicas import at

_LINE_BYTES_MAX = 65536  # a longer line is printed in pieces
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which log. `tail` None means all that is kept."""

    namespace: str
    pod: str
    is_followed: bool = False
    tail: int | None = None


def has_started(pod: Mapping[str, Any]) -> bool:
    """Whether its program ever ran, so that the API server has a log to give."""
    statuses = at(pod, "status", "containerStatuses") or ()
    return any(
        at(status, "state", "running") is not None
        or at(status, "state", "terminated") is not None
        or at(status, "lastState", "terminated") is not None
        for status in statuses
    )


async def lines(connection: Connection, query: Query) -> AsyncIterator[str]:
    """Each line without its end. A Pod that is gone meanwhile has none."""
    address = connection.location.address
    url = f"{address.url.rstrip('/')}/api/v1/namespaces/{query.namespace}/pods/{query.pod}/log"
    params = {"follow": "true"} if query.is_followed else {}
    if query.tail is not None:
        params["tailLines"] = str(query.tail)
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    try:
        async with connection.session.get(
            url, params=params, headers=headers, timeout=aiohttp.ClientTimeout(total=None)
        ) as response:
            if response.status == _NOT_FOUND:
                return
            if not response.ok:
                raise from_status(_status(response.status, await response.read()))
            async for line in split_lines(response.content.iter_any()):
                yield line
    except aiohttp.ClientError as error:
        raise UnavailableError(f"the log of {query.pod} broke off: {error}") from error


def _status(code: int, answer: bytes) -> dict[str, Any]:
    try:
        raw = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raw = None
    told = raw if isinstance(raw, dict) else {"message": answer[:200].decode("utf-8", "replace")}
    return {**told, "code": code}


async def split_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Cut a stream of bytes into lines of text; what follows the last end is a line too."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
        while len(rest) > _LINE_BYTES_MAX:
            piece, rest = rest[:_LINE_BYTES_MAX], rest[_LINE_BYTES_MAX:]
            yield piece.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
