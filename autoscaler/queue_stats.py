"""What a queue-proxy of Knative counts, and one load from several of them.

For: Knative's message `Stat` (pkg/autoscaler/metrics/stat.proto), of which four fields are read
     without a library, as the component's image has none for it; whom to ask of many, and what
     their answers come to (stats_scraper.go).
Must not know: sockets, clocks, what is decided from a load.
"""

import math
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from autoscaler.sampling import Measured, sample_size

# Numbers of the fields of a Stat.
_POD_NAME: Final = 1
_CONCURRENCY: Final = 2
_PROXIED_CONCURRENCY: Final = 3
_REQUESTS: Final = 4
_DOUBLE: Final = struct.Struct("<d")
_VARINT_BYTES_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStat:
    """The last second of one replica. What came through an activator is part of both."""

    concurrency: float
    proxied_concurrency: float
    requests: float

    @classmethod
    def read(cls, body: bytes) -> "QueueStat":
        """From an answer; ValueError when it is none."""
        fields = _fields(body)
        numbers = [
            fields.get(each, 0.0) for each in (_CONCURRENCY, _PROXIED_CONCURRENCY, _REQUESTS)
        ]
        # An empty message is one too, but nobody who counts leaves out its own name.
        if not fields.get(_POD_NAME) or not all(0 <= each < math.inf for each in numbers):
            raise ValueError("a Stat that says nothing")
        concurrency, proxied_concurrency, requests = numbers
        return cls(
            concurrency=concurrency, proxied_concurrency=proxied_concurrency, requests=requests
        )


def _fields(body: bytes) -> dict[int, float]:
    """Numbers of a message of protobuf, and lengths of texts; the last of each field counts."""
    found: dict[int, float] = {}
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        number, kind = tag >> 3, tag & 7
        value = 0.0
        if kind == 0:
            value, at = _varint(body, at)
        elif kind == 1 and at + 8 <= len(body):
            [value] = _DOUBLE.unpack_from(body, at)
            at += 8
        elif kind == 2:
            length, at = _varint(body, at)
            value, at = length, at + length
        elif kind == 5:
            at += 4
        else:
            raise ValueError(f"not a Stat: field {number} of kind {kind}")
        if at > len(body) or not number:
            raise ValueError("not a Stat: it ends in the middle")
        found[number] = value
    return found


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """The number, and where it ends."""
    value = 0
    for index, byte in enumerate(body[at : at + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("not a Stat: a number without an end")


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
