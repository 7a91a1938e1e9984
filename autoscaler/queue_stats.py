"""What a queue-proxy of Knative counts, and one load from several of them.

For: Knative's message `Stat` (pkg/autoscaler/metrics/stat.proto), read with descriptors in a pool
     of their own; whom to ask of many, and what their answers come to (stats_scraper.go).
Must not know: sockets, clocks, what is decided from a load.
"""

import importlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from autoscaler.sampling import Measured, sample_size

descriptor_pb2: Any = importlib.import_module("google.protobuf.descriptor_pb2")
descriptor_pool: Any = importlib.import_module("google.protobuf.descriptor_pool")
message_factory: Any = importlib.import_module("google.protobuf.message_factory")
DecodeError: Any = importlib.import_module("google.protobuf.message").DecodeError

_Field: Any = descriptor_pb2.FieldDescriptorProto
_FIELDS: Final = (
    ("pod_name", _Field.TYPE_STRING),
    ("average_concurrent_requests", _Field.TYPE_DOUBLE),
    ("average_proxied_concurrent_requests", _Field.TYPE_DOUBLE),
    ("request_count", _Field.TYPE_DOUBLE),
    ("proxied_request_count", _Field.TYPE_DOUBLE),
    ("process_uptime", _Field.TYPE_DOUBLE),
    ("timestamp", _Field.TYPE_INT64),
)


def _made() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="stat.proto", package="metrics", syntax="proto3")
    message = file.message_type.add(name="Stat")
    for number, (name, kind) in enumerate(_FIELDS, start=1):
        message.field.add(name=name, number=number, type=kind, label=_Field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("metrics.Stat"))


Stat: Final = _made()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStat:
    """The last second of one replica. What came through an activator is part of both."""

    concurrency: float
    proxied_concurrency: float
    requests: float

    @classmethod
    def read(cls, body: bytes) -> "QueueStat":
        """From an answer; ValueError when it is none."""
        try:
            stat = Stat.FromString(body)
        except DecodeError as error:
            raise ValueError(f"not a Stat: {error}") from None
        found = cls(
            concurrency=stat.average_concurrent_requests,
            proxied_concurrency=stat.average_proxied_concurrent_requests,
            requests=stat.request_count,
        )
        numbers = (found.concurrency, found.proxied_concurrency, found.requests)
        # An empty message is one too, but nobody who counts leaves out its own name.
        if not stat.pod_name or not all(math.isfinite(each) and each >= 0 for each in numbers):
            raise ValueError("a Stat that says nothing")
        return found


def order(
    seen_s: Mapping[str, float], drawn: Mapping[str, float], *, window_s: float, now_s: float
) -> list[str]:
    """Whom to ask, in order: Pods known for a stable window first; by lot among each."""
    return sorted(seen_s, key=lambda name: (now_s - seen_s[name] < window_s, drawn[name]))


def total(
    answers: Collection[QueueStat], *, population: int, is_proxied_counted: bool
) -> Measured | None:
    """The load of all Pods; None: fewer answered than have to.

    `is_proxied_counted`: what came through activators is known from those.
    """
    size = sample_size(population)
    if not size or len(answers) < size:
        return None
    concurrency = sum(
        each.concurrency - (each.proxied_concurrency if is_proxied_counted else 0.0)
        for each in answers
    )
    share = population / len(answers)
    return Measured(
        concurrency=max(0.0, concurrency) * share,
        requests_per_s=sum(each.requests for each in answers) * share,
    )
