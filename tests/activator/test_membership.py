"""Pods of activators, as the others read them."""

from typing import Any

from activator.membership import PeerFacts, read_peer


def pod(ports: Any = (), status: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "activator-1", **metadata},
        "spec": {"containers": [{"ports": list(ports)}, {}]},
        "status": {"podIP": "10.0.0.1", "phase": "Running"} if status is None else status,
    }


def test_it_listens_where_its_port_named_peers_is() -> None:
    ports = [{"name": "http", "containerPort": 8080}, {"name": "peers", "containerPort": 9}]
    expected = PeerFacts(name="activator-1", host="10.0.0.1", port=9, is_leaving=False)
    assert read_peer(pod(ports)) == expected


def test_the_usual_port_needs_no_saying() -> None:
    found = read_peer(pod())
    assert found is not None
    assert found.port == 8082


def test_one_that_is_deleted_is_leaving_and_still_there() -> None:
    found = read_peer(pod(deletionTimestamp="2026-01-01T00:00:00Z"))
    assert found is not None
    assert found.is_leaving


def test_one_without_an_address_or_that_ended_is_none() -> None:
    assert read_peer(pod(status={})) is None
    assert read_peer(pod(status={"podIP": "10.0.0.1", "phase": "Failed"})) is None
    assert read_peer({"metadata": {"name": "x"}}) is None
