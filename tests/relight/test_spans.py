from math import inf

import pytest

from relight import spans
from relight.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200ms", 0.2), ("0.2s", 0.2), ("1m", 60.0), ("1m30s", 90.0), ("0", 0.0), ("50us", 5e-5)],
)
def test_times_are_gos(text: str, seconds: float) -> None:
    assert spans.parse("--x", text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "200", "fast", "-1s", "1 s"])
def test_no_time_is_refused_with_the_flag(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--service-time "):
        spans.parse("--service-time", text)


def test_too_short_says_how_short_it_may_be() -> None:
    with pytest.raises(UsageError, match="--for 0s: expected at least 1 s"):
        spans.parse("--for", "0s", least_s=1.0)


@pytest.mark.parametrize(
    ("text", "found"),
    [("10m..20m", (600.0, 1200.0)), ("10m..", (600.0, inf)), ("..5s", (0.0, 5.0))],
)
def test_slices(text: str, found: tuple[float, float]) -> None:
    assert spans.parse_slice("--slice", text) == found


@pytest.mark.parametrize("text", ["10m", "..", "20m..10m", "5s..5s", "a..b"])
def test_a_slice_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--slice "):
        spans.parse_slice("--slice", text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0"),
        (0.0004, "0.4 ms"),
        (0.532, "532 ms"),
        (0.9999, "1 s"),
        (1.254, "1.25 s"),
        (84.21, "84.2 s"),
        (3420, "57 min"),
        (10_799, "180 min"),
        (83_100, "23.1 h"),
        (1_000_000, "11.6 days"),
    ],
)
def test_spans_are_short_to_read(seconds: float, text: str) -> None:
    assert spans.human(seconds) == text


def test_counts() -> None:
    assert spans.counted(0, "request") == "0 requests"
    assert spans.counted(1, "request") == "1 request"
    assert spans.counted(8819, "request") == "8,819 requests"
