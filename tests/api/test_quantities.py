from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import quantities


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("0.5", "0.5"),
        ("500m", "0.5"),
        (".5", "0.5"),
        ("2e3", "2000"),
        ("1E3", "1000"),
        ("1k", "1000"),
        ("1E", "1e18"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("-1", "-1"),
        ("3n", "3e-9"),
    ],
)
def test_parse(text: str, expected: str) -> None:
    assert quantities.parse(text) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1gi", "1K", "1e", "1mi", "1e999", "nan", "1_0"])
def test_not_a_quantity(text: str) -> None:
    assert quantities.parse(text) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    found = quantities.parse(text)
    assert found is None or found.is_finite()


@given(st.integers(0, 10**12))
def test_milli_is_a_thousandth(amount: int) -> None:
    whole, milli = quantities.parse(str(amount)), quantities.parse(f"{amount}m")
    assert whole is not None
    assert milli is not None
    assert milli * 1000 == whole
