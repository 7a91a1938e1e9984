from api.kinds import SERVICES
from controller.inference_writing import without_writes
from controller.plan import Note, Plan, Write
from tests.controller.objects import a_service


def test_what_is_left() -> None:
    write = Write(resource=SERVICES, object=a_service("a"))
    note = Note(type="Normal", reason="r", message="m")
    plan = Plan(creates=(write,), updates=(write,), status={"x": 1}, notes=(note,))
    left = without_writes(plan)
    assert (left.creates, left.updates) == ((), ())
    assert (left.status, left.notes) == (plan.status, plan.notes)
