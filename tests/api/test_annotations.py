from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.annotations import Annotations, camel_case, read_int32
from api.errors import InvalidObjectError
from api.fields import Faults

KEY = "d.org/some-key"
ALIAS = "d.org/someKey"


def read(call: Callable[[Annotations], object], raw: dict[str, str]) -> tuple[object, str]:
    faults = Faults()
    value = call(Annotations(raw, "a", faults))
    try:
        faults.raise_any()
    except InvalidObjectError as error:
        return value, str(error)
    return value, ""


def duration(source: Annotations) -> float | None:
    return source.duration_s(KEY, "6s", "1h0m0s", is_whole=True)


@pytest.mark.parametrize(
    ("call", "text", "value", "error"),
    [
        (lambda s: s.integer(KEY), "-3", -3, ""),
        (lambda s: s.integer(KEY), "+3", 3, ""),
        (lambda s: s.integer(KEY), "3.0", None, "invalid value: 3.0: a.d.org/some-key"),
        (lambda s: s.integer(KEY), "", None, "invalid value: : a.d.org/some-key"),
        (lambda s: s.integer(KEY), "٣", None, "invalid value: ٣: a.d.org/some-key"),
        (
            lambda s: s.count(KEY),
            "2147483648",
            None,
            "expected 0 <= 2147483648 <= 2147483647: a.d.org/some-key",
        ),
        (
            lambda s: s.count(KEY),
            "9" * 5000,
            None,
            f"expected 0 <= {'9' * 5000} <= 2147483647: a.d.org/some-key",
        ),
        (lambda s: s.count(KEY), "-1", None, "expected 0 <= -1 <= 2147483647: a.d.org/some-key"),
        (lambda s: s.number(KEY), "1e2", 100.0, ""),
        (lambda s: s.number(KEY), ".5", 0.5, ""),
        (lambda s: s.number(KEY), "nan", None, "invalid value: nan: a.d.org/some-key"),
        (lambda s: s.number(KEY), "inf", None, "invalid value: inf: a.d.org/some-key"),
        (lambda s: s.number(KEY), "1e999", None, "invalid value: 1e999: a.d.org/some-key"),
        (lambda s: s.number(KEY), "1_0", None, "invalid value: 1_0: a.d.org/some-key"),
        (lambda s: s.number_within(KEY, 1, 100), "1", 1.0, ""),
        (lambda s: s.number_within(KEY, 1, 100), "100", 100.0, ""),
        (
            lambda s: s.number_within(KEY, 1, 100),
            "0.99",
            None,
            "expected 1 <= 0.99 <= 100: a.d.org/some-key",
        ),
        (lambda s: s.word(KEY, {"a": "b"}), "a", "b", ""),
        (lambda s: s.word(KEY, {"a": "b"}), "c", None, "invalid value: c: a.d.org/some-key"),
        (duration, "6s", 6.0, ""),
        (duration, "1h", 3600.0, ""),
        (duration, "5s", None, "expected 6s <= 5s <= 1h0m0s: a.d.org/some-key"),
        (duration, "1h1s", None, "expected 6s <= 1h1s <= 1h0m0s: a.d.org/some-key"),
        (duration, "6", None, "invalid value: 6: a.d.org/some-key"),
        (
            duration,
            "6500ms",
            None,
            "must be specified with at most second precision: a.d.org/some-key",
        ),
    ],
)
def test_reading(
    call: Callable[[Annotations], object], text: str, value: object, error: str
) -> None:
    assert read(call, {KEY: text}) == (value, error)
    assert read(call, {ALIAS: text}) == (value, error.replace(KEY, ALIAS))


def test_two_spellings_must_agree() -> None:
    assert read(lambda s: s.integer(KEY), {KEY: "1", ALIAS: "1"}) == (1, "")
    value, error = read(lambda s: s.integer(KEY), {KEY: "1", ALIAS: "2"})
    assert value == 1
    assert error == f"expected exactly one, got both: a.{KEY}, a.{ALIAS}"


def test_absent_is_none_and_no_error() -> None:
    for call in (lambda s: s.integer(KEY), lambda s: s.number(KEY), duration):
        assert read(call, {}) == (None, "")


def test_what_nobody_asked_for_is_known() -> None:
    source = Annotations({KEY: "1", "d.org/x": "", "e.org/y": ""}, "a", Faults())
    assert source.integer(KEY) == 1
    assert source.unread("d.org/") == ["d.org/x"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("d.org/min-scale", "d.org/minScale"), ("d.org/class", "d.org/class"), ("a-b/c-d", "a-b/cD")],
)
def test_camel_case(key: str, expected: str) -> None:
    assert camel_case(key) == expected


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for call in (lambda s: s.count(KEY), lambda s: s.number_within(KEY, 1, 9), duration):
        value, error = read(call, {KEY: text})
        assert (value is None) == bool(error)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("+3", 3),
        ("-2147483648", -(2**31)),
        ("2147483648", None),
        ("9" * 5000, None),
        ("1.0", None),
        ("", None),
    ],
)
def test_an_integer_of_32_bits(text: str, number: int | None) -> None:
    assert read_int32(text) == number
