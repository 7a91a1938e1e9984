from typing import Any

import pytest

from api.conditions import Condition
from controller.addresses import Addresses
from controller.route import Observed, plan
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
