import pytest

from api.openapi import QUANTITY
from embedded.string_formats import TESTS, PatternError, searcher


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2026-01-31", "2026-02-31"),
        ("date-time", "2026-01-31T10:00:00Z", "2026-01-31"),
        ("date-time", "2026-01-31T10:00:00.123+02:00", "2026-13-31T10:00:00Z"),
        ("duration", "1h30m", "soon"),
        ("byte", "aGk=", "a"),
        ("uri", "https://example.com/a", "no uri"),
        ("email", "a@example.com", "a"),
        ("hostname", "a.example.com", "a b"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "2001:db8::1", "192.0.2.1"),
        ("cidr", "192.0.2.0/24", "192.0.2.0/33"),
        ("mac", "00:00:5e:00:53:01", "00:00:5e"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("uuid4", "123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    ],
)
def test_formats_tell_good_from_bad(name: str, good: str, bad: str) -> None:
    assert TESTS[name](good)
    assert not TESTS[name](bad)


@pytest.mark.parametrize(
    ("pattern", "text", "is_there"),
    [
        ("^(a+)+$", "a" * 40 + "!", False),
        ("(x+x+)+y", "x" * 60, False),
        ("(.*)*(.*)*=$", "a" * 50_000, False),
        ("^(a|a)*$", "a" * 40 + "!", False),
        (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z]+)*$", "a-b.c", True),
        (r"^a*\pL+\z", "aü", True),
        (r"^a\z", "a", True),
        ("^[[:alpha:]]+$", "abc", True),
        ("^a$", "a\n", False),
        (QUANTITY["pattern"], "10Mi", True),
        (r"^a\z", "a\n", False),
    ],
)
def test_patterns_answer_at_once(pattern: str, text: str, is_there: bool) -> None:
    # With `re` the first four never end.
    assert searcher(pattern)(text) is is_there


@pytest.mark.parametrize("pattern", ["(", "(?=a)a", r"(a)\1", "((a{1,1000}){1,1000}){1,1000}"])
def test_what_is_no_pattern_is_said_to_be_none(pattern: str) -> None:
    with pytest.raises(PatternError):
        searcher(pattern)
