"""What a live revision's requests and replicas say of it: service times, starts, concurrency.

For: `relight simulate --from`: numbers with how many samples they are from, or a refusal.
Must not know: what is rehearsed with them, flags but by name.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from api import keys, kinds
from relight import asking, ended, spans
from relight.assumptions import Measured
from relight.connection import Connection, find
from relight.ended import Ended
from relight.errors import FailedError
from relight.replicas import at

_MS = 1000.0


async def measure(
    connection: Connection,
    namespace: str,
    name: str,
    *,
    needs_service: bool,
    needs_cold_start: bool,
) -> Measured:
    """Measure a Revision, or the latest ready one of a Service; FailedError without samples."""
    revision = await _revision(connection, namespace, name)
    named = revision["metadata"]["name"]
    requests = await _requests(connection, namespace, named)
    service_s = service_times(requests) if needs_service else ()
    if needs_service and not service_s:
        raise FailedError(
            f"--from {name}: the activator remembers no answered request of {named}: "
            "send it some, or say --service-time"
        )
    cold_s, cold_from = cold_starts(requests), "from zero"
    if cold_s:
        cold_from = f"{spans.counted(len(cold_s), 'start')} from zero of {named}"
    elif needs_cold_start:
        cold_s = start_timings(await _pods(connection, namespace, named))
        cold_from = f"fork and load, of {spans.counted(len(cold_s), 'replica')} of {named}"
        if not cold_s:
            raise FailedError(
                f"--from {name}: no start of {named} is remembered, and no replica reports one: "
                "let it go to zero and send it a request, or say --cold-start"
            )
    return Measured(
        revision=named,
        service_s=service_s,
        cold_starts_s=cold_s if needs_cold_start else (),
        cold_starts_from=cold_from,
        concurrency=int(at(revision, "spec", "containerConcurrency") or 0),
    )


def service_times(requests: Iterable[Ended]) -> tuple[float, ...]:
    """From forwarded until the last byte, of what was answered well."""
    return tuple(
        request.executing_s
        for request in requests
        if request.is_served and request.executing_s is not None
    )


def cold_starts(requests: Iterable[Ended]) -> tuple[float, ...]:
    """From the poke until a replica took the first request that the poke told of.

    One for each replica: its other requests of the same wake waited for a slot, too.
    """
    shortest: dict[str, float] = {}
    for request in requests:
        if request.is_cold and request.is_served and request.gathered_s is not None:
            start_s = request.held_s - request.gathered_s
            shortest[request.replica] = min(start_s, shortest.get(request.replica, start_s))
    return tuple(shortest.values())


def start_timings(pods: Iterable[dict[str, Any]]) -> tuple[float, ...]:
    """What replicas say of their own starts: at least so long took each."""
    found = []
    for pod in pods:
        text = at(pod, "metadata", "annotations", keys.START_TIMING)
        if text:
            told = orjson.loads(text)
            parts = [told[name] for name in ("fork_ms", "load_ms") if name in told]
            if parts:  # else it went on with a frozen replica
                found.append(sum(float(part) for part in parts) / _MS)
    return tuple(found)


async def _revision(connection: Connection, namespace: str, name: str) -> dict[str, Any]:
    service = await find(connection.client, kinds.SERVICES, namespace, name)
    wanted = name if service is None else at(service, "status", "latestReadyRevisionName")
    if not wanted:
        raise FailedError(f"--from {name}: the service has no ready revision")
    found = await find(connection.client, kinds.REVISIONS, namespace, wanted)
    if found is None:
        raise FailedError(f"--from {name}: no service and no revision is so named in {namespace}")
    return found


async def _requests(connection: Connection, namespace: str, revision: str) -> Sequence[Ended]:
    params = {"namespace": namespace, "revision": revision}
    async with asking.rows(connection, "activator", "requests", params) as rows:
        return [ended.parse(raw) async for raw in rows if "lost" not in raw]


async def _pods(connection: Connection, namespace: str, revision: str) -> list[dict[str, Any]]:
    selector = f"{keys.REVISION}={revision}"
    found = await connection.client.list(kinds.PODS, namespace, label_selector=selector)
    return list(found.items)
