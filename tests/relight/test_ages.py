import pytest

from relight.ages import age, human_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (119, "119s"),
        (120, "2m"),
        (123, "2m3s"),
        (600, "10m"),
        (661, "11m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 120, "3h2m"),
        (8 * 3600 + 120, "8h"),
        (48 * 3600 + 3600, "2d1h"),
        (9 * 86400 + 3600, "9d"),
        (2 * 365 * 86400 + 86400, "2y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations_are_kubectls(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_age_is_counted_from_a_kubernetes_timestamp() -> None:
    assert age("1970-01-01T00:01:00Z", 90.0) == "30s"


@pytest.mark.parametrize("timestamp", [None, "", "yesterday"])
def test_age_of_nothing_known(timestamp: str | None) -> None:
    assert age(timestamp, 0.0) == "<unknown>"
