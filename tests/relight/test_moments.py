"""Times as people type and read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from relight.errors import UsageError
from relight.moments import clock, moment, span

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
NOW_S = NOW.timestamp()


@pytest.mark.parametrize(
    ("text", "seconds_ago"),
    [
        ("now", 0),
        ("30s ago", 30),
        ("5m ago", 300),
        ("1h30m ago", 5400),
        ("1m 2.5s ago", 62.5),
        ("1.5h ago", 5400),
        ("2 d ago", 172800),
        ("12:00", 30),
        ("12:00:03", 27),
        ("9:59:30.5", 7259.5),
        ("2026-11-23T12:00:03Z", 27),
        ("2026-11-23T13:00:03+01:00", 27),
        ("2026-11-23 12:00:03", 27),
    ],
)
def test_a_moment(text: str, seconds_ago: float) -> None:
    assert moment(text, now_s=NOW_S, zone=UTC) == pytest.approx(NOW_S - seconds_ago)


@pytest.mark.parametrize(
    "text",
    [
        *("noon", "", "25:00", "12:60", "5m", "m ago", "2026-13-01", "-5m ago"),
        *("0001-01-01T00:00:00+14:00", "1969-12-31", "99999999999d ago", "9" * 400 + "h ago"),
    ],
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match=r"--at: .*expected RFC 3339"):
        moment(text, now_s=NOW_S, zone=UTC)


def test_what_has_not_come_yet() -> None:
    with pytest.raises(UsageError, match="--at: 13:00 has not come yet"):
        moment("13:00", now_s=NOW_S, zone=UTC)


def test_a_time_of_day_is_of_the_zone_and_has_its_date_on_another_day() -> None:
    east = timezone(timedelta(hours=2))
    assert moment("14:00", now_s=NOW_S, zone=east) == NOW_S - 30
    assert clock(NOW_S + 0.1239, now_s=NOW_S, zone=UTC) == "12:00:30.123"
    assert clock(NOW_S, now_s=NOW_S, zone=east) == "14:00:30.000"
    assert clock(NOW_S - 86400, now_s=NOW_S, zone=UTC) == "2026-11-22 12:00:30.000"
    assert clock(NOW_S, now_s=NOW_S, zone=None).endswith(":30.000")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0124, "12.4 ms"),
        (3.21, "3.2 s"),
        (303, "5m3s"),
        (3600, "1h"),
        (90061, "1d1h"),
        (60, "1m"),
    ],
)
def test_a_length_of_time(seconds: float, text: str) -> None:
    assert span(seconds) == text
