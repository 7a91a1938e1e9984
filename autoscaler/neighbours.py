"""Another system whose Revisions are decided for here, and which makes and serves them.

For: who decides, to know of it what differs from Revisions of our own (beside.py is Knative's).
Must not know: what such a system is made of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.loop import Known
from autoscaler.meters import Meter
from autoscaler.paths import Path
from autoscaler.scaler import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How things stand with it, and counts since the start."""

    can_wake: bool  # requests for Revisions at zero are told of
    activators: int  # that are asked for those
    answers: int
    failures: int  # no answers
    written: int  # objects of its own
    write_failures: int  # each was tried again


class Decider(Protocol):
    """Who decides."""

    def receive(self, stats: Sequence[Stat]) -> None:
        """Take in reports of load."""
        ...

    def known(self, key: Key) -> Known | None:
        """What is known of one Revision."""
        ...

    def path_changed(self, key: Key) -> None:
        """What is to be said of a Revision's way may have changed."""
        ...

    def woken(self) -> None:
        """Whether Revisions can be woken from zero has changed."""
        ...


class Neighbour(Protocol):
    """The other system."""

    @property
    def path(self) -> Path:
        """The way of callers to a Revision."""
        ...

    @property
    def meter(self) -> Meter:
        """How replicas are asked for their load."""
        ...

    async def run(self) -> None:
        """Watch, ask and write until cancelled."""
        ...

    async def ready(self) -> None:
        """Wait until what is there is known."""
        ...

    def settings(self, settings: Settings) -> Settings:
        """The same for who decides beside it, as things stand."""
        ...

    def statistics(self) -> Statistics:
        """How things stand."""
        ...


Meet = Callable[[Decider], Neighbour]
