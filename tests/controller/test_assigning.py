"""The obstacles have their cases in test_route.py and test_conditions_table.py."""

from controller.assigning import Assigned, Known, Obstacle
from tests.controller.objects import a_configuration, a_revision, a_route, ready, saying

CONFIGURATION = saying(a_configuration(), ready(), latestReadyRevisionName="mnist-00001")
REVISION = saying(a_revision(), ready())


def test_a_line_knows_whether_it_follows_a_configuration() -> None:
    route = a_route(
        {"configurationName": "mnist", "latestRevision": True, "percent": 60},
        {"revisionName": "mnist-00001", "latestRevision": False, "percent": 40, "tag": "x"},
    )
    known = Known(route, {"mnist": CONFIGURATION}, {"mnist-00001": REVISION})
    assert known.assign() == [
        Assigned(
            revision="mnist-00001",
            percent=60,
            latest_of="mnist",
            kept={"percent": 60, "latestRevision": True},
        ),
        Assigned(
            revision="mnist-00001",
            tag="x",
            percent=40,
            kept={"tag": "x", "percent": 40, "latestRevision": False},
        ),
    ]


def test_a_latest_ready_revision_that_stopped_being_ready_is_an_obstacle() -> None:
    broken = saying(a_revision(), ready("False", "NotOwned"))
    known = Known(
        a_route({"configurationName": "mnist"}), {"mnist": CONFIGURATION}, {"mnist-00001": broken}
    )
    assert known.assign() == Obstacle(
        status="False",
        reason="RevisionMissing",
        message='Revision "mnist-00001" failed to become ready.',
    )
    assert not known.is_usable("mnist-00001")


def test_a_named_revision_needs_its_configuration() -> None:
    known = Known(a_route({"revisionName": "mnist-00001"}), {}, {"mnist-00001": REVISION})
    assert known.assign() == Obstacle(
        status="False",
        reason="ConfigurationMissing",
        message='Configuration "mnist" referenced in traffic not found.',
    )


def test_what_is_unknown_is_not_usable() -> None:
    assert not Known(a_route(), {}, {}).is_usable("mnist-00001")
    assert Known(a_route(), {}, {"mnist-00001": REVISION}).is_usable("mnist-00001")
