"""What an API server serves: asked of itself, kind by kind.

For: addressing objects of any kind, and finding out what an older server lacks.
Must not know: version numbers, or which kinds are wanted.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp
import orjson

from api.kinds import Resource
from cluster.errors import ApiError, ForbiddenError, NotFoundError, UnavailableError, from_status
from cluster.http import said
from relight.connection import Connection

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_ERRORS_FROM = 400

Kinds = Mapping[tuple[str, str], Resource]  # by apiVersion and kind


async def kinds_of(connection: Connection, versions: Iterable[str]) -> Kinds:
    """Every kind of these versions (`policy/v1`) that is served; absent ones are left out."""
    wanted = sorted(set(versions))
    lists = await asyncio.gather(*(_resources(connection, each) for each in wanted))
    return {
        (version, str(raw["kind"])): _resource(version, raw)
        for version, found in zip(wanted, lists, strict=True)
        for raw in found
        if "/" not in str(raw["name"])
    }


async def ask(connection: Connection, path: str, *, method: str = "GET", body: Any = None) -> Any:
    """One answer as JSON, or as text where it is none; ApiError."""
    address = connection.location.address
    headers = {"Accept": "application/json"}
    if address.token:
        headers["Authorization"] = f"Bearer {address.token}"
    data = None
    if body is not None:
        data, headers["Content-Type"] = orjson.dumps(body), "application/json"
    url = address.url.rstrip("/") + path
    try:
        async with connection.session.request(
            method, url, headers=headers, data=data, timeout=_TIMEOUT
        ) as response:
            answer, status = await response.read(), response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UnavailableError(f"{method} {url}: {said(error)}") from error
    if status >= _ERRORS_FROM:
        raise _error(status, answer)
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return answer.decode(errors="replace")


async def _resources(connection: Connection, version: str) -> list[dict[str, Any]]:
    root = "/apis/" if "/" in version else "/api/"
    try:
        found = await ask(connection, root + version)
    except (NotFoundError, ForbiddenError):
        return []
    return list(found.get("resources") or ()) if isinstance(found, dict) else []


def _resource(version: str, raw: Mapping[str, Any]) -> Resource:
    group, _, number = version.rpartition("/")
    return Resource(
        group,
        number,
        str(raw["name"]),
        str(raw["kind"]),
        str(raw.get("singularName") or raw["kind"]).lower(),
        is_namespaced=bool(raw.get("namespaced")),
    )


def _error(status: int, answer: bytes) -> ApiError:
    try:
        raw = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raw = None
    told = raw if isinstance(raw, dict) else {"message": answer[:300].decode(errors="replace")}
    return from_status({**told, "code": status})
