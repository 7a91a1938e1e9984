"""A component's own answers, through the API server: Kubernetes' proxy of Services and Pods.

For: questions no object answers: which requests came, why so many replicas. One way on one
machine and on clusters, guarded by the API server.
Must not know: what is asked, or how an answer is told.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from api.kinds import PODS
from cluster.errors import ApiError, NotFoundError, UnavailableError, from_status
from relight.connection import Connection
from relight.errors import FailedError
from relight.podlogs import split_lines

NAMESPACE = "relight-system"
_PORT = "admin"
_NAME = "app.kubernetes.io/name"  # the label of our Pods, as the manifests have it
_MERGED_MAX = 1000  # lines read ahead, of all together
_NO_LIMIT = aiohttp.ClientTimeout(total=None)
_ERRORS_FROM = 400


@asynccontextmanager
async def rows(
    connection: Connection, component: str, path: str, params: Mapping[str, str]
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Each line of an answer as an object, as it comes; with `follow=true` it goes on.

    Of a component that runs several times, all are asked, and their lines come as they come.
    """
    async with AsyncExitStack() as stack:
        ask = _Ask(connection, component, path)
        answers = [
            _lines(component, await stack.enter_async_context(_answer(ask, door, params)))
            for door in await _doors(connection, component)
        ]
        if len(answers) == 1:
            yield answers[0]
            return
        async with asyncio.TaskGroup() as group:
            queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_MERGED_MAX)
            reading = [group.create_task(_pour(each, queue)) for each in answers]
            yield _drained(queue, len(answers))
            for task in reading:
                task.cancel()


async def answer(
    connection: Connection, component: str, path: str, params: Mapping[str, str]
) -> Any:
    """The whole answer as JSON; of a component that runs several times, of the one that knows."""
    ask = _Ask(connection, component, path)
    unknown: FailedError | None = None
    failed: ApiError | None = None
    for door in await _doors(connection, component):
        try:
            async with _answer(ask, door, params) as response:
                return _parsed(component, await response.read())
        except FailedError as error:
            unknown = error
        except ApiError as error:
            failed = error  # it stands by, or has just ended: another may know
    assert unknown is not None or failed is not None, "there is always a door"
    raise unknown or failed or AssertionError


@dataclass(frozen=True, slots=True)
class _Ask:
    connection: Connection
    component: str
    path: str


async def _doors(connection: Connection, component: str) -> list[str]:
    """Where the component is asked: at each of its Pods; where it has none, by its Service."""
    by_service = [f"services/{component}:{_PORT}"]
    selector = f"{_NAME}={component}"
    try:
        found = await connection.client.list(PODS, NAMESPACE, label_selector=selector)
    except ApiError:
        return by_service  # one may be allowed the one and not the other
    ports = [(pod["metadata"]["name"], _admin_port(pod)) for pod in found.items if _is_up(pod)]
    return [f"pods/{name}:{port}" for name, port in ports if port] or by_service


def _is_up(pod: Mapping[str, Any]) -> bool:
    is_leaving = bool(pod["metadata"].get("deletionTimestamp"))
    return (pod.get("status") or {}).get("phase") == "Running" and not is_leaving


def _admin_port(pod: Mapping[str, Any]) -> int | None:
    containers = (pod.get("spec") or {}).get("containers") or ()
    ports = [port for each in containers for port in each.get("ports") or ()]
    return next((port["containerPort"] for port in ports if port.get("name") == _PORT), None)


async def _lines(component: str, response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in split_lines(response.content.iter_any()):
        raw = _parsed(component, line)
        if raw is not None:
            yield raw


async def _pour(
    answers: AsyncIterator[dict[str, Any]], queue: "asyncio.Queue[dict[str, Any] | None]"
) -> None:
    try:
        async for raw in answers:
            await queue.put(raw)
    except aiohttp.ClientError:
        pass  # this one has ended; the others go on
    await queue.put(None)


async def _drained(
    queue: "asyncio.Queue[dict[str, Any] | None]", count: int
) -> AsyncIterator[dict[str, Any]]:
    while count:
        raw = await queue.get()
        if raw is None:
            count -= 1
        else:
            yield raw


@asynccontextmanager
async def _answer(
    ask: _Ask, door: str, params: Mapping[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    address = ask.connection.location.address
    url = f"{address.url.rstrip('/')}/api/v1/namespaces/{NAMESPACE}/{door}/proxy/{ask.path}"
    headers = {"Authorization": f"Bearer {address.token}"} if address.token else {}
    try:
        async with ask.connection.session.get(
            url, params=params, headers=headers, timeout=_NO_LIMIT
        ) as response:
            if response.status >= _ERRORS_FROM:
                raise from_status(_refusal(response.status, await response.read()))
            yield response
    except NotFoundError as error:
        raise FailedError(f"the {ask.component} does not tell: {error.message}") from error
    except aiohttp.ClientError as error:
        raise UnavailableError(f"the {ask.component}'s answer broke off: {error}") from error


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
