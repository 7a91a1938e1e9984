from typing import Any

from controller.labeler import Observed, plan, routes_of
from tests.controller.objects import (
    LATER,
    NOW,
    a_configuration,
    a_revision,
    a_route,
    ready,
    saying,
)

LATEST = {"configurationName": "mnist", "latestRevision": True, "percent": 100}
STATE = "serving.knative.dev/routingState"
ROUTES = "serving.knative.dev/routes"
MODIFIED = "serving.knative.dev/routingStateModified"


def marked(name: str, state: str, routes: str = "", generation: int = 1) -> dict[str, Any]:
    annotations = {MODIFIED: NOW, **({ROUTES: routes} if routes else {})}
    return a_revision(name, labels={STATE: state}, annotations=annotations, generation=generation)


def changes(route: dict[str, Any] | None, *revisions: dict[str, Any]) -> dict[str, Any]:
    """Revision → its new mark and Routes."""
    configuration = saying(a_configuration(), ready(), latestReadyRevisionName="mnist-00001")
    seen = Observed(
        name="mnist", route=route, configurations={"mnist": configuration}, revisions=revisions
    )
    return {
        write.name: (
            write.object["metadata"]["labels"][STATE],
            write.object["metadata"]["annotations"].get(ROUTES),
            write.object["metadata"]["annotations"][MODIFIED],
        )
        for write in plan(seen, now=LATER).updates
        if write.object["kind"] == "Revision"
    }


def test_the_latest_ready_and_the_newest_revision_are_pointed_at() -> None:
    assert changes(
        a_route(LATEST),
        marked("mnist-00001", "pending", generation=1),
        marked("mnist-00002", "pending", generation=2),
        marked("mnist-00003", "pending", generation=3),
    ) == {
        "mnist-00001": ("active", "mnist", LATER),
        "mnist-00002": ("reserve", None, LATER),
        "mnist-00003": ("active", "mnist", LATER),
    }


def test_what_is_marked_already_is_not_written() -> None:
    assert changes(a_route(LATEST), marked("mnist-00001", "active", "mnist")) == {}


def test_what_is_served_stays_marked_until_it_is_not() -> None:
    route = a_route({"revisionName": "mnist-00002", "percent": 100})
    route["status"] = {"traffic": [{"revisionName": "mnist-00001", "percent": 100}]}
    old, new = marked("mnist-00001", "active", "mnist"), marked("mnist-00002", "pending")
    assert changes(route, old, new) == {"mnist-00002": ("active", "mnist", LATER)}
    route["status"] = {"traffic": [{"revisionName": "mnist-00002", "percent": 100}]}
    assert changes(route, old) == {"mnist-00001": ("reserve", None, LATER)}


def test_other_routes_keep_theirs_and_the_time_of_the_mark() -> None:
    shared = marked("mnist-00001", "active", "mnist,other")
    assert changes(None, shared) == {"mnist-00001": ("active", "other", NOW)}
    assert changes(a_route(LATEST), marked("mnist-00001", "active", "other")) == {
        "mnist-00001": ("active", "mnist,other", NOW)
    }


def test_a_route_that_is_going_points_at_nothing() -> None:
    going = a_route(LATEST, deletionTimestamp=NOW)
    assert changes(going, marked("mnist-00001", "active", "mnist")) == {
        "mnist-00001": ("reserve", None, LATER)
    }


def test_a_revision_that_is_going_is_left_alone() -> None:
    assert changes(a_route(LATEST), a_revision(deletionTimestamp=NOW)) == {}


def test_the_annotation_is_read_in_order_and_without_blanks() -> None:
    assert routes_of(marked("r", "active", "b,,a")) == ("a", "b")
    assert routes_of(a_revision()) == ()


def noted(route: dict[str, Any] | None, *configurations: dict[str, Any]) -> dict[str, Any]:
    """Configuration → the Routes that it will say point at it."""
    seen = Observed(
        name="mnist",
        route=route,
        configurations={each["metadata"]["name"]: each for each in configurations},
        revisions=[marked("mnist-00001", "active", "mnist")],
    )
    return {
        write.name: write.object["metadata"]["annotations"].get(ROUTES)
        for write in plan(seen, now=LATER).updates
        if write.object["kind"] == "Configuration"
    }


def test_a_configuration_knows_the_routes_that_point_at_it() -> None:
    pinned = a_route({"revisionName": "mnist-00001", "percent": 100})
    for route in (a_route(LATEST), pinned):
        assert noted(route, a_configuration()) == {"mnist": "mnist"}
        assert noted(route, a_configuration(annotations={ROUTES: "a"})) == {"mnist": "a,mnist"}
        assert noted(route, a_configuration(annotations={ROUTES: "mnist"})) == {}
    told = a_configuration("other", annotations={ROUTES: "mnist"})
    assert noted(pinned, told) == {"other": None}
    assert noted(None, told) == {"other": None}
    assert noted(None, a_configuration(annotations={ROUTES: "mnist"}, deletionTimestamp=NOW)) == {}


def test_what_a_service_says_of_its_own_route_is_left_to_it() -> None:
    labels = {"serving.knative.dev/service": "mnist"}
    own = a_configuration(annotations={ROUTES: "mnist"}, labels=labels)
    assert noted(None, own) == {}
    assert noted(None, a_configuration(labels=labels)) == {}
