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


def test_every_address_of_every_interface_is_found() -> None:
    trie = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.9.9.0
        /24 link UNICAST
     |-- 10.9.9.9
        /32 host LOCAL
     |-- 10.9.9.255
        /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
"""
    assert hosts.ipv4_of(trie) == ["10.9.9.9", "127.0.0.1"]
    addresses = (
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe800000000000000000000000000001 02 40 20 80     eth0\n"
        "20010db8000000000000000000000002 02 40 00 80     eth0\n"
    )
    assert hosts.ipv6_of(addresses) == ["::1", "2001:db8::2"]
