import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import formats

DNS_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", []),
        ("a-1", []),
        ("a" * 63, []),
        ("a" * 64, ["must be no more than 63 characters"]),
        ("A" * 64, ["must be no more than 63 characters", DNS_1035]),
        ("", [DNS_1035]),
        ("1a", [DNS_1035]),
        ("a-", [DNS_1035]),
        ("a.b", [DNS_1035]),
        ("a\n", [DNS_1035]),
    ],
)
def test_dns_1035_label(text: str, expected: list[str]) -> None:
    assert formats.dns_1035_label(text) == expected


def test_a_prefix_may_end_in_a_dash() -> None:
    assert formats.dns_1035_prefix("iris-") == []
    assert formats.dns_1035_prefix("iris") == []
    assert formats.dns_1035_prefix("-") == [DNS_1035]
    assert formats.dns_1035_prefix("Iris-") == [DNS_1035]


def test_a_container_name_may_start_with_a_digit() -> None:
    assert formats.dns_1123_label("1-a") == []
    (wrong,) = formats.dns_1123_label("_")
    assert wrong.startswith("a lowercase RFC 1123 label must consist of")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", []),
        ("My_name.1", []),
        ("example.com/MyName", []),
        ("", ["name part must be non-empty"]),
        ("example.com/", ["name part must be non-empty"]),
        ("/a", ["prefix part must be non-empty"]),
        ("a" * 64, ["name part must be no more than 63 characters"]),
        ("b" * 254 + "/a", ["prefix part must be no more than 253 characters"]),
        ("-a", ["name part must consist of alphanumeric characters, '-', '_' or '.',"]),
        ("A.com/a", ["prefix part a lowercase RFC 1123 subdomain must consist of"]),
        ("a/b/c", ["a qualified name must consist of alphanumeric characters"]),
    ],
)
def test_qualified_name(text: str, expected: list[str]) -> None:
    found = formats.qualified_name(text)
    assert len(found) == len(expected)
    assert all(each.startswith(start) for each, start in zip(found, expected, strict=True))


@pytest.mark.parametrize("text", ["", "a", "A_1.b-c", "a" * 63])
def test_label_values(text: str) -> None:
    assert formats.label_value(text) == []


@pytest.mark.parametrize("text", ["-a", "a b", "a" * 64, "ü"])
def test_wrong_label_values(text: str) -> None:
    assert len(formats.label_value(text)) == 1


@pytest.mark.parametrize(("text", "is_right"), [("A_b.c-1", True), ("1A", False), ("", False)])
def test_env_name(text: str, is_right: bool) -> None:
    assert (formats.env_name(text) == []) is is_right


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("6s", 6),
        ("1h0m0s", 3600),
        ("1m30s", 90),
        ("0.5h", 1800),
        (".5s", 0.5),
        ("1.s", 1),
        ("-2s", -2),
        ("+2s", 2),
        ("1500ms", 1.5),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("1ns", 1e-9),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert formats.duration_ns(text) == round(seconds * 1e9)


@pytest.mark.parametrize(
    "text",
    ["", "+", "6", "s", ".s", "6 s", "6S", "6d", "--6s", "1h-5m", "9" * 25 + "s", "9999999h"],
)
def test_not_a_duration(text: str) -> None:
    assert formats.duration_ns(text) is None


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(hours: int, minutes: int, seconds: int) -> None:
    expected = (hours * 3600 + minutes * 60 + seconds) * 10**9
    assert formats.duration_ns(f"{hours}h{minutes}m{seconds}s") == expected


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    for check in (formats.dns_1035_label, formats.qualified_name, formats.label_value):
        assert all(isinstance(each, str) for each in check(text))
    assert isinstance(formats.duration_ns(text), int | None)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (1_500_000, "1.5ms"),
        (6_500_000_000, "6.5s"),
        (-5_000_000_000, "-5s"),
        (61_000_000_000, "1m1s"),
        (3_600_000_000_000, "1h0m0s"),
        (5_400_000_000_001, "1h30m0.000000001s"),
    ],
)
def test_a_duration_is_printed_as_go_does(nanoseconds: int, text: str) -> None:
    assert formats.duration_text(nanoseconds) == text


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_a_printed_duration_is_read_back(nanoseconds: int) -> None:
    assert formats.duration_ns(formats.duration_text(nanoseconds)) == nanoseconds
