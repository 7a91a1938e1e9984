from dataclasses import replace
from typing import Any

import pytest

from api.conditions import Condition
from controller.addresses import Addresses
from controller.route import Observed, plan, rollout_s, served_revisions
from tests.controller.objects import (
    LATER_S,
    NOW,
    NOW_S,
    a_configuration,
    a_revision,
    a_route,
    applied,
    condition,
    ready,
    saying,
)

ADDRESSES = Addresses(domain="localhost", port=8080)
LATEST = {"configurationName": "mnist", "latestRevision": True, "percent": 100}
PINNED = {"revisionName": "mnist-00001", "latestRevision": False, "percent": 100}
FAILED = ready("False", "ExitCode1", "it ended")


def seeing(route: dict[str, Any], *others: dict[str, Any]) -> Observed:
    def of(kind: str) -> dict[str, Any]:
        return {each["metadata"]["name"]: each for each in others if each["kind"] == kind}

    return Observed(route=route, configurations=of("Configuration"), revisions=of("Revision"))


def ready_configuration() -> dict[str, Any]:
    return saying(a_configuration(), ready(), latestReadyRevisionName="mnist-00001")


def test_the_latest_ready_revision_gets_the_requests() -> None:
    route = a_route(LATEST)
    seen = seeing(route, ready_configuration(), saying(a_revision(), ready()))
    step = plan(seen, ADDRESSES, now_s=NOW_S)
    assert step.status is not None
    assert step.status["traffic"] == [
        {"revisionName": "mnist-00001", "latestRevision": True, "percent": 100}
    ]
    assert step.status["url"] == "http://mnist.default.localhost:8080"
    assert step.status["address"] == {"url": "http://mnist.default.svc.cluster.local"}
    assert condition(step.status)["status"] == "True"
    assert condition(step.status, "CertificateProvisioned")["reason"] == "TLSNotEnabled"
    again = seeing(applied(route, step), ready_configuration(), saying(a_revision(), ready()))
    assert plan(again, ADDRESSES, now_s=LATER_S).status is None


@pytest.mark.parametrize("port", [None, 80])
def test_the_port_of_http_is_not_shown(port: int | None) -> None:
    addresses = Addresses(domain="example.com", port=port)
    step = plan(seeing(a_route(LATEST)), addresses, now_s=NOW_S)
    assert step.status is not None
    assert step.status["url"] == "http://mnist.default.example.com"


def test_a_tag_has_an_address_even_with_no_share() -> None:
    target = {**PINNED, "percent": 0, "tag": "old"}
    seen = seeing(a_route(LATEST, target), ready_configuration(), saying(a_revision(), ready()))
    step = plan(seen, ADDRESSES, now_s=NOW_S)
    assert step.status is not None
    assert step.status["traffic"][1] == {
        "revisionName": "mnist-00001",
        "latestRevision": False,
        "percent": 0,
        "tag": "old",
        "url": "http://old-mnist.default.localhost:8080",
    }


SERVICE_ONE = {"serving.knative.dev/service": "one"}


@pytest.mark.parametrize(
    ("route", "others", "status", "reason", "message"),
    [
        (
            a_route(LATEST),
            [],
            "False",
            "ConfigurationMissing",
            'Configuration "mnist" referenced in traffic not found.',
        ),
        (
            a_route(LATEST),
            [a_configuration()],
            "Unknown",
            "RevisionMissing",
            'Configuration "mnist" is waiting for a Revision to become ready.',
        ),
        (
            a_route(LATEST),
            [saying(a_configuration(), FAILED)],
            "False",
            "RevisionMissing",
            'Configuration "mnist" does not have any ready Revision.',
        ),
        (
            a_route(LATEST),
            [ready_configuration()],
            "False",
            "RevisionMissing",
            'Revision "mnist-00001" referenced in traffic not found.',
        ),
        (
            a_route(PINNED),
            [],
            "False",
            "RevisionMissing",
            'Revision "mnist-00001" referenced in traffic not found.',
        ),
        (
            a_route(PINNED),
            [a_revision()],
            "Unknown",
            "RevisionMissing",
            'Revision "mnist-00001" is not yet ready.',
        ),
        (
            a_route(PINNED),
            [saying(a_revision(), FAILED)],
            "False",
            "RevisionMissing",
            'Revision "mnist-00001" failed to become ready.',
        ),
        (
            a_route(PINNED, labels=SERVICE_ONE),
            [saying(a_revision(labels={"serving.knative.dev/service": "two"}), ready())],
            "False",
            "RevisionNotOwned",
            'Revision "mnist-00001" belongs to Service "two", not Service "one".',
        ),
        (
            a_route(PINNED, labels=SERVICE_ONE),
            [saying(a_revision(), ready())],
            "False",
            "RevisionNotOwned",
            'Revision "mnist-00001" does not belong to Service "one".',
        ),
    ],
)
def test_why_a_target_gets_nothing(
    route: dict[str, Any], others: list[dict[str, Any]], status: str, reason: str, message: str
) -> None:
    step = plan(seeing(route, *others), ADDRESSES, now_s=NOW_S)
    assert condition(step.status, "AllTrafficAssigned") == {
        "type": "AllTrafficAssigned",
        "status": status,
        "reason": reason,
        "message": message,
    }
    assert condition(step.status, "IngressReady")["reason"] == "IngressNotConfigured"
    assert step.status is not None
    assert "traffic" not in step.status


def test_one_bad_target_keeps_the_whole_assignment() -> None:
    before = [{"revisionName": "mnist-00001", "percent": 100}]
    route = a_route({**PINNED, "percent": 50}, {**PINNED, "revisionName": "x", "percent": 50})
    served = Condition(type="IngressReady", status="True")
    route = saying(route, served, traffic=before)
    step = plan(seeing(route, saying(a_revision(), ready())), ADDRESSES, now_s=NOW_S)
    assert step.status is not None
    assert step.status["traffic"] == before
    assert condition(step.status, "IngressReady")["status"] == "True"


def test_what_is_for_good_is_told_before_what_is_for_now() -> None:
    waiting = {**PINNED, "percent": 50}
    missing = {**PINNED, "revisionName": "x", "percent": 50}
    step = plan(seeing(a_route(waiting, missing), a_revision()), ADDRESSES, now_s=NOW_S)
    assert condition(step.status)["status"] == "False"


def test_a_failure_of_an_older_spec_is_not_counted() -> None:
    stale = saying(a_configuration(), FAILED)
    stale["metadata"]["generation"] = 2
    step = plan(seeing(a_route(LATEST), stale), ADDRESSES, now_s=NOW_S)
    assert condition(step.status)["status"] == "Unknown"


def test_a_route_that_is_going_is_left_alone() -> None:
    step = plan(seeing(a_route(LATEST, deletionTimestamp=NOW)), ADDRESSES, now_s=NOW_S)
    assert step.status is None


# -- gradual rollouts -----------------------------------------------------------------------------

ROLLOUT = "networking.internal.knative.dev/rollout"
SLOWLY = {"serving.knative.dev/rollout-duration": "3s"}


def served(revision: str, percent: int) -> dict[str, Any]:
    return {"revisionName": revision, "percent": percent, "latestRevision": True}


def rolling(route: dict[str, Any], *, now_s: float = NOW_S, rollout_s: float = 0.0) -> Any:
    """The next step while mnist-00002 is the latest ready Revision and mnist-00001 serves too."""
    latest = saying(a_configuration(), ready(), latestReadyRevisionName="mnist-00002")
    both = [saying(a_revision(f"mnist-0000{n}", generation=n), ready()) for n in (1, 2)]
    seen = replace(seeing(route, latest, *both), rollout_s=rollout_s)
    return plan(seen, ADDRESSES, now_s=now_s)


def split(step: Any) -> list[tuple[str, int]]:
    return [(each["revisionName"], each["percent"]) for each in step.status["traffic"]]


def test_a_rollout_writes_its_state_before_the_split_and_drops_it_after() -> None:
    route = saying(a_route(LATEST, annotations=SLOWLY), traffic=[served("mnist-00001", 100)])
    step = rolling(route)
    assert step.status is None
    (write,) = step.updates
    route = write.object
    step = rolling(route)
    assert (split(step), step.updates) == ([("mnist-00001", 99), ("mnist-00002", 1)], ())
    assert condition(step.status, "IngressReady")["reason"] == "RolloutInProgress"
    assert condition(step.status)["status"] == "Unknown"
    assert step.requeue_after_s == 1.0
    route = applied(route, step)
    assert rolling(route, now_s=NOW_S + 0.5).updates == ()
    (write,) = rolling(route, now_s=NOW_S + 1).updates
    route = applied(write.object, rolling(write.object, now_s=NOW_S + 1))
    assert route["status"]["traffic"][1]["percent"] == 51
    step = rolling(route, now_s=NOW_S + 2)
    assert (split(step), step.updates) == ([("mnist-00002", 100)], ())
    assert condition(step.status)["status"] == "True"
    route = applied(route, step)
    (write,) = rolling(route, now_s=NOW_S + 2).updates
    assert ROLLOUT not in write.object["metadata"]["annotations"]
    done = rolling(write.object, now_s=NOW_S + 3)
    assert (done.updates, done.status, done.requeue_after_s) == ((), None, None)


def test_without_a_duration_requests_move_at_once() -> None:
    route = saying(a_route(LATEST), traffic=[served("mnist-00001", 100)])
    assert split(rolling(route)) == [("mnist-00002", 100)]
    assert len(rolling(route, rollout_s=60).updates) == 1, "the cluster's"


def test_a_duration_taken_away_ends_the_rollout() -> None:
    text = (
        rolling(saying(a_route(LATEST, annotations=SLOWLY), traffic=[served("mnist-00001", 100)]))
        .updates[0]
        .object["metadata"]["annotations"][ROLLOUT]
    )
    route = saying(
        a_route(LATEST, annotations={ROLLOUT: text}), traffic=[served("mnist-00001", 99)]
    )
    step = rolling(route)
    assert split(step) == [("mnist-00002", 100)]
    (write,) = rolling(applied(route, step)).updates
    assert write.object["metadata"]["annotations"] == {}


def test_a_lost_state_is_read_from_what_is_served() -> None:
    traffic = [served("mnist-00001", 40), served("mnist-00002", 60)]
    route = saying(a_route(LATEST, annotations={**SLOWLY, ROLLOUT: "{"}), traffic=traffic)
    (write,) = rolling(route).updates
    assert split(rolling(write.object)) == [("mnist-00001", 40), ("mnist-00002", 60)]


def test_only_what_follows_the_configuration_moves_slowly() -> None:
    pinned = {**PINNED, "percent": 50, "tag": "old"}
    latest = {**LATEST, "percent": 50}
    traffic = [{**pinned, "latestRevision": False}, served("mnist-00001", 50)]
    route = saying(a_route(pinned, latest, annotations=SLOWLY), traffic=traffic)
    (write,) = rolling(route).updates
    assert split(rolling(write.object)) == [
        ("mnist-00001", 50),
        ("mnist-00001", 49),
        ("mnist-00002", 1),
    ]


def test_what_can_not_be_read_as_a_duration_is_none() -> None:
    for text, seconds in (("1m", 60), ("", 0), ("soon", 0), ("-5s", 0), ("1500ms", 1)):
        annotations = {"serving.knative.dev/rolloutDuration": text}
        assert rollout_s(a_route(annotations=annotations)) == seconds


def test_another_routes_name_keeps_what_is_served() -> None:
    before = [served("mnist-00001", 100)]
    route = saying(a_route({**LATEST, "tag": "a"}), traffic=before)
    seen = replace(
        seeing(route, ready_configuration(), saying(a_revision(), ready())),
        lost_names=["a-mnist"],
    )
    step = plan(seen, ADDRESSES, now_s=NOW_S)
    assert step.status is not None
    assert step.status["traffic"] == before
    assert [(note.reason, note.message) for note in step.notes] == [
        ("InternalError", 'route: "mnist" does not own Service: "a-mnist"')
    ]
    again = replace(seen, route=applied(route, step))
    assert plan(again, ADDRESSES, now_s=LATER_S).notes == ()


def test_served_revisions_are_those_of_status_and_state() -> None:
    text = (
        rolling(saying(a_route(LATEST, annotations=SLOWLY), traffic=[served("mnist-00001", 100)]))
        .updates[0]
        .object["metadata"]["annotations"][ROLLOUT]
    )
    route = saying(a_route(annotations={ROLLOUT: text}), traffic=[served("mnist-00000", 100)])
    assert served_revisions(route) == ["mnist-00000", "mnist-00001", "mnist-00002"]
    assert served_revisions(a_route()) == []
