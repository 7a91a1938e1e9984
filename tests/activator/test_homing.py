"""Which URLs are our own."""

import pytest

from activator.homing import Home, find_home

OWN = ("127.0.0.1", 8080)


def is_served(host: bytes, path: bytes) -> bool:
    assert path.startswith(b"/")
    return host.partition(b":")[0] in {b"dumper.default", b"dumper.default.localhost"}


@pytest.mark.parametrize(
    ("url", "own", "home"),
    [
        ("http://dumper.default", OWN, "http://127.0.0.1:8080"),
        ("http://dumper.default/in?a=1", OWN, "http://127.0.0.1:8080/in?a=1"),
        ("http://dumper.default:80/", OWN, "http://127.0.0.1:8080/"),
        ("http://dumper.default.localhost:8080/", OWN, "http://127.0.0.1:8080/"),
        ("http://dumper.default/", ("0.0.0.0", 81), "http://127.0.0.1:81/"),
        ("http://dumper.default/", ("::", 81), "http://[::1]:81/"),
        ("http://dumper.default/", ("10.0.0.1", 81), "http://10.0.0.1:81/"),
        ("http://dumper.default:9000/", OWN, None),
        ("https://dumper.default/", OWN, None),
        ("http://elsewhere.org/", OWN, None),
        ("http://dumper.default/", ("", 0), None),
    ],
)
def test_urls(url: str, own: tuple[str, int], home: str | None) -> None:
    found = find_home(url, own, is_served)
    if home is None:
        assert found is None
    else:
        assert found == Home(url=home, host=url.split("/")[2])
