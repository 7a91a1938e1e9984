"""The two events that tell a sink of one request: CloudEvents, in KServe's words and some more.

For: building the events.
Must not know: sockets, queues, clocks, when an event is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import orjson

from api.payload_logs import Logging

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"
# CloudEvents' HTTP binding: what stands for itself in a header. The rest is percent-encoded.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose requests these are."""

    namespace: str
    revision: str
    inference_service: str
    component: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One CloudEvent in binary mode: what to post, and where."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a request, beside the body. `headers` are by lower-case name."""

    time_s: float  # wall time
    status: int
    latency_s: float  # from sending the request to the last byte of its answer
    headers: Mapping[bytes, bytes]
    is_whole: bool


class Capture:
    """The beginning of a body, up to a limit."""

    __slots__ = ("_bytes_max", "_pieces", "_room", "size")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._room = bytes_max
        self._pieces: list[bytes] = []
        self.size = 0  # of the whole body

    @property
    def is_truncated(self) -> bool:
        """Some of the body was left out."""
        return self.size > self._bytes_max

    def add(self, data: bytes) -> None:
        """Take one more piece. A piece that is cut is copied, any other is shared."""
        self.size += len(data)
        if self._room and data:
            self._pieces.append(data if len(data) <= self._room else data[: self._room])
            self._room = max(0, self._room - len(data))

    def body(self) -> bytes:
        """What was kept."""
        return b"".join(self._pieces)


def request_event(
    logging: Logging,
    identity: Identity,
    *,
    event_id: bytes,
    time_s: float,
    headers: Mapping[bytes, bytes],
    body: Capture,
) -> Event:
    """What was asked. `headers` are the request's, by lower-case name; `time_s` is wall time."""
    attributes = _attributes(logging, identity, REQUEST, event_id, time_s, headers)
    return _event(logging, attributes, headers.get(b"content-type"), body)


def response_event(
    logging: Logging,
    identity: Identity,
    *,
    event_id: bytes,
    headers: Mapping[bytes, bytes],
    answered: Answered,
    body: Capture,
) -> Event:
    """What was answered, whatever the status. `headers` are the request's."""
    attributes = _attributes(logging, identity, RESPONSE, event_id, answered.time_s, headers)
    attributes["statuscode"] = str(answered.status)
    attributes["latencyms"] = f"{answered.latency_s * 1000:.1f}"
    digest = answered.headers.get(b"relight-model-digest")
    if digest:
        attributes["modeldigest"] = digest.decode("latin-1")
    if not answered.is_whole:
        attributes["incomplete"] = "true"
    return _event(logging, attributes, answered.headers.get(b"content-type"), body)


def _attributes(
    logging: Logging,
    identity: Identity,
    kind: str,
    event_id: bytes,
    time_s: float,
    headers: Mapping[bytes, bytes],
) -> dict[str, str]:
    time = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    said = {
        name: [headers[name.lower().encode()].decode("latin-1")]
        for name in logging.metadata_headers
        if name.lower().encode() in headers
    }
    return {
        "specversion": "1.0",
        "type": kind,
        "id": event_id.decode("latin-1"),
        "source": f"/namespaces/{identity.namespace}/revisions/{identity.revision}",
        "time": time.replace("+00:00", "Z"),
        "inferenceservicename": identity.inference_service,
        "namespace": identity.namespace,
        "component": identity.component,
        "endpoint": "default",
        "revisionname": identity.revision,
        "metadata": orjson.dumps(said).decode(),
    }


def _event(
    logging: Logging, attributes: dict[str, str], content_type: bytes | None, body: Capture
) -> Event:
    if body.is_truncated:
        attributes["truncated"] = "true"
        attributes["bodybytes"] = str(body.size)
    headers = {f"ce-{name}": quote(value, safe=_PLAIN) for name, value in attributes.items()}
    kind = content_type.decode("latin-1") if content_type else "application/octet-stream"
    headers["content-type"] = kind
    return Event(url=logging.url, headers=headers, body=body.body())
