"""Allowances: spent, refilled, exceeded."""

import pytest

from wire.h2flood import Allowance
from wire.h2frames import ENHANCE_YOUR_CALM, ConnectionFaultError


def test_it_lasts_as_long_as_it_is_large() -> None:
    allowance = Allowance(3, "things")
    for _ in range(3):
        allowance.spend()
    with pytest.raises(ConnectionFaultError, match="too many things") as caught:
        allowance.spend()
    assert caught.value.code == ENHANCE_YOUR_CALM


def test_time_refills_it_up_to_what_it_was() -> None:
    allowance = Allowance(10, "things")
    allowance.spend(10)
    allowance.refill(1.0)
    allowance.spend()
    with pytest.raises(ConnectionFaultError):
        allowance.spend()
    allowance.refill(1e9)
    allowance.spend(10)
    with pytest.raises(ConnectionFaultError):
        allowance.spend()
