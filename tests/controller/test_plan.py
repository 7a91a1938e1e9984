from api.conditions import Condition
from controller.plan import is_observed, new_status, quoted, status_of
from tests.controller.objects import LATER, NOW, a_service, condition

A = Condition(type="A", status="True")
B = Condition(type="B", status="False", reason="Broken", message="it broke")


def test_ready_is_added_to_the_conditions_it_depends_on() -> None:
    status = new_status(a_service(), [A, B], {}, now=NOW)
    assert condition(status) == {
        "type": "Ready",
        "status": "False",
        "reason": "Broken",
        "message": "it broke",
    }
    assert status is not None
    assert status["observedGeneration"] == 1


def test_ready_among_the_conditions_stands_as_it_is() -> None:
    wanted = Condition(type="Ready", status="Unknown")
    status = new_status(a_service(), [wanted], {}, now=NOW)
    assert status is not None
    assert [each["status"] for each in status["conditions"]] == ["Unknown"]


def test_the_same_status_is_none() -> None:
    raw = a_service()
    raw["status"] = new_status(raw, [A, B], {"url": "http://here", "traffic": None}, now=NOW)
    assert "traffic" not in raw["status"]
    assert new_status(raw, [A, B], {"url": "http://here", "traffic": None}, now=LATER) is None


def test_a_new_generation_is_news_even_if_nothing_else_is() -> None:
    raw = a_service()
    raw["status"] = new_status(raw, [A], {}, now=NOW)
    assert is_observed(raw)
    raw["metadata"]["generation"] = 2
    assert not is_observed(raw)
    status = new_status(raw, [A], {}, now=LATER)
    assert status is not None
    assert status["observedGeneration"] == 2
    assert {each["lastTransitionTime"] for each in status["conditions"]} == {NOW}


def test_an_object_without_a_status() -> None:
    assert status_of({"metadata": {}}) == {}
    assert not is_observed(a_service())


def test_a_name_in_a_sentence() -> None:
    assert quoted("mnist") == '"mnist"'
