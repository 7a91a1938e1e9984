"""Whether to lead, from what a Lease says and when that was seen here: as client-go decides it.

For: one leader at a time among several candidates, whatever their clocks say.
Must not know: requests, tasks, which clock it is told of.

Only spans of one machine's own clock are compared. Who follows waits until a Lease has not
changed for its whole duration, counted from when the last change was seen. Who leads stops when
its last renewal that worked was *sent* longer ago than the renewal deadline. A change is seen
after it was sent, and the deadline is the shorter of the two: so the one has stopped before
another begins. Writes state the version they were decided from, so of two at once one fails.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from api import keys
from api.kinds import LEASES

_NEVER_S: Final = float("-inf")
_JITTER: Final = 0.2  # of the time between two tries
_RELEASED_S: Final = 1  # a Lease that nobody holds says so, as client-go's


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long things take. ValueError names what can not work."""

    lease_s: float = 8.0  # others wait so long after the last sign of life
    renew_s: float = 5.0  # who could not renew for so long leads no more
    retry_s: float = 1.0  # between two renewals, or two looks

    @property
    def answer_s(self) -> float:
        """How long one answer is waited for: several tries fit into the deadline."""
        return 0.4 * self.renew_s

    def __post_init__(self) -> None:
        if not 0 < 2 * self.retry_s <= self.renew_s:
            raise ValueError("renew_s: must be at least twice retry_s")
        if not self.renew_s + self.retry_s <= self.lease_s:
            raise ValueError("lease_s: must be at least renew_s and retry_s together")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is contended for, and by whom."""

    name: str  # of the Lease
    namespace: str
    identity: str
    address: str = ""  # IP:PORT at which others reach the holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a Lease says of who holds it. `version` tells one state of it from another."""

    version: str
    holder: str = ""
    duration_s: float = 0.0
    transitions: int = 0
    acquired: str = ""
    address: str = ""


NOBODY: Final = Holding(version="")


class Candidacy:
    """One candidate. `now_s` is this machine's own monotonic clock throughout."""

    def __init__(self, identity: str, terms: Terms, *, rng: random.Random) -> None:
        self.identity = identity
        self._terms = terms
        self._rng = rng
        self._seen = NOBODY
        self._changed_s = _NEVER_S  # when `_seen` became what it is, here
        self._is_known = False
        self._until_s = _NEVER_S  # of leading
        self._due_s = _NEVER_S

    @property
    def seen(self) -> Holding:
        """The Lease as last seen."""
        return self._seen

    def leads(self, *, now_s: float) -> bool:
        """Whether to go on working as the leader."""
        return now_s < self._until_s

    @property
    def until_s(self) -> float:
        """When leading ends, unless a renewal works before."""
        return self._until_s

    @property
    def due_s(self) -> float:
        """When to look, or to renew, next."""
        return self._due_s

    def observe(self, seen: Holding, *, now_s: float) -> None:
        """Take in what is stored; NOBODY: there is no such Lease."""
        if not self._is_known or seen.version != self._seen.version:
            self._seen = seen
            self._changed_s = now_s
        self._is_known = True
        if seen.holder != self.identity:
            self._until_s = _NEVER_S  # somebody else was let in, so we are out
        self._due_s = now_s + self._pause_s()

    def may_write(self, *, now_s: float) -> bool:
        """Whether to write oneself into the Lease as it was seen last."""
        if not self._is_known:
            return False
        if self._seen.holder in {"", self.identity}:
            return True  # nobody's, ours, or that of the process of this Pod that ended before
        duration_s = self._seen.duration_s or self._terms.lease_s
        return now_s >= self._changed_s + duration_s

    def wrote(self, seen: Holding, *, sent_s: float, now_s: float) -> None:
        """A write worked: lead, counted from when it was sent."""
        self._seen = seen
        self._changed_s = now_s
        self._is_known = True
        self._until_s = sent_s + self._terms.renew_s
        self._due_s = sent_s + self._pause_s()

    def failed(self, *, now_s: float) -> None:
        """A look or a write came to nothing; try again. Nothing is known of the Lease until then.

        A write may have worked although nobody said so: then the next look shows our own name.
        """
        self._due_s = now_s + self._pause_s()

    def resign(self) -> None:
        """Lead no more, and try no more."""
        self._until_s = _NEVER_S

    def _pause_s(self) -> float:
        return self._terms.retry_s * (1.0 - _JITTER * self._rng.random())


def read(lease: Mapping[str, Any]) -> Holding:
    """What a stored Lease says."""
    metadata, spec = lease["metadata"], lease.get("spec") or {}
    return Holding(
        version=f"{metadata.get('uid', '')} {metadata.get('resourceVersion', '')}",
        holder=str(spec.get("holderIdentity") or ""),
        duration_s=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        acquired=str(spec.get("acquireTime") or ""),
        address=str((metadata.get("annotations") or {}).get(keys.ADDRESS) or ""),
    )


def claimed(
    stored: Mapping[str, Any] | None, post: Post, *, lease_s: float, epoch_s: float
) -> dict[str, Any]:
    """The Lease that says who holds it. Its times are for people: nobody of ours reads them."""
    before = NOBODY if stored is None else read(stored)
    now = microtime(epoch_s)
    is_renewal = before.holder == post.identity
    metadata = dict(
        (stored or {}).get("metadata") or {"name": post.name, "namespace": post.namespace}
    )
    metadata["annotations"] = {**(metadata.get("annotations") or {}), keys.ADDRESS: post.address}
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": metadata,
        "spec": {
            "holderIdentity": post.identity,
            "leaseDurationSeconds": math.ceil(lease_s),  # no shorter: others wait for it
            "acquireTime": before.acquired if is_renewal and before.acquired else now,
            "renewTime": now,
            "leaseTransitions": before.transitions + (0 if is_renewal or not stored else 1),
        },
    }


def released(stored: Mapping[str, Any], *, epoch_s: float) -> dict[str, Any]:
    """The Lease that says that nobody holds it."""
    metadata = dict(stored["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), keys.ADDRESS: ""}
    now = microtime(epoch_s)
    spec = {
        **(stored.get("spec") or {}),
        "holderIdentity": "",
        "leaseDurationSeconds": _RELEASED_S,
        "acquireTime": now,
        "renewTime": now,
    }
    return {**stored, "metadata": metadata, "spec": spec}


def microtime(epoch_s: float) -> str:
    """Kubernetes' MicroTime."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
