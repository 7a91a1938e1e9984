"""Settings and their bounds."""

from typing import Any

import pytest

from activator.config import Settings


def test_the_defaults_are_within_their_bounds() -> None:
    assert Settings().domain == "localhost"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue_depth_max", 0),
        ("queue_bytes_max", 0),
        ("body_bytes_max", -1),
        ("port", 65_536),
        ("gather_s", 0),
        ("gather_max_s", 0.0001),
        ("report_period_s", -1),
        ("probe_s", float("nan")),
        ("expect_s", 0),
        ("event_senders", 0),
        ("event_send_s", 0),
        ("inside_networks", ("10.0.0.0/8", "everyone")),
    ],
)
def test_a_setting_out_of_bounds_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})
