from typing import Any

import pytest

from api.conditions import Condition
from controller.domainmapping import Observed, is_served, plan, reference_of
from tests.controller.objects import (
    LATER,
    NOW,
    a_mapping,
    a_route,
    a_service,
    applied,
    condition,
    ready,
    saying,
)

ADDRESS = {"url": "http://mnist.default.svc.cluster.local"}
TRAFFIC = [{"revisionName": "mnist-00001", "percent": 100}]
SERVED = {"address": ADDRESS, "traffic": TRAFFIC}


def target(**fields: Any) -> dict[str, Any]:
    return saying(a_service(), ready(), **{**SERVED, **fields})


def seeing(mapping: dict[str, Any], to: Any = None, *rivals: dict[str, Any]) -> Observed:
    return Observed(mapping=mapping, rivals=rivals, target=to, port=8080)


def test_a_host_of_ones_own() -> None:
    mapping = a_mapping()
    step = plan(seeing(mapping, target()), now=NOW)
    assert step.status is not None
    assert step.status["url"] == "http://www.example.com:8080"
    assert step.status["address"] == {"url": "http://www.example.com:8080"}
    assert {each["type"]: each["status"] for each in step.status["conditions"]} == {
        "CertificateProvisioned": "True",
        "DomainClaimed": "True",
        "IngressReady": "True",
        "Ready": "True",
        "ReferenceResolved": "True",
    }
    again = plan(seeing(applied(mapping, step), target()), now=LATER)
    assert (again.status, again.notes) == (None, ())


def test_a_route_can_be_meant_too() -> None:
    route = saying(a_route(), ready(), **SERVED)
    step = plan(seeing(a_mapping(kind="Route"), route), now=NOW)
    assert condition(step.status)["status"] == "True"


def test_a_host_that_is_a_routes_own_is_not_to_be_had() -> None:
    seen = Observed(mapping=a_mapping(), rivals=(), target=target(), is_of_a_route=True)
    step = plan(seen, now=NOW)
    words = "The domain name is already in use by a Route"
    assert failed(step, "DomainClaimed") == ("False", "DomainAlreadyClaimed", words)
    assert condition(step.status)["status"] == "False"


def failed(step: Any, type_: str) -> tuple[Any, Any, Any]:
    found = condition(step.status, type_)
    return found["status"], found["reason"], found["message"]


REF = "Kind = Service, Namespace = default, Name = mnist, APIVersion = serving.knative.dev/v1"


@pytest.mark.parametrize(
    ("mapping", "to", "message"),
    [
        (
            a_mapping(),
            None,
            'failed to get object default/mnist: services.serving.knative.dev "mnist" not found',
        ),
        (
            a_mapping(kind="Broker"),
            None,
            "Broker of serving.knative.dev/v1 is not served as a target: refer to a Service or "
            "Route of serving.knative.dev/v1",
        ),
        (a_mapping(), a_service(), f"address not set for {REF}, Group = , Address = "),
        (
            a_mapping(),
            target(address={"url": "http://mnist.example.com"}),
            'resolved URI "http://mnist.example.com" must be of the form '
            "{name}.{namespace}.svc.cluster.local",
        ),
        (
            a_mapping(namespace="other"),
            target(),
            'resolved URI "http://mnist.default.svc.cluster.local" must be in same namespace as '
            "DomainMapping",
        ),
    ],
)
def test_a_reference_that_leads_nowhere(mapping: dict[str, Any], to: Any, message: str) -> None:
    step = plan(seeing(mapping, to), now=NOW)
    assert failed(step, "ReferenceResolved") == ("False", "ResolveFailed", message)
    assert failed(step, "IngressReady") == (
        "Unknown",
        "IngressNotConfigured",
        "Ingress has not yet been reconciled.",
    )
    assert [(note.reason, note.message) for note in step.notes] == [
        ("InternalError", f"resolving reference: {message}")
    ]
    assert plan(seeing(applied(mapping, step), to), now=LATER).notes == ()


def test_it_waits_for_a_route_that_serves_nothing_yet() -> None:
    waiting = saying(a_service(), ready("Unknown"), address=ADDRESS)
    step = plan(seeing(a_mapping(), waiting), now=NOW)
    assert condition(step.status, "ReferenceResolved")["status"] == "True"
    assert condition(step.status, "IngressReady")["reason"] == "IngressNotConfigured"
    moving = saying(a_service(), ready("Unknown", "RolloutInProgress"), **SERVED)
    step = plan(seeing(a_mapping(), moving), now=NOW)
    assert condition(step.status, "IngressReady")["status"] == "True"


OLDER, YOUNGER = "2027-01-15T07:00:00Z", "2027-01-15T07:00:01Z"


@pytest.mark.parametrize(
    ("mapping", "rival", "is_claimed"),
    [
        ({"creationTimestamp": OLDER}, {"creationTimestamp": YOUNGER}, True),
        ({"creationTimestamp": YOUNGER}, {"creationTimestamp": OLDER}, False),
        ({"creationTimestamp": OLDER}, {"creationTimestamp": OLDER}, True),
        (
            {"creationTimestamp": YOUNGER},
            {"creationTimestamp": OLDER, "deletionTimestamp": NOW},
            True,
        ),
    ],
    ids=["older", "younger", "as old, first namespace", "the other is going"],
)
def test_a_host_belongs_to_one_namespace(mapping: Any, rival: Any, is_claimed: bool) -> None:
    own = a_mapping(**mapping)
    step = plan(seeing(own, target(), a_mapping(namespace="other", **rival)), now=NOW)
    if is_claimed:
        assert condition(step.status)["status"] == "True"
        return
    assert failed(step, "DomainClaimed") == (
        "False",
        "DomainAlreadyClaimed",
        "The domain name is already in use by another DomainMapping",
    )
    assert condition(step.status)["reason"] == "DomainAlreadyClaimed"
    assert step.notes[0].message == (
        'namespace "default" does not own ClusterDomainClaim for "www.example.com"'
    )


def test_what_was_served_of_the_same_spec_stays_so() -> None:
    served = saying(a_mapping(), Condition(type="IngressReady", status="True"))
    step = plan(seeing(served), now=NOW)
    assert condition(step.status, "IngressReady")["status"] == "True"
    assert condition(step.status)["status"] == "False"


def test_one_that_is_going_is_left_alone() -> None:
    assert plan(seeing(a_mapping(deletionTimestamp=NOW), target()), now=NOW).status is None


def test_the_namespace_of_a_reference_is_its_own() -> None:
    ref = reference_of(a_mapping(namespace="here"))
    assert ref["namespace"] == "here"
    assert is_served(ref)
