"""What the activator knows and does, as numbers.

For: the debug page, metrics and tests.
Must not know: how any number comes about.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionStatistics:
    """One Revision with its replicas, now."""

    queued: int
    queued_bytes: int
    executing: int
    ready_replicas: int
    pods: int
    unreadable_loads: int = 0  # reports of its replicas' load that were none


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStatistics:
    """What became of payload events since the start, and what waits now."""

    sent: int = 0
    failed: int = 0  # the sink did not take them
    dropped: int = 0  # too many, or too large together, waited
    truncated: int = 0  # told with the beginning of their body only
    waiting: int = 0
    waiting_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What the activator knows and does, now. `revisions` is by "namespace/name"."""

    connections: int
    requests: int  # since the start
    expected: int  # requests that wait for a Revision of which only a Route has told
    events: EventStatistics = field(default_factory=EventStatistics)
    revisions: dict[str, RevisionStatistics]
