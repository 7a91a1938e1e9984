"""The table of faults."""

import string

import orjson
import pytest

from predictor.errors import BLANK_CHARACTERS_MAX, Fault, RequestError


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_every_fault_is_an_http_error_with_json_that_says_why(fault: Fault) -> None:
    blanks = [name for _, name, _, _ in string.Formatter().parse(fault.value[1]) if name]
    error = RequestError(fault, **dict.fromkeys(blanks, "{it}"))
    assert 400 <= error.status < 600
    body = orjson.loads(error.body)
    assert list(body) == ["error"]
    assert body["error"].count("{it}") == len(blanks)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_what_a_client_says_comes_back_cut(fault: Fault) -> None:
    blanks = [name for _, name, _, _ in string.Formatter().parse(fault.value[1]) if name]
    long = "é" * (3 << 20)
    text = str(RequestError(fault, **dict.fromkeys(blanks, long)))
    assert len(text) <= len(fault.value[1]) + len(blanks) * BLANK_CHARACTERS_MAX
    assert text.count("é…") == len(blanks)
    just = long[:BLANK_CHARACTERS_MAX]
    assert str(RequestError(fault, **dict.fromkeys(blanks, just))).count(just) == len(blanks)


def test_a_shape_of_many_dimensions_is_cut_as_any_text() -> None:
    said = RequestError(Fault.WRONG_COUNT, name="x", shape=[1] * 100_000, expected=1, got=2).body
    assert len(said) < 2 * BLANK_CHARACTERS_MAX
