"""Requests and their tickets."""

import pytest

from activator.tickets import Stubs


def test_a_ticket_is_found_by_request_and_by_number() -> None:
    stubs: Stubs[str] = Stubs()
    stub = stubs.add("r1", 7, "owner")
    assert "r1" in stubs
    assert (stubs.get("r1"), stubs.request(7)) == (stub, "r1")
    assert stub.peers == ["owner"]
    assert stubs.items() == [("r1", stub)]


def test_a_dropped_ticket_is_nowhere() -> None:
    stubs: Stubs[str] = Stubs()
    stub = stubs.add("r1", 7, "owner")
    assert stubs.drop("r1") is stub
    assert stubs.drop("r1") is None
    assert (stubs.get("r1"), stubs.request(7), stubs.items()) == (None, None, [])


def test_a_request_has_one_ticket() -> None:
    stubs: Stubs[str] = Stubs()
    stubs.add("r1", 7, "owner")
    with pytest.raises(AssertionError, match="it has a ticket"):
        stubs.add("r1", 8, "owner")
