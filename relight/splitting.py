"""Who gets which share of a Service's traffic: read, changed, written back.

For: the arithmetic of `relight traffic` and of `relight deploy --canary`.
Must not know: how a Service is fetched or when its Route has followed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relight.errors import UsageError

Raw = Mapping[str, Any]
LATEST = "@latest"  # as in kn: whichever revision was ready last
_WHOLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Percent by revision name, and revision name by tag; `@latest` is a revision name."""

    shares: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def parse(traffic: Sequence[Raw]) -> Split:
    """Read `spec.traffic` or `status.traffic`."""
    shares: dict[str, int] = {}
    tags: dict[str, str] = {}
    for target in traffic:
        name = target_name(target)
        percent = int(target.get("percent") or 0)
        if percent:
            shares[name] = shares.get(name, 0) + percent
        if target.get("tag"):
            tags[target["tag"]] = name
    return Split(shares=shares, tags=tags)


def target_name(target: Raw) -> str:
    """The revision a target names, `@latest` where it follows the newest."""
    is_latest = target.get("latestRevision") or not target.get("revisionName")
    return LATEST if is_latest else str(target["revisionName"])


def to_traffic(split: Split) -> list[dict[str, Any]]:
    """Write `spec.traffic`: one target a share, then one for each tag that has none."""
    untold = dict(split.tags)
    targets = []
    for name, percent in split.shares.items():
        target = _target(name, percent)
        tag = next((tag for tag, tagged in untold.items() if tagged == name), None)
        if tag is not None:
            target["tag"] = tag
            del untold[tag]
        targets.append(target)
    return targets + [{**_target(name, 0), "tag": tag} for tag, name in untold.items()]


def _target(name: str, percent: int) -> dict[str, Any]:
    if name == LATEST:
        return {"latestRevision": True, "percent": percent}
    return {"latestRevision": False, "revisionName": name, "percent": percent}


def assign(split: Split, shares: Mapping[str, int]) -> Split:
    """Give exactly these shares; who is not named gets nothing. They must sum to 100."""
    for name, percent in shares.items():
        if not 0 <= percent <= _WHOLE:
            raise UsageError(f"{name}={percent}: a share is between 0 and 100")
    total = sum(shares.values())
    if total != _WHOLE:
        told = ", ".join(f"{name}={percent}" for name, percent in shares.items())
        raise UsageError(f"the shares sum to {total}, want 100: {told}")
    return replace(split, shares={name: percent for name, percent in shares.items() if percent})


def tag(split: Split, tags: Mapping[str, str], removed: Iterable[str] = ()) -> Split:
    """Set and remove tags; a tag moves when it is given to another revision."""
    kept = dict(split.tags)
    for name in removed:
        if name not in kept:
            known = ", ".join(sorted(kept)) or "none"
            raise UsageError(f'there is no tag "{name}" (tags: {known})')
        del kept[name]
    return replace(split, tags={**kept, **tags})


def canary(split: Split, stable: str, percent: int) -> Split:
    """Give the latest revision `percent` and the named stable one the rest."""
    return assign(split, {stable: _WHOLE - percent, LATEST: percent})


def resolved(traffic: Sequence[Raw]) -> dict[str, int]:
    """Percent by real revision name, from `status.traffic`."""
    shares: dict[str, int] = {}
    for target in traffic:
        name = target.get("revisionName")
        if name and target.get("percent"):
            shares[name] = shares.get(name, 0) + int(target["percent"])
    return shares


def stable_revision(status: Raw) -> str | None:
    """The revision a canary is measured against: the one with most traffic now.

    During an unfinished canary that is the old revision, not the newest ready one. None
    when nothing was ever ready.
    """
    shares = resolved(status.get("traffic") or ())
    if shares:
        return max(shares, key=lambda name: (shares[name], name))
    return status.get("latestReadyRevisionName") or None


def is_applied(spec_traffic: Sequence[Raw], status_traffic: Sequence[Raw]) -> bool:
    """Whether a Route's status shows what its owner's spec asks for."""
    return parse(spec_traffic) == parse(status_traffic)


def rollback_target(
    shares: Mapping[str, int], by_age: Sequence[str], ready: Collection[str]
) -> str | None:
    """The revision that takes all traffic when what now runs is given up.

    `by_age` are the revisions, oldest first. While a newer revision holds a smaller share
    (a canary), the answer is the revision with most traffic; otherwise the newest ready one
    made before it. None when there is nothing to go back to.
    """
    age = {name: place for place, name in enumerate(by_age)}
    serving = [name for name in shares if name in age]
    if not serving:
        return None
    main = max(serving, key=lambda name: (shares[name], age[name]))
    if max(serving, key=age.__getitem__) != main and main in ready:
        return main
    return next((name for name in reversed(by_age[: age[main]]) if name in ready), None)
