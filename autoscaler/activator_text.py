"""What Knative's activators tell Prometheus of the requests that they hold.

For: queued and concurrent requests by Revision, by the names since Knative 1.19 and before.
Must not know: how it is fetched, or what is decided from it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

Key = tuple[str, str]  # namespace, Revision
_QUEUED: Final = ("kn_revision_request_queued",)
_CONCURRENT: Final = ("kn_revision_request_concurrency", "activator_request_concurrency")
_NAMES: Final = (*_QUEUED, *_CONCURRENT)
_NAMESPACE: Final = ("k8s_namespace_name", "namespace_name")
_REVISION: Final = ("kn_revision_name", "revision_name")
_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? +(\S+)(?: +-?\d+)?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Of one Revision, at one activator."""

    queued: float = 0.0  # now
    concurrency: float = 0.0  # held or executing, over the last second


def read(text: str) -> dict[Key, Held]:
    """By Revision; ValueError when it is not a text for Prometheus at all."""
    if not any(map(_SAMPLE.fullmatch, _samples(text))):
        raise ValueError("no sample of any metric")
    found: dict[Key, Held] = {}
    for line in _samples(text):
        if not line.startswith(_NAMES):
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None or sample[1] not in _NAMES:
            continue
        labels = dict(_LABEL.findall(sample[2] or ""))
        key = (_first(labels, _NAMESPACE), _first(labels, _REVISION))
        value = float(sample[3])
        if not all(key) or not 0 <= value < float("inf"):
            continue
        held = found.get(key, Held())
        if sample[1] in _QUEUED:
            found[key] = Held(queued=held.queued + value, concurrency=held.concurrency)
        else:
            found[key] = Held(queued=held.queued, concurrency=held.concurrency + value)
    return found


def _samples(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if line and not line.startswith("#"))


def _first(labels: dict[str, str], names: tuple[str, ...]) -> str:
    return next((labels[name] for name in names if name in labels), "")
