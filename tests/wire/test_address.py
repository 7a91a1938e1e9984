"""Addresses in text."""

import pytest

from wire.address import Address


@pytest.mark.parametrize(
    "text", ["unix:/run/a.sock", "tcp:127.0.0.1:80", "tcp:[::1]:8080", "tcp:h:1"]
)
def test_an_address_is_read_and_written_alike(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix:",
        "unix:relative",
        "tcp:",
        "tcp:80",
        "tcp:h:",
        "tcp:h:0",
        "tcp:h:65536",
        "tcp:h:x",
        "h:80",
        "tcp:[]:80",
        "tcp:a..b:80",
        "tcp:a\0b:80",
        f"tcp:{'x' * 64}:80",
        f"tcp:h:{'9' * 5000}",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected unix:/path or tcp:host:port"):
        Address.parse(text)
