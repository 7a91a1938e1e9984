"""The first look at a body."""

import pytest

from predictor.errors import RequestError
from predictor.protocol import parse_object


def test_an_object_is_given_back() -> None:
    assert parse_object(b' {"a": 1} ') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is not JSON"),
        (b"{'a': 1}", "the body is not JSON"),
        (b"[1]", "must be a JSON object, not a list"),
        (b"null", "must be a JSON object, not null"),
        (b'"a"', "must be a JSON object, not text"),
    ],
)
def test_anything_else_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        parse_object(body)


def test_pythons_words_for_no_numbers_are_text() -> None:
    assert parse_object(b'{"a":[NaN,"NaN",-Infinity]}') == {"a": ["NaN", "NaN", "-Infinity"]}


def test_a_fault_points_into_what_was_sent() -> None:
    with pytest.raises(RequestError, match=r"line 1 column 7 \(char 6\)"):
        parse_object(b'{"a":[NaN,]}')
