"""Both sides of a passage, as it sees them: the queue it is of, the replica it goes to.

For: ports between carrying requests (proxy), holding them and knowing replicas (endpoints).
Must not know: what stands on either side.
"""

from typing import Protocol, TypeVar

from activator.ledger import Ledger, Marks, Origin
from activator.loads import ReplicaLoads
from activator.patience import Bounds
from wire.h2pool import H2Pool
from wire.pool import Pool

P = TypeVar("P", contravariant=True)  # a passage


class Upstream(Protocol):
    """The replica, as its passages see it."""

    pool: Pool
    streams: H2Pool  # to the same address, for what is carried over HTTP/2
    running: int  # requests that occupy a slot there
    is_leaving: bool
    marks: Marks
    signature: bytes  # header lines for replicas that do not name their Revision themselves

    def drained(self) -> None:
        """The last request of a leaving replica is over."""

    def suspect(self) -> None:
        """It failed in a way that working replicas do not: send nothing until it is probed."""


class Keeper(Protocol[P]):
    """The queue a passage belongs to."""

    name: str  # of the revision
    timeout_s: float
    bounds: Bounds | None  # of an execution, if there are any beside the timeout
    origin: Origin
    ledger: Ledger
    loads: ReplicaLoads[Upstream] | None  # of replicas that are asked for theirs

    def now_s(self) -> float:
        """The loop's time."""
        ...

    def connect(self, passage: P) -> None:
        """Open a connection to its replica and call `connected` or `unreachable`."""

    def finished(self, passage: P, now_s: float) -> None:
        """The passage needs its slot no more."""

    def abandoned(self, passage: P) -> None:
        """The client left; the passage waits or runs no more."""

    def returned(self, passage: P) -> None:
        """Nothing was sent: choose again."""
