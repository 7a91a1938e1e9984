"""Units by magnitude, by name, and dates."""

import pytest

from rehearsal.stamps import seconds, stamps_like, unit_of


@pytest.mark.parametrize(
    ("text", "unit", "value", "is_epoch"),
    [
        ("0", None, 0.0, False),
        ("3435.948", None, 3435.948, False),
        ("999999999", None, 999_999_999.0, False),
        ("1700000000", None, 1.7e9, True),
        ("1700000000000", None, 1.7e9, True),
        ("1700000000000000", None, 1.7e9, True),
        ("1700000000000000000", None, 1.7e9, True),
        ("27000", "ms", 27.0, False),
        ("1700000000000", "ms", 1.7e9, True),
        ("200000000000", "s", 2e11, True),
        ("2023-11-14 22:13:20", None, 1.7e9, True),
        ("2023-11-14T22:13:20Z", None, 1.7e9, True),
        ("2023-11-15T00:13:20.5+02:00", None, 1.7e9 + 0.5, True),
        ("2023/11/14 22:13:20.1234567", None, 1.7e9 + 0.123456, True),
        ("2023-11-14 22:13:20 UTC", None, 1.7e9, True),
    ],
)
def test_a_stamp_is_read(text: str, unit: str | None, value: float, *, is_epoch: bool) -> None:
    stamps = stamps_like(text, unit=unit)
    assert stamps.read(text) == pytest.approx(value, abs=1e-6)
    assert stamps.is_epoch is is_epoch


@pytest.mark.parametrize("text", ["", "soon", "12:30", "2023-13-01"])
def test_what_is_no_stamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid isoformat string|month must be"):
        stamps_like(text, unit=None)


@pytest.mark.parametrize("text", ["nan", "inf", "x"])
def test_later_stamps_are_checked_too(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        stamps_like("1", unit=None).read(text)


def test_a_zone_is_told_only_where_it_is_assumed() -> None:
    assert stamps_like("2023-11-14", unit=None).note == "Times are dates, taken for UTC."
    assert stamps_like("2023-11-14T00:00:00Z", unit=None).note == "Times are dates."


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("duration_ms", "ms"),
        ("timestamp_seconds", "s"),
        ("latency_us", "us"),
        ("t_nanos", "ns"),
        ("timestamp", None),
        ("ms", "ms"),
    ],
)
def test_a_unit_is_in_the_name(column: str, unit: str | None) -> None:
    assert unit_of(column) == unit


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "long"])
def test_a_length_of_time_is_not_negative(text: str) -> None:
    assert seconds("250", 1e3) == 0.25
    with pytest.raises(ValueError, match=text):
        seconds(text, 1.0)
