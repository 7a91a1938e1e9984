"""Numbers for Prometheus, taken when somebody asks.

For: `GET /metrics` of a component: its own statistics, and those of its process.
Must not know: which component it is, or how a number comes about.

Nothing is counted here: components count what they do anyhow, and a source turns that into
families of samples on the event loop; the text is made beside it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from typing_extensions import override

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "relight_"
Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """A distribution: how many were at most each bound, and how much all were together."""

    bounds: Sequence[float]
    counts: Sequence[int]  # of each bound alone, and of what is above the last
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with its samples, each by the values of its labels."""

    name: str  # without the prefix; a counter's ends in _total by itself
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[tuple[Labels, Any]]  # a number each, or Buckets
    labels: Labels = ()


Source = Callable[[], Iterable[Family]]


def counter(name: str, help_: str, value: float) -> Family:
    """One number that only grows."""
    return Family(name=name, kind="counter", help=help_, samples=[((), value)])


def gauge(name: str, help_: str, value: float) -> Family:
    """One number of now."""
    return Family(name=name, kind="gauge", help=help_, samples=[((), value)])


def table(
    kind: Literal["counter", "gauge", "histogram"],
    names: Sequence[tuple[str, str]],
    labels: Labels,
    rows: Iterable[tuple[Labels, Sequence[Any]]],
) -> Iterable[Family]:
    """Several metrics with the same labels: `names` says what stands in each column of a row."""
    kept = list(rows)
    for column, (name, help_) in enumerate(names):
        samples = [(key, values[column]) for key, values in kept]
        yield Family(name=name, kind=kind, help=help_, samples=samples, labels=labels)


class Exposition:
    """All sources of a process."""

    def __init__(self, *sources: Source) -> None:
        self._sources = list(sources)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def add(self, source: Source) -> None:
        """One more."""
        self._sources.append(source)

    def collect(self) -> list[Metric]:
        """The samples of now."""
        return [_metric(family) for source in self._sources for family in source()]

    def text(self, collected: Sequence[Metric]) -> bytes:
        """What Prometheus reads. It takes milliseconds where there are thousands of samples."""
        return generate_latest(_Collected(collected)) + generate_latest(self._process)


@dataclass(frozen=True, slots=True)
class _Collected(CollectorRegistry):
    metrics: Sequence[Metric]

    @override
    def collect(self) -> Iterable[Metric]:
        return self.metrics


def _metric(family: Family) -> Metric:
    name = _PREFIX + family.name
    if family.kind == "histogram":
        made = HistogramMetricFamily(name, family.help, labels=family.labels)
        for labels, buckets in family.samples:
            made.add_metric(labels, *_cumulative(buckets))
        return made
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    single = kind(name, family.help, labels=family.labels)
    for labels, value in family.samples:
        single.add_metric(labels, value)
    return single


def _cumulative(buckets: Buckets) -> tuple[list[tuple[str, float]], float]:
    found, seen = [], 0
    for bound, count in zip((*buckets.bounds, float("inf")), buckets.counts, strict=True):
        seen += count
        found.append(("+Inf" if bound == float("inf") else f"{bound:g}", float(seen)))
    return found, buckets.total
