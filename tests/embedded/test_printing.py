from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.printing import age, human_duration, json_path

MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


# The table of k8s.io/apimachinery/pkg/util/duration's own test.
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-2 * HOUR, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (0.9, "0s"),
        (1, "1s"),
        (70, "70s"),
        (119.9, "119s"),
        (190, "3m10s"),
        (70 * MINUTE, "70m"),
        (2 * MINUTE, "2m"),
        (3 * MINUTE + 10, "3m10s"),
        (9 * MINUTE + 59, "9m59s"),
        (10 * MINUTE + 10, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 10 * MINUTE, "3h10m"),
        (8 * HOUR + 10 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (48 * HOUR, "2d"),
        (50 * HOUR, "2d2h"),
        (8 * DAY - 1, "7d23h"),
        (8 * DAY, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR, "8y"),
        (8 * YEAR + 364 * DAY, "8y"),
    ],
)
def test_durations_are_those_of_kubectl(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


@given(st.floats(0, 1e10))
def test_every_duration_has_a_text(seconds: float) -> None:
    assert len(human_duration(seconds)) <= 8


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        ("2027-01-15T08:00:00Z", "10s"),
        ("2027-01-15T08:00:00.5Z", "9s"),
        ("2027-01-15T09:00:00+01:00", "10s"),
        ("2027-01-15T08:00:00", "<unknown>"),
        ("yesterday", "<unknown>"),
        (None, "<unknown>"),
        (7, "<unknown>"),
    ],
)
def test_ages_are_told_from_timestamps(timestamp: Any, text: str) -> None:
    assert age(timestamp, 1_800_000_010.0) == text


OBJECT = {
    "metadata": {"labels": {"example.com/key": "v"}},
    "status": {
        "url": "http://x",
        "conditions": [{"type": "Other"}, {"type": "Ready", "status": "True"}],
        "traffic": [
            {"latestRevision": True, "percent": 20},
            {"latestRevision": False, "percent": 80},
        ],
    },
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".status.url", "http://x"),
        (".status.absent.more", None),
        (".status.url.more", None),
        (".status.conditions[?(@.type=='Ready')].status", "True"),
        ('.status.conditions[?(@.type=="Ready")].status', "True"),
        (".status.conditions[?(@.type=='None')].status", None),
        (".status.conditions[0].type", "Other"),
        (".status.conditions[7].type", None),
        (".status.url[0]", None),
        (".status.url[?(@.a=='b')]", None),
        (r".metadata.labels['example\.com/key']", "v"),
        (".status.traffic[?(@.latestRevision==true)].percent", 20),
        (".status.traffic[?(@.latestRevision==false)].percent", 80),
        (".status.traffic[?(@.latestRevision=='true')].percent", None),
        (".status.conditions[*].type", "Other"),
        (".status.traffic[*].none", None),
        ("", OBJECT),
    ],
)
def test_paths_find_what_columns_show(path: str, value: Any) -> None:
    assert json_path(OBJECT, path) == value


@pytest.mark.parametrize("path", ["status", ".a[-]", "..a", ".a[", ".a[?(@.b==c)]"])
def test_what_is_no_path_is_told(path: str) -> None:
    with pytest.raises(ValueError, match="not a JSON path"):
        json_path(OBJECT, path)
