"""What is announced, and where."""

from typing import Any

import pytest

from api import keys
from autoscaler.announcing import announcements
from autoscaler.reasons import Reason
from tests.autoscaler.test_telling import decision, entry

NOW_S = 1_800_000_000.0  # 2027-01-15T08:00:00Z
LABELS = {
    keys.REVISION: "iris-00001",
    keys.REVISION_UID: "r-1",
    keys.SERVICE: "iris",
    keys.SERVICE_UID: "s-1",
}


def podautoscaler(**changed: Any) -> dict[str, Any]:
    metadata = {
        "name": "iris-00001",
        "namespace": "default",
        "uid": "pa-1",
        "labels": LABELS,
    }
    return {"metadata": metadata | changed}


def test_a_change_is_told_where_people_look() -> None:
    made = entry(decision(Reason.QUEUE, 4, is_poke=True), before=0)
    found = announcements(podautoscaler(), made, now_s=NOW_S)
    objects = [
        (each.about["kind"], each.about["metadata"]["name"], each.about["metadata"]["uid"])
        for each in found
    ]
    assert objects == [
        ("PodAutoscaler", "iris-00001", "pa-1"),
        ("Revision", "iris-00001", "r-1"),
        ("Service", "iris", "s-1"),
    ]
    assert {each.reason for each in found} == {"Queue"}
    (message,) = {each.message for each in found}
    assert message.startswith("iris-00001 went from 0 to 4 replicas: 15 requests were waiting")


def test_a_revision_of_no_service_and_of_no_known_owner() -> None:
    made = entry(decision(Reason.QUEUE, 4, is_poke=True), before=0)
    found = announcements(podautoscaler(labels={keys.REVISION: "iris-00001"}), made, now_s=NOW_S)
    assert [each.about["kind"] for each in found] == ["PodAutoscaler"]


@pytest.mark.parametrize(
    ("reason", "before", "wanted", "is_told"),
    [
        (Reason.STABLE, None, 3, False),  # first seen: no news
        (Reason.STABLE, 3, 3, False),
        (Reason.PANIC_HOLD, 6, 6, False),
        (Reason.MAX_SCALE, 2, 2, True),  # somebody may want to raise it
        (Reason.TIMED_OUT, 1, 0, True),
    ],
)
def test_what_is_worth_an_event(
    reason: Reason, before: int | None, wanted: int, is_told: bool
) -> None:
    made = entry(decision(reason, wanted, recommended=9), before=before)
    assert bool(announcements(podautoscaler(), made, now_s=NOW_S)) is is_told


def test_a_moment_is_told_as_kubernetes_does() -> None:
    held = decision(Reason.SCALE_DOWN_DELAY, 2, scale_down_delay_s=60.0, next_s=40.0)
    (first, *_) = announcements(podautoscaler(), entry(held, before=1), now_s=NOW_S)
    assert first.message.endswith("nothing is taken away before 2027-01-15T08:00:30Z")
