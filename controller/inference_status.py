"""How the components of an InferenceService are, read from their Services.

For: KServe's conditions, and its record of which Revision had all requests last.
Must not know: how a Service is made, or how a model is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.conditions import FALSE, INFO, READY, TRUE, UNKNOWN, Condition, find
from api.inference_components import Kind
from api.objects import Raw
from api.traffic import WHOLE
from controller.plan import is_observed, status_of
from controller.service import CONFIGURATIONS_READY, ROUTES_READY

PREDICTOR_READY = "PredictorReady"
INGRESS_READY = "IngressReady"
LATEST_DEPLOYMENT_READY = "LatestDeploymentReady"
STOPPED = "Stopped"
READY_OF: Mapping[Kind, str] = {
    "predictor": PREDICTOR_READY,
    "transformer": "TransformerReady",
    "explainer": "ExplainerReady",
}
ROUTE_OF: Mapping[Kind, str] = {
    "predictor": "PredictorRouteReady",
    "transformer": "TransformerRouteReady",
    "explainer": "ExplainerRoutesReady",  # KServe's plural
}
CONFIGURATION_OF: Mapping[Kind, str] = {
    "predictor": "PredictorConfigurationReady",
    "transformer": "TransformerConfigurationReady",
    "explainer": "ExplainerConfigurationReady",
}
_GATING = (READY, PREDICTOR_READY, INGRESS_READY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a component is not what its spec says, although its Service may serve."""

    reason: str
    sentence: str


def component_conditions(
    kind: Kind, child: Raw | None, trouble: Trouble | None, *, is_behind: bool = False
) -> tuple[Condition, ...]:
    """Ready, the routes and the configuration of one component.

    `is_behind`: the Service is about to be changed, and what it says is of an older spec.
    """
    below = [
        _copied(ROUTE_OF[kind], child, ROUTES_READY, is_behind=is_behind),
        _copied(CONFIGURATION_OF[kind], child, CONFIGURATIONS_READY, is_behind=is_behind),
    ]
    if trouble is None:
        return (_copied(READY_OF[kind], child, READY, is_behind=is_behind), *below)
    ready = Condition(
        type=READY_OF[kind], status=FALSE, reason=trouble.reason, message=trouble.sentence
    )
    return (ready, *below)


def _copied(type_: str, child: Raw | None, below: str, *, is_behind: bool) -> Condition:
    found = find(child, below) if child is not None else None
    if found is None or child is None:
        return Condition(type=type_, status=UNKNOWN)
    if is_behind or not is_observed(child):
        message = "The Service is still working to reflect the latest desired specification."
        return Condition(type=type_, status=UNKNOWN, reason="OutOfDate", message=message)
    return Condition(type=type_, status=found.status, reason=found.reason, message=found.message)


def stopped(kinds: Sequence[Kind]) -> list[Condition]:
    """Nothing runs, as it was asked."""
    types = (*(READY_OF[kind] for kind in kinds), INGRESS_READY)
    found = [Condition(type=each, status=FALSE, reason=STOPPED) for each in types]
    return finished([*found, Condition(type=STOPPED, status=TRUE)])


def summed_up(kinds: Sequence[Kind], found: Sequence[Condition]) -> list[Condition]:
    """The conditions of all components, and what follows from them together."""
    by_type = {each.type: each for each in found}
    return finished(
        [
            *found,
            _ingress(kinds, by_type),
            _across("RoutesReady", [ROUTE_OF[kind] for kind in kinds], by_type),
            _across(LATEST_DEPLOYMENT_READY, [CONFIGURATION_OF[kind] for kind in kinds], by_type),
            Condition(type=STOPPED, status=FALSE),
        ]
    )


def finished(found: Sequence[Condition]) -> list[Condition]:
    """What does not gate Ready has severity Info, as Knative's libraries write it."""
    return [
        each
        if each.type in _GATING
        else Condition(
            type=each.type,
            status=each.status,
            reason=each.reason,
            message=each.message,
            severity=INFO,
        )
        for each in found
    ]


def _ingress(kinds: Sequence[Kind], by_type: Mapping[str, Condition]) -> Condition:
    """The address leads somewhere once every component can be reached."""
    for kind in kinds:
        ready = by_type[READY_OF[kind]]
        if ready.status != TRUE:
            reason = f"{kind.capitalize()} ingress not created"
            return Condition(type=INGRESS_READY, status=ready.status, reason=reason)
    return Condition(type=INGRESS_READY, status=TRUE)


def _across(type_: str, below: Sequence[str], by_type: Mapping[str, Condition]) -> Condition:
    result = Condition(type=type_, status=TRUE)
    for each in below:
        status = by_type[each].status
        if status != TRUE:
            result = Condition(type=type_, status=status, reason=f"{each} not ready")
    return result


def component_status(before: Raw, child: Raw | None) -> dict[str, Any]:
    """One entry of `status.components`; `before` is the present one."""
    if child is None:
        return dict(before)
    status = status_of(child)
    result: dict[str, Any] = {
        "latestCreatedRevision": status.get("latestCreatedRevisionName"),
        "latestReadyRevision": status.get("latestReadyRevisionName"),
        "traffic": status.get("traffic"),
        "url": before.get("url"),
        "address": before.get("address"),
        **_rolled_out(before, child),
    }
    ready = find(child, READY)
    if ready is not None and ready.status == TRUE:
        for name in ("url", "address"):
            result[name] = status.get(name) or result[name]
    return {name: each for name, each in result.items() if each}


def _rolled_out(before: Raw, child: Raw) -> dict[str, str]:
    """Which Revision had all requests last, and which before it: KServe's record."""
    status = status_of(child)
    last = str(before.get("latestRolledoutRevision") or "")
    previous = str(before.get("previousRolledoutRevision") or "")
    ready = str(status.get("latestReadyRevisionName") or "")
    targets: Sequence[Any] = status.get("traffic") or ()
    of_latest = [
        each for each in targets if each.get("revisionName") == ready and each.get("latestRevision")
    ]
    if not ready or not of_latest or not is_observed(child):
        return _record(last, previous)
    percent = sum(each.get("percent") or 0 for each in of_latest)
    if last != ready:
        if percent == WHOLE:
            return _record(ready, last)
    elif percent < WHOLE and previous and _is_split_over_itself(child, ready):
        # It had everything and is told to step back: then its predecessor was the last good one.
        return _record(previous, previous)
    return _record(last, previous)


def _is_split_over_itself(child: Raw, ready: str) -> bool:
    """Whether both shares are of the newest Revision, and no newer one is being made."""
    status = status_of(child)
    configured = find(child, CONFIGURATIONS_READY)
    total = sum(
        each.get("percent") or 0
        for each in status.get("traffic") or ()
        if each.get("revisionName") == ready
    )
    return (
        total == WHOLE
        and status.get("latestCreatedRevisionName") == ready
        and configured is not None
        and configured.status == TRUE
    )


def _record(last: str, previous: str) -> dict[str, str]:
    return {"latestRolledoutRevision": last, "previousRolledoutRevision": previous}
