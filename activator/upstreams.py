"""A replica, as whoever sends requests to it sees it.

For: a port between carrying requests (proxy, holding) and knowing replicas (endpoints).
Must not know: either side.
"""

from typing import Protocol

from activator.ledger import Marks
from wire.pool import Pool


class Upstream(Protocol):
    """The replica, as its passages see it."""

    pool: Pool
    running: int  # requests that occupy a slot there
    is_leaving: bool
    marks: Marks
    signature: bytes  # header lines for replicas that do not name their Revision themselves

    def drained(self) -> None:
        """The last request of a leaving replica is over."""

    def suspect(self) -> None:
        """It failed in a way that working replicas do not: send nothing until it is probed."""
