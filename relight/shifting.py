"""A change of traffic as it was typed, and the split it comes to.

For: promotions, rollbacks, shares and tags, checked against the revisions there are.
Must not know: flags, or how a Service is read and written.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api import conditions, keys
from relight import splitting
from relight.errors import FailedError, UsageError
from relight.splitting import LATEST, Split

Raw = Mapping[str, Any]
_NOBODY = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What was typed. At most one of shares, promotion and rollback."""

    shares: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    untagged: Collection[str] = ()
    is_promotion: bool = False
    is_rollback: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing shall change."""
        return not (
            self.shares or self.tags or self.untagged or self.is_promotion or self.is_rollback
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The split to store, and what a person should know about it ("" for nothing)."""

    split: Split
    note: str = ""


def parse_shares(texts: Sequence[str]) -> dict[str, int]:
    """Read REVISION=PERCENT texts."""
    shares: dict[str, int] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value.isdecimal():
            raise UsageError(f"{text}: expected REVISION=PERCENT, a whole number")
        if name in shares:
            raise UsageError(f"{name} is given two shares")
        shares[name] = int(value)
    return shares


def parse_tags(texts: Sequence[str]) -> dict[str, str]:
    """Read TAG=REVISION texts."""
    tags: dict[str, str] = {}
    for text in texts:
        name, _, revision = text.partition("=")
        if not name or not revision:
            raise UsageError(f"--tag {text}: expected TAG=REVISION")
        if name in tags:
            raise UsageError(f"--tag: {name} is given to two revisions")
        tags[name] = revision
    return tags


def plan(shift: Shift, service: Raw, revisions: Sequence[Raw]) -> Plan:
    """The split that comes of it. UsageError and FailedError say why there is none."""
    status = service.get("status") or {}
    split = splitting.parse(service["spec"].get("traffic") or [{"percent": 100}])
    note = ""
    if shift.is_promotion:
        split = splitting.assign(split, {LATEST: 100})
        note = _promotion(status)
    elif shift.is_rollback:
        given_up, target = _rollback(service, revisions)
        split = splitting.assign(split, {target: 100})
        note = f"rolling back from {given_up} to {target}"
    elif shift.shares:
        split = splitting.assign(split, shift.shares)
    split = splitting.tag(split, shift.tags, shift.untagged)
    _check_names({*shift.shares, *shift.tags.values()}, service, revisions)
    return Plan(split=split, note=note)


def _promotion(status: Raw) -> str:
    created = status.get("latestCreatedRevisionName")
    ready = status.get("latestReadyRevisionName")
    if created == ready:
        return f"promoting {ready}"
    return f"{created} is not ready: until it is, all traffic goes to {ready or _NOBODY}"


def _rollback(service: Raw, revisions: Sequence[Raw]) -> tuple[str, str]:
    """What is given up and what takes its traffic."""
    shares = splitting.resolved((service.get("status") or {}).get("traffic") or ())
    by_age = [raw["metadata"]["name"] for raw in sorted(revisions, key=generation)]
    ready = [raw["metadata"]["name"] for raw in revisions if conditions.is_ready(raw)]
    target = splitting.rollback_target(shares, by_age, ready)
    if target is None:
        now = ", ".join(shares) or _NOBODY
        name = service["metadata"]["name"]
        raise FailedError(f"{name} has no earlier ready revision to go back to (serving: {now})")
    given_up = [name for name in shares if name != target]
    return ", ".join(given_up), target


def generation(revision: Raw) -> int:
    """The age of a Revision among those of its Configuration; greater is newer."""
    labels = revision["metadata"].get("labels") or {}
    return int(labels.get(keys.CONFIGURATION_GENERATION) or 0)


def _check_names(named: Collection[str], service: Raw, revisions: Sequence[Raw]) -> None:
    known = [raw["metadata"]["name"] for raw in sorted(revisions, key=generation)]
    for name in sorted(named):
        if name != LATEST and name not in known:
            raise UsageError(
                f"{service['metadata']['name']} has no revision {name} "
                f"(revisions: {', '.join(known) or 'none'})"
            )
