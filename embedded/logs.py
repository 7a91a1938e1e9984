"""What a request for a Pod's log may ask for.

For: `kubectl logs`, with every option it cannot have refused by name.
Must not know: HTTP streams, or where logs are kept.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from api import kinds
from cluster.errors import BadRequestError, UnavailableError
from embedded.apiserver import ApiServer

RESOURCE: Final = kinds.PODS
_UNSUPPORTED: Final = ("sinceSeconds", "sinceTime", "timestamps")
_KNOWN: Final = frozenset(
    {
        "container",
        "follow",
        "insecureSkipTLSVerifyBackend",
        "limitBytes",
        "previous",
        "stream",
        "tailLines",
        *_UNSUPPORTED,
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


def query_of(raw: Mapping[str, str]) -> LogQuery:
    """Read query parameters; BadRequestError names what is wrong or not supported."""
    for name in raw:
        if name not in _KNOWN:
            raise BadRequestError(f"{name}: no such parameter of a log")
    for name in _UNSUPPORTED:
        if raw.get(name, "false") not in ("", "false"):
            raise BadRequestError(
                f"{name}: not supported here, the lines of a log carry no time of their own"
            )
    if raw.get("stream", "All") != "All":
        raise BadRequestError("stream: not supported here, both streams are kept as one")
    return LogQuery(
        container=raw.get("container", ""),
        follow=_truth(raw, "follow"),
        previous=_truth(raw, "previous"),
        tail_lines=_count(raw, "tailLines"),
        bytes_max=_count(raw, "limitBytes"),
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
        follow=query.follow,
        tail_lines=query.tail_lines,
        previous=query.previous,
        **({"container": query.container} if len(containers) + len(first) > 1 else {}),
    )


def _truth(raw: Mapping[str, str], name: str) -> bool:
    text = raw.get(name, "false")
    if text not in ("true", "false", "1", "0", ""):
        raise BadRequestError(f"{name}: must be true or false, not {text[:40]!r}")
    return text in ("true", "1")


def _count(raw: Mapping[str, str], name: str) -> int | None:
    text = raw.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequestError(f"{name}: must be a whole number, not {text[:40]!r}")
    return int(text)
