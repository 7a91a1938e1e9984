"""Route → which Revision gets what share of the requests, and at which addresses.

For: planning one Route; the activator reads the answer from its status.
Must not know: how requests are forwarded, or why a Revision is or is not ready.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api import annotations, formats, keys
from api.conditions import FALSE, TRUE, UNKNOWN, Condition, find
from api.kinds import ROUTES
from api.objects import Raw, rfc3339
from controller import rollout
from controller.addresses import Addresses, internal_url
from controller.assigning import Assigned, Known, Obstacle
from controller.children import annotations_of, is_going, labels_of, with_metadata
from controller.ingress import INGRESS_READY, NO_CERTIFICATE, NOT_CONFIGURED
from controller.plan import (
    Plan,
    Write,
    internal_error,
    is_observed,
    new_status,
    quoted,
    status_of,
)
from controller.rollout import NS_PER_S, Rollout, Share, Target

_WAIT_S_MIN = 0.001  # wall time in a float is not exact: woken a little early, wait once more
ALL_TRAFFIC_ASSIGNED = "AllTrafficAssigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A Route and what its spec names; what does not exist is absent from the mappings."""

    route: Raw
    configurations: Mapping[str, Raw]
    revisions: Mapping[str, Raw]  # named, latest ready of `configurations`, or served now
    lost_names: Collection[str] = ()  # names of its tags that are another Route's
    rollout_s: float = 0.0  # how long a rollout takes where the Route does not say
    ingress: Condition | None = None  # what keeps requests outside; None: nothing does


_TRAFFIC_ASSIGNED = Condition(type=ALL_TRAFFIC_ASSIGNED, status=TRUE)
_INGRESS_SERVES = Condition(type=INGRESS_READY, status=TRUE)
_ROLLOUT_IN_PROGRESS = Condition(
    type=INGRESS_READY,
    status=UNKNOWN,
    reason="RolloutInProgress",
    message="A gradual rollout of the latest revision(s) is in progress.",
)


def plan(seen: Observed, addresses: Addresses, *, now_s: float) -> Plan:
    """The next step for a Route; `now_s` is wall time.

    One target without a ready Revision keeps the whole previous assignment: requests go on
    being answered as they were.
    """
    if is_going(seen.route):
        return Plan()
    assigned = Known(seen.route, seen.configurations, seen.revisions).assign()
    if isinstance(assigned, Obstacle):
        return _hindered(seen, addresses, assigned, now_s=now_s)
    fault = addresses.fault(seen.route)
    if fault:
        obstacle = Obstacle(status=FALSE, reason="ErrorConfig", message=fault)
        return _hindered(seen, addresses, obstacle, now_s=now_s)
    if seen.lost_names:
        return _not_owned(seen, addresses, now_s=now_s)
    moved = _rolled(seen, assigned, now_ns=int(now_s * NS_PER_S))
    return _served(seen, addresses, assigned, moved, now_s=now_s)


def _hindered(seen: Observed, addresses: Addresses, why: Obstacle, *, now_s: float) -> Plan:
    assigned = Condition(
        type=ALL_TRAFFIC_ASSIGNED, status=why.status, reason=why.reason, message=why.message
    )
    ingress = _previous_ingress(seen.route)
    return Plan(status=_status(seen, addresses, (assigned, ingress), None, now_s=now_s))


def _not_owned(seen: Observed, addresses: Addresses, *, now_s: float) -> Plan:
    route, name = seen.route, min(seen.lost_names)
    ingress = Condition(
        type=INGRESS_READY,
        status=FALSE,
        reason="NotOwned",
        message=f"There is an existing placeholder Service {quoted(name)} that we do not own.",
    )
    own = quoted(route["metadata"]["name"])
    message = f"route: {own} does not own Service: {quoted(name)}"
    return Plan(
        status=_status(seen, addresses, (_TRAFFIC_ASSIGNED, ingress), None, now_s=now_s),
        notes=internal_error(route, ingress, message),
    )


def _served(
    seen: Observed,
    addresses: Addresses,
    assigned: Sequence[Assigned],
    moved: Rollout,
    *,
    now_s: float,
) -> Plan:
    """While requests move, the state of it is written before the split, else after it.

    So whoever looks at one of the two, at any moment, goes on from there.
    """
    next_ns = rollout.next_step_ns(moved)
    ingress = seen.ingress or _INGRESS_SERVES if next_ns is None else _ROLLOUT_IN_PROGRESS
    traffic = _lines(seen.route, addresses, assigned, moved)
    status = _status(seen, addresses, (_TRAFFIC_ASSIGNED, ingress), traffic, now_s=now_s)
    text = rollout.spell(moved) if next_ns is not None else None
    before = annotations_of(seen.route).get(keys.ROLLOUT)
    if before != text and (text is not None or status is None):
        return Plan(updates=(_with_state(seen.route, text),))
    wait_s = None if next_ns is None else max(_WAIT_S_MIN, next_ns / NS_PER_S - now_s)
    return Plan(status=status, requeue_after_s=wait_s)


def _status(
    seen: Observed,
    addresses: Addresses,
    conditions: tuple[Condition, Condition],
    traffic: list[dict[str, Any]] | None,
    *,
    now_s: float,
) -> dict[str, Any] | None:
    """`traffic` None: as it was, and so is the address that stands for it."""
    route, before = seen.route, status_of(seen.route)
    fields = {
        "url": addresses.of(route),
        "address": before.get("address") if traffic is None else {"url": internal_url(route)},
        "traffic": before.get("traffic") if traffic is None else traffic,
    }
    return new_status(route, (*conditions, NO_CERTIFICATE), fields, now=rfc3339(now_s))


def _previous_ingress(route: Raw) -> Condition:
    """What is served stays served, but of a new spec nothing is served yet."""
    before = find(route, INGRESS_READY)
    return before if before is not None and is_observed(route) else NOT_CONFIGURED


def rollout_s(route: Raw) -> float:
    """How long the Route wants a rollout to take; 0 if it does not say so."""
    found = annotations_of(route)
    text = found.get(keys.ROLLOUT_DURATION) or found.get(
        annotations.camel_case(keys.ROLLOUT_DURATION), ""
    )
    return max(0, formats.duration_ns(text) or 0) // NS_PER_S if text else 0.0


def served_revisions(route: Raw) -> list[str]:
    """The Revisions that get requests now, or did when the state of a rollout was written."""
    names = [each.get("revisionName", "") for each in status_of(route).get("traffic") or ()]
    for target in rollout.parse(annotations_of(route).get(keys.ROLLOUT, "")) or ():
        names += [share.revision for share in target.shares]
    return list(dict.fromkeys(filter(None, names)))


def _rolled(seen: Observed, assigned: Sequence[Assigned], *, now_ns: int) -> Rollout:
    """Where the requests of each line that follows a Configuration go now."""
    wanted: dict[tuple[str, str], Target] = {}
    for line in assigned:
        if line.latest_of and line.percent > 1:
            target = Target(
                configuration=line.latest_of,
                tag=line.tag,
                percent=line.percent,
                shares=(Share(revision=line.revision, percent=line.percent),),
            )
            wanted.setdefault(target.key, target)
    duration_s = rollout_s(seen.route) or seen.rollout_s
    if duration_s <= 0:
        return tuple(wanted.values())
    before = rollout.parse(annotations_of(seen.route).get(keys.ROLLOUT, ""))
    known = Known(seen.route, seen.configurations, seen.revisions)
    usable = {name for name in seen.revisions if known.is_usable(name)}
    return rollout.step(
        list(wanted.values()),
        _of_status(seen) if before is None else before,
        usable=usable,
        duration_s=duration_s,
        now_ns=now_ns,
    )


def _of_status(seen: Observed) -> list[Target]:
    """What the status says is served by lines that follow a Configuration."""
    found: dict[tuple[str, str], list[Share]] = {}
    for line in status_of(seen.route).get("traffic") or ():
        revision, percent = str(line.get("revisionName", "")), int(line.get("percent") or 0)
        if line.get("latestRevision") and percent and revision in seen.revisions:
            above = labels_of(seen.revisions[revision]).get(keys.CONFIGURATION, "")
            shares = found.setdefault((str(line.get("tag") or ""), above), [])
            shares.append(Share(revision=revision, percent=percent))
    return [
        Target(
            tag=tag,
            configuration=name,
            percent=sum(share.percent for share in shares),
            shares=tuple(shares),
        )
        for (tag, name), shares in found.items()
    ]


def _lines(
    route: Raw, addresses: Addresses, assigned: Sequence[Assigned], moved: Rollout
) -> list[dict[str, Any]]:
    """Traffic as the status shows it: a tagged line has an address of its own."""
    by_key = {target.key: target for target in moved}
    lines = []
    for line in assigned:
        target = by_key.pop((line.tag, line.latest_of), None)
        address = {"url": addresses.of(route, line.tag)} if line.tag else {}
        shares = target.shares if target is not None else ()
        if len(shares) < 2:
            lines.append({**line.kept, "revisionName": line.revision, **address})
            continue
        for share in shares:
            split = {"revisionName": share.revision, "percent": share.percent}
            lines.append({**line.kept, **split, **address})
    return lines


def _with_state(route: Raw, text: str | None) -> Write:
    found = {key: each for key, each in annotations_of(route).items() if key != keys.ROLLOUT}
    if text is not None:
        found[keys.ROLLOUT] = text
    return Write(resource=ROUTES, object=with_metadata(route, annotations=found))
