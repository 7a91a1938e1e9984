import pytest

from cluster.errors import ForbiddenError, UnauthorizedError
from embedded.access import Gate


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:6443", "127.0.0.1:80", "[::1]:6443", "api.localhost:1", "LOCALHOST"],
)
def test_local_names_come_in(host: str) -> None:
    Gate().check({"Host": host})


@pytest.mark.parametrize(
    "host", ["", "example.com", "127.0.0.1.example.com", "10.0.0.1", "xlocalhost", "["]
)
def test_a_name_that_was_made_to_point_here_does_not(host: str) -> None:
    with pytest.raises(ForbiddenError, match="answers to localhost"):
        Gate().check({"Host": host})


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://localhost:8080"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_web_pages_stay_out(header: dict[str, str]) -> None:
    for gate in (Gate(), Gate(token="t")):
        with pytest.raises(ForbiddenError, match="web pages"):
            gate.check({"Host": "localhost", "Authorization": "Bearer t"} | header)


def test_an_address_typed_into_a_browser_comes_in() -> None:
    Gate().check({"Host": "localhost", "Sec-Fetch-Site": "none"})


def test_with_a_token_the_token_decides() -> None:
    gate = Gate(token="secret")
    gate.check({"Host": "example.com", "Authorization": "Bearer secret"})
    for given in ({}, {"Authorization": "Bearer other"}, {"Authorization": "secret"}):
        with pytest.raises(UnauthorizedError):
            gate.check({"Host": "localhost"} | given)
