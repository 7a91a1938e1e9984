"""One request that is over, as the activator tells of it.

For: reading the ledger's rows in one place, for what is recorded and what is measured.
Must not know: how rows travel, or what they are used for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relight.errors import FailedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Times are seconds. None: it never came to a replica, or no poke told of it."""

    serial: int  # counts all requests of the activator, in the order in which they ended
    time_s: float  # of arrival, since the epoch
    service: str  # "" where no Service is behind the Revision
    revision: str
    held_s: float  # from arrival until forwarded, or until it ended
    executing_s: float | None  # from forwarded until the last byte
    status: int
    grpc_status: str  # the name of why a call failed, whose status is 200 all the same; "": not so
    replica: str
    is_cold: bool  # no replica was ready when it came
    gathered_s: float | None  # from arrival until the first poke of its wake

    @property
    def is_served(self) -> bool:
        """A replica answered, and well."""
        is_well = 200 <= self.status < 300 and not self.grpc_status
        return self.executing_s is not None and is_well


def parse(raw: Mapping[str, Any]) -> Ended:
    """Read a row; FailedError where the activator speaks another language."""
    executing_s, gathered_s = raw.get("executing_s"), raw.get("gathered_s")
    try:
        return Ended(
            serial=int(raw["serial"]),
            time_s=float(raw["time"]),
            service=str(raw.get("service") or ""),
            revision=str(raw.get("revision") or ""),
            held_s=float(raw["held_s"]),
            executing_s=None if executing_s is None else float(executing_s),
            status=int(raw["status"]),
            grpc_status=str(raw.get("grpc_status") or ""),
            replica=str(raw.get("replica") or ""),
            is_cold=bool(raw.get("cold")),
            gathered_s=None if gathered_s is None else float(gathered_s),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FailedError(f"the activator told of a request in no known way: {raw!r}") from error
