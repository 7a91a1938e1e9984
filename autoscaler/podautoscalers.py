"""What is read of a PodAutoscaler beside what it asks for.

For: telling whose an object is, whether it changed, and how a Revision stood before.
Must not know: how anything is decided.
"""

from collections.abc import Mapping
from typing import Any

from api import conditions
from api.kinds import PODAUTOSCALERS
from autoscaler import status
from autoscaler.exposure import Exposure
from autoscaler.pilot import Pilot, Scale, first_life
from autoscaler.spec import Spec


def about(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The object with its kind, which lists leave out."""
    return {**raw, "apiVersion": PODAUTOSCALERS.api_version, "kind": PODAUTOSCALERS.kind}


def uid(raw: Mapping[str, Any]) -> str:
    """Which object of its name it is."""
    return str(raw["metadata"].get("uid", ""))


def inputs(raw: Mapping[str, Any]) -> tuple[Any, ...]:
    """The parts of a PodAutoscaler that we read and do not write."""
    metadata = raw["metadata"]
    return metadata.get("generation"), metadata.get("annotations"), raw.get("spec")


def first_pilot(
    wanted: Spec,
    raw: Mapping[str, Any],
    scale: Scale,
    now_s: float,
    exposure: Exposure | None = None,
) -> Pilot:
    """The pilot of a Revision first seen, which goes on from what its status says."""
    active = conditions.find(raw, status.ACTIVE)
    life = first_life(
        active="" if active is None else active.status,
        is_initialized=conditions.is_true(raw, status.INITIALIZED),
        now_s=now_s,
    )
    desired = (raw.get("status") or {}).get("desiredScale")
    before = desired if isinstance(desired, int) and desired >= 0 else None
    return Pilot(wanted, life, scale=scale, wanted=before, now_s=now_s, exposure=exposure)
