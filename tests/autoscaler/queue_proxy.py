"""What a queue-proxy of Knative answers on its port for statistics."""

from typing import Any

from aiohttp import web
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field: Any = descriptor_pb2.FieldDescriptorProto
_FIELDS = (
    ("pod_name", _Field.TYPE_STRING),
    ("average_concurrent_requests", _Field.TYPE_DOUBLE),
    ("average_proxied_concurrent_requests", _Field.TYPE_DOUBLE),
    ("request_count", _Field.TYPE_DOUBLE),
    ("proxied_request_count", _Field.TYPE_DOUBLE),
    ("process_uptime", _Field.TYPE_DOUBLE),
    ("timestamp", _Field.TYPE_INT64),
)


def _made() -> Any:
    """Knative's message, by another hand than the one that reads it."""
    file = descriptor_pb2.FileDescriptorProto(name="stat.proto", package="metrics", syntax="proto3")
    message = file.message_type.add(name="Stat")
    for number, (name, kind) in enumerate(_FIELDS, start=1):
        message.field.add(name=name, number=number, type=kind, label=_Field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("metrics.Stat"))


Stat = _made()


class QueueProxy:
    """One replica's; its numbers may be changed at any time."""

    def __init__(self, name: str = "p", concurrency: float = 0.0, proxied: float = 0.0) -> None:
        self.name = name
        self.concurrency, self.proxied = concurrency, proxied
        self.requests = 0.0
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None

    async def metrics(self, request: web.Request) -> web.Response:
        """`GET /metrics`."""
        assert request.path == "/metrics"
        assert request.headers["Accept"] == "application/protobuf"
        self.asked += 1
        return web.Response(
            status=self.status, body=self.stat() if self.body is None else self.body
        )

    def stat(self) -> bytes:
        stat = Stat(
            pod_name=self.name,
            average_concurrent_requests=self.concurrency,
            average_proxied_concurrent_requests=self.proxied,
            request_count=self.requests,
            process_uptime=12.5,
            timestamp=1_712_345_678,
        )
        return bytes(stat.SerializeToString())
