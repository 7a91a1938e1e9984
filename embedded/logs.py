"""What a request for a Pod's log may ask for.

For: `kubectl logs`, with every option it cannot have refused by name.
Must not know: HTTP streams, or where logs are kept.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api import kinds
from cluster.errors import BadRequestError, UnavailableError
from embedded.apiserver import ApiServer
from embedded.podlog import Wanted
from embedded.requests import truth

RESOURCE: Final = kinds.PODS
_KNOWN: Final = frozenset(
    {
        "container",
        "follow",
        "insecureSkipTLSVerifyBackend",
        "limitBytes",
        "previous",
        "stream",
        "tailLines",
        "sinceSeconds",
        "sinceTime",
        "timestamps",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """What part of a log is wanted."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None
    bytes_max: int | None = None
    timestamps: bool = False
    since_seconds: int | None = None
    since_s: float | None = None  # seconds since the epoch


def query_of(raw: Mapping[str, str]) -> LogQuery:
    """Read query parameters; BadRequestError names what is wrong or not supported."""
    for name in raw:
        if name not in _KNOWN:
            raise BadRequestError(f"{name}: no such parameter of a log")
    if "sinceSeconds" in raw and "sinceTime" in raw:
        raise BadRequestError("at most one of sinceTime or sinceSeconds may be specified")
    if raw.get("stream", "All") != "All":
        raise BadRequestError("stream: not supported here, both streams are kept as one")
    return LogQuery(
        container=raw.get("container", ""),
        follow=truth(raw, "follow"),
        previous=truth(raw, "previous"),
        tail_lines=_count(raw, "tailLines"),
        bytes_max=_count(raw, "limitBytes"),
        timestamps=truth(raw, "timestamps"),
        since_seconds=_count(raw, "sinceSeconds"),
        since_s=_moment(raw, "sinceTime"),
    )


def opened(
    server: ApiServer, namespace: str | None, name: str, query: LogQuery
) -> AsyncIterator[bytes]:
    """The pieces of a Pod's log; NotFoundError, BadRequestError, UnavailableError."""
    pod = server.get(RESOURCE, namespace, name)
    containers = [each.get("name") for each in pod["spec"].get("containers") or ()]
    first = [each.get("name") for each in pod["spec"].get("initContainers") or ()]
    if query.container and query.container not in (*containers, *first):
        raise BadRequestError(f"container {query.container} is not valid for pod {name}")
    if not query.container and len(containers) > 1:
        raise BadRequestError(
            f"a container name must be specified for pod {name}, choose one of: {containers}"
        )
    if server.logs_port is None:
        raise UnavailableError("no kubelet runs here, so there are no logs")
    return server.logs_port(
        pod["metadata"]["namespace"],
        name,
        wanted=Wanted(
            previous=query.previous,
            tail_lines=query.tail_lines,
            timestamps=query.timestamps,
            since_s=query.since_s
            if query.since_seconds is None
            else server.now_s() - query.since_seconds,
        ),
        follow=query.follow,
        **({"container": query.container} if len(containers) + len(first) > 1 else {}),
    )


def _moment(raw: Mapping[str, str], name: str) -> float | None:
    text = raw.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequestError(f"{name}: must be a time of RFC 3339, not {text[:40]!r}")
    return moment.timestamp()


def _count(raw: Mapping[str, str], name: str) -> int | None:
    text = raw.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequestError(f"{name}: must be a whole number, not {text[:40]!r}")
    return int(text)
