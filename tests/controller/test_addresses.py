from typing import Any

import pytest

from controller.addresses import Addresses, claims, internal_url, lost_names
from tests.controller.objects import a_route

PUBLIC = Addresses(domain="localhost", port=8080)
LOCAL = {"networking.knative.dev/visibility": "cluster-local"}


def tagged(*tags: str, name: str = "mnist", **metadata: Any) -> dict[str, Any]:
    return a_route(*({"revisionName": "x", "tag": tag} for tag in tags), name=name, **metadata)


def test_a_public_route_has_the_domain_and_the_port() -> None:
    assert PUBLIC.of(a_route()) == "http://mnist.default.localhost:8080"
    assert PUBLIC.of(a_route(), "v1") == "http://v1-mnist.default.localhost:8080"
    assert internal_url(a_route()) == "http://mnist.default.svc.cluster.local"


def test_a_local_route_has_neither() -> None:
    assert PUBLIC.of(a_route(labels=LOCAL)) == "http://mnist.default.svc.cluster.local"
    assert PUBLIC.of(a_route(labels=LOCAL), "v1") == "http://v1-mnist.default.svc.cluster.local"


def test_a_name_that_is_too_long_for_a_host() -> None:
    assert PUBLIC.fault(tagged("t" * 57)) == ""
    assert PUBLIC.fault(tagged("t" * 58)) == (
        f'domain name error: invalid domain name "{"t" * 58}-mnist.default.localhost": '
        f'url: Invalid value: "{"t" * 58}-mnist": must be no more than 63 characters'
    )


def test_what_a_route_claims() -> None:
    assert list(claims(tagged("a", "b"))) == ["mnist", "a-mnist", "b-mnist"]


SERVED = {"status": {"traffic": [{"tag": "a", "revisionName": "x", "percent": 0}]}}


@pytest.mark.parametrize(
    ("route", "other", "lost"),
    [
        (tagged("a", name="b"), a_route(name="a-b"), ["a-b"]),
        (tagged("a", name="b"), a_route(name="c"), []),
        (a_route(name="a-b"), tagged("a", name="b"), []),
        (
            tagged("a", name="b-c", creationTimestamp="2"),
            tagged("a-b", name="c", creationTimestamp="1"),
            ["a-b-c"],
        ),
        (
            tagged("a", name="b-c", creationTimestamp="1"),
            tagged("a-b", name="c", creationTimestamp="2"),
            [],
        ),
        (
            {**tagged("a", name="b-c", creationTimestamp="2"), **SERVED},
            tagged("a-b", name="c", creationTimestamp="1"),
            [],
        ),
    ],
    ids=["a Route's own", "no conflict", "its own", "older", "younger", "served already"],
)
def test_whose_a_name_is(route: dict[str, Any], other: dict[str, Any], lost: list[str]) -> None:
    assert lost_names(route, [other]) == lost
