"""Every refusal of the activator and its answer, in HTTP and in gRPC: one table.

For: answers a caller can act on, the same words everywhere, and nothing internal in them.
Must not know: sockets, exchanges, how a request came to be refused.
"""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from activator.throttler import Refusal
from wire import grpc

_HOSTS_MAX = 50
_HOSTS_TOLD_MAX = 10  # in a sentence
_RETRY_AFTER_S = (1, 60)
_RETRY_AFTER_UNKNOWN_S = 5


class Fault(enum.Enum):
    """Refusals that are not the throttler's."""

    UNKNOWN_HOST = "UnknownHost"
    UNKNOWN_MODEL = "UnknownModel"
    ROUTE_NOT_READY = "RouteNotReady"
    BAD_TIMEOUT = "BadTimeout"
    BAD_CALL_TIMEOUT = "BadCallTimeout"
    BAD_CALL = "BadCall"
    UNKNOWN_METHOD = "UnknownMethod"
    REPLICA_DIED = "ReplicaDied"
    EXECUTION_TIMEOUT = "ExecutionTimeout"
    START_TIMEOUT = "ResponseStartTimeout"
    IDLE_TIMEOUT = "IdleTimeout"
    LOCAL_ONLY = "LocalOnly"


# kind → (status, sentence). `{detail}` is replaced by what the caller of `answer` adds.
_TABLE: dict[Refusal | Fault, tuple[int, str]] = {
    Fault.BAD_TIMEOUT: (400, "the Relight-Timeout header must be {detail}"),
    Fault.BAD_CALL_TIMEOUT: (400, "the grpc-timeout header must be digits and a unit of HMSmun"),
    Fault.BAD_CALL: (400, "the name of the model can not be read from this call: {detail}"),
    Fault.LOCAL_ONLY: (403, "this is served to callers on this machine only"),
    Fault.UNKNOWN_HOST: (404, "no route has this host"),
    Fault.UNKNOWN_MODEL: (404, "no model is served under this path; or name a route by its host"),
    Fault.UNKNOWN_METHOD: (501, "no such method is served here; name a route by its host"),
    Refusal.QUEUE_FULL: (429, "too many requests wait for a replica already"),
    Refusal.QUEUE_BYTES: (429, "the requests that wait for a replica are too large already"),
    Fault.REPLICA_DIED: (502, "the replica ended while it served this request: {detail}"),
    Refusal.REVISION_FAILED: (503, "the revision cannot serve: {detail}"),
    Refusal.REVISION_GONE: (503, "the revision was deleted, or never came to be"),
    Refusal.SHUTTING_DOWN: (503, "the platform is being stopped"),
    Fault.ROUTE_NOT_READY: (503, "the route does not send traffic anywhere yet"),
    Refusal.DEADLINE: (504, "no replica had room for this request before its deadline{detail}"),
    Fault.EXECUTION_TIMEOUT: (504, "the replica did not answer before the deadline"),
    Fault.START_TIMEOUT: (504, "the replica did not begin to answer in time"),
    Fault.IDLE_TIMEOUT: (504, "no byte came from the replica or the client for too long"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to send: `headers` are whole lines."""

    status: int
    headers: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a refusal says of its request. `hosts` are told to callers on this machine only."""

    revision: str = ""
    request_id: bytes = b""
    detail: str = ""
    retry_after_s: int | None = None
    hosts: Sequence[str] = field(default_factory=tuple)


def answer(why: Refusal | Fault, about: About) -> Answer:
    """The HTTP answer of a refusal."""
    status, sentence = _TABLE[why]
    content: dict[str, object] = {
        "error": sentence.replace("{detail}", about.detail),
        "reason": why.value,
        "revision": about.revision,
        "requestId": about.request_id.decode("latin-1"),
    }
    if about.hosts:
        content["hosts"] = list(about.hosts[:_HOSTS_MAX])
    headers = b"content-type: application/json\r\n"
    if about.request_id:
        headers += b"x-request-id: %b\r\n" % about.request_id
    if about.retry_after_s is not None:
        headers += b"retry-after: %d\r\n" % about.retry_after_s
    return Answer(status=status, headers=headers, body=orjson.dumps(content))


def call_head(why: Refusal | Fault, about: About) -> bytes:
    """The same for a gRPC call: the head of an answer of nothing else."""
    lines = grpc.CONTENT_TYPE + call_trailers(why, about)
    if about.request_id:
        lines += b"x-request-id: %b\r\n" % about.request_id
    return lines


def call_trailers(why: Refusal | Fault, about: About) -> bytes:
    """How a gRPC call ends that is refused, or cut."""
    status, said = _TABLE[why]
    text = said.replace("{detail}", about.detail)
    if about.hosts:
        text += f": {', '.join(about.hosts[:_HOSTS_TOLD_MAX])}"
    lines = grpc.status_lines(grpc.code_of(status), text)
    if about.retry_after_s is not None:
        lines += b"grpc-retry-pushback-ms: %d\r\n" % (about.retry_after_s * 1000)
    return lines


def sentence(reason: str) -> str:
    """What a refusal says, without its detail; "" for a reason that is none of ours."""
    for why, (_, said) in _TABLE.items():
        if why.value == reason:
            return said.replace(": {detail}", "").replace(" {detail}", "").replace("{detail}", "")
    return ""


def status_of(why: Refusal | Fault) -> int:
    """The status of a refusal."""
    return _TABLE[why][0]


def retry_after_s(*, queued: int, finished_per_s: float) -> int:
    """When the queue of now will have drained: 300 held, 20 a second → 15 s. Within 1 to 60 s."""
    if finished_per_s <= 0:
        return _RETRY_AFTER_UNKNOWN_S
    least_s, most_s = _RETRY_AFTER_S
    return max(least_s, min(most_s, math.ceil(queued / finished_per_s)))
