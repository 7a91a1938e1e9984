from api.conditions import Condition
from autoscaler.paths import InStatus
from tests.autoscaler.specs import spec


def test_where_nobody_else_is_the_mode_is_told_and_no_more() -> None:
    path = InStatus()
    told = (Condition(type="Active", status="True"),)
    assert path.conditions(("default", "r"), told) is told
    spelled = path.spelled(
        ("default", "r"),
        spec(total=10.0, target_burst_capacity=200.0),
        ready=3,
        mode="Serve",
        capacity=100.0,
    )
    assert spelled == {"actualScale": 3, "mode": "Serve", "activators": 3}
