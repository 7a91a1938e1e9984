import pytest

from embedded import hosts


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, *, is_local: bool) -> None:
    assert hosts.is_loopback(host) is is_local


def test_a_server_on_every_address_is_reached_on_loopback() -> None:
    assert hosts.reachable("0.0.0.0") == "127.0.0.1"
    assert hosts.reachable("::") == "::1"
    assert hosts.reachable("192.0.2.7") == "192.0.2.7"


def test_names_are_those_that_clients_use() -> None:
    every = hosts.names("0.0.0.0")
    assert {"localhost", "127.0.0.1", "::1"} <= set(every)
    assert len(every) == len(set(every))
    assert "192.0.2.7" in hosts.names("192.0.2.7")
