from typing import Any

import pytest

from autoscaler import podautoscalers
from autoscaler.idling import Phase
from autoscaler.pilot import Scale
from tests.autoscaler.specs import spec
from tests.autoscaler.world import podautoscaler

ACTIVE = [{"type": "Active", "status": "True"}]


def test_lists_leave_out_the_kind() -> None:
    raw = {"metadata": {"name": "r"}}
    told = podautoscalers.about(raw)
    assert (told["kind"], told["metadata"]) == ("PodAutoscaler", {"name": "r"})
    assert told["apiVersion"] == "autoscaling.internal.knative.dev/v1alpha1"


def test_which_object_it_is() -> None:
    assert podautoscalers.uid({"metadata": {"uid": "u"}}) == "u"
    assert podautoscalers.uid({"metadata": {}}) == ""


def test_a_status_of_our_own_is_no_other_input() -> None:
    raw = podautoscaler("r")
    assert podautoscalers.inputs(raw) == podautoscalers.inputs({**raw, "status": {"mode": "Serve"}})
    other = podautoscaler("r", window="20s")
    assert podautoscalers.inputs(raw) != podautoscalers.inputs(other)


@pytest.mark.parametrize(
    ("status", "phase", "wanted"),
    [
        ({}, Phase.ACTIVATING, None),
        (
            {"desiredScale": 2, "conditions": [{"type": "Active", "status": "True"}]},
            Phase.ACTIVE,
            2,
        ),
        ({"desiredScale": -1}, Phase.ACTIVATING, None),
        ({"desiredScale": "?"}, Phase.ACTIVATING, None),
    ],
)
def test_a_pilot_goes_on_from_what_the_status_says(
    status: dict[str, Any], phase: Phase, wanted: int | None
) -> None:
    raw = {**podautoscaler("r"), "status": status}
    pilot = podautoscalers.first_pilot(spec(), raw, Scale(replicas=1, ready=1), 5.0)
    assert (pilot.phase, pilot.wanted) == (phase, wanted)
