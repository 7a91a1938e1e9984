"""UBJSON as XGBoost writes it, read strictly."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.ubjson import UbjsonError, parse

DOCUMENT = (
    b"{" + b"L\0\0\0\0\0\0\0\x01aSL\0\0\0\0\0\0\0\x02hi" + b"i\x01b[$l#L\0\0\0\0\0\0\0\x02"
    b"\0\0\0\x01\xff\xff\xff\xff"
    + b"U\x01c[i\x05TFZ]"
    + b"i\x01d[#i\x01D\x3f\xf0\0\0\0\0\0\0"
    + b"}"
)


def test_a_document_is_read() -> None:
    found = parse(DOCUMENT)
    assert found["a"] == "hi"
    assert found["b"].tolist() == [1, -1]
    assert found["c"] == [5, True, False, None]
    assert found["d"] == [1.0]
    assert parse(b"Cx") == "x"


@pytest.mark.parametrize("length", range(len(DOCUMENT)))
def test_one_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(UbjsonError):
        parse(DOCUMENT[:length])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{}x", "goes on for 1 bytes"),
        (b"[" * 100, "nested deeper than 64"),
        (b"SL\xff\xff\xff\xff\xff\xff\xff\xff", "cut short or damaged"),
        (b"[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff", "cut short or damaged"),
        (b"Si\x01\xff", "not UTF-8"),
        (b"Sd\0\0\0\0", "no length"),
        (b"[$S#i\x01", "no array"),
        (b"?", "no type of UBJSON"),
    ],
)
def test_lengths_that_lie_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(UbjsonError, match=said):
        parse(data)


@given(st.binary(max_size=60), st.integers(0, len(DOCUMENT)))
def test_nothing_but_its_own_error_comes_out(noise: bytes, at: int) -> None:
    with contextlib.suppress(UbjsonError):
        parse(DOCUMENT[:at] + noise)
