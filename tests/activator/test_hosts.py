"""The spellings of a host."""

import pytest

from activator.hosts import Place, parse_host


@pytest.mark.parametrize(
    "host", ["", "localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80", "x.org."]
)
def test_the_bare_host(host: str) -> None:
    assert parse_host(host.encode(), b"x.org") is None


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("a.b.x.org", Place(b"a.b.x.org", b"a.b", True)),
        ("A.B.X.ORG.:80", Place(b"a.b.x.org", b"a.b", True)),
        ("a.b.svc.cluster.local", Place(b"a.b.svc.cluster.local", b"a.b", False)),
        ("a.b.svc", Place(b"a.b.svc", b"a.b", False)),
        ("a.b", Place(b"a.b", b"a.b", False)),
        ("www.example.net", Place(b"www.example.net", b"www.example.net", False)),
        ("ax.org", Place(b"ax.org", b"ax.org", False)),
    ],
)
def test_names(host: str, place: Place) -> None:
    assert parse_host(host.encode(), b"x.org") == place


def test_a_domain_of_the_cluster_is_not_seen_from_outside() -> None:
    domain = b"svc.cluster.local"
    assert parse_host(b"a.b.svc.cluster.local", domain) == Place(
        b"a.b.svc.cluster.local", b"a.b", False
    )
