import pytest

from api.conditions import Condition, find, is_ready, is_true, merge, ready

OLD, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def test_merge_sorts_and_leaves_out_what_is_empty() -> None:
    wanted = [Condition(type="Ready", status="True"), Condition(type="Active", status="Unknown")]
    assert merge([], wanted, now=NOW) == [
        {"type": "Active", "status": "Unknown", "lastTransitionTime": NOW},
        {"type": "Ready", "status": "True", "lastTransitionTime": NOW},
    ]


@pytest.mark.parametrize(
    ("change", "since"),
    [
        ({}, OLD),
        ({"status": "False"}, NOW),
        ({"reason": "Other"}, NOW),
        ({"message": "Other."}, NOW),
        ({"severity": "Info"}, NOW),
    ],
)
def test_merge_keeps_the_time_of_what_did_not_change(change: dict[str, str], since: str) -> None:
    before = {"type": "Ready", "status": "True", "reason": "R", "message": "M."}
    wanted = Condition(**{**before, **change})
    (merged,) = merge([{**before, "lastTransitionTime": OLD}], [wanted], now=NOW)
    assert merged["lastTransitionTime"] == since


def test_merging_twice_changes_nothing_and_drops_what_is_no_longer_wanted() -> None:
    wanted = [Condition(type="Ready", status="False", reason="R", last_transition_time="ignored")]
    once = merge([{"type": "Gone", "status": "True", "lastTransitionTime": OLD}], wanted, now=OLD)
    assert [each["type"] for each in once] == ["Ready"]
    assert merge(once, wanted, now=NOW) == once


@pytest.mark.parametrize(
    ("statuses", "expected", "reason"),
    [
        ([], "True", ""),
        (["True", "True"], "True", ""),
        (["True", "Unknown"], "Unknown", "R1"),
        (["Unknown", "False"], "False", "R1"),
        (["Unknown", "False", "False"], "False", "R1"),
    ],
)
def test_ready_is_the_worst_of_the_others(statuses: list[str], expected: str, reason: str) -> None:
    wanted = [
        Condition(type=f"T{index}", status=status, reason=f"R{index}", message=f"M{index}")
        for index, status in enumerate(statuses)
    ]
    found = ready(wanted)
    assert (found.type, found.status, found.reason) == ("Ready", expected, reason)
    assert found.message == reason.replace("R", "M")


def test_ready_ignores_information_and_itself() -> None:
    wanted = [
        Condition(type="Active", status="False", severity="Info"),
        Condition(type="Ready", status="False"),
    ]
    assert ready(wanted).status == "True"


def test_find_reads_a_condition() -> None:
    raw = {"status": {"conditions": [{"type": "A", "status": "True", "reason": "R"}]}}
    assert find(raw, "A") == Condition(type="A", status="True", reason="R")
    assert find(raw, "B") is None
    assert is_true(raw, "A")
    assert not is_true(raw, "B")


@pytest.mark.parametrize("status", [None, 1, [], {"conditions": 1}, {"conditions": [1, {}]}])
def test_find_survives_any_status(status: object) -> None:
    assert find({"status": status}, "Ready") is None


@pytest.mark.parametrize(
    ("observed", "generation", "expected"),
    [(1, 1, True), (1, 2, False), (None, 2, True), (2, None, True)],
)
def test_a_status_of_an_older_generation_is_not_ready(
    observed: int | None, generation: int | None, expected: bool
) -> None:
    raw = {
        "metadata": {"generation": generation},
        "status": {
            "observedGeneration": observed,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    assert is_ready(raw) is expected
