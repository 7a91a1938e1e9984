"""Limits are checked when they are made."""

import pytest

from wire.limits import Limits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("header_bytes_max", 0), ("body_bytes_max", -1), ("streams_max", 0)),
        *(("resets_max", 0), ("nuisances_max", -5), ("idle_s", 0), ("head_s", float("nan"))),
    ],
)
def test_a_limit_out_of_bounds_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Limits(**{name: value})
