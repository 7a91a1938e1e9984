"""One of many models: who waits for it, and what it is expected to take."""

import asyncio
from typing import cast

import pytest

from predictor.packed_model import PackedModel, Waiter
from wire.exchange import Exchange


def waiter(told: list[str], name: str) -> Waiter:
    return Waiter(exchange=cast("Exchange", name), go_on=lambda: told.append(f"{name} goes on"))


async def test_who_waits_is_told_once() -> None:
    told: list[str] = []
    model = PackedModel()
    first, second, third = (waiter(told, name) for name in ("first", "second", "third"))
    first.timer = asyncio.get_running_loop().call_later(20, told.append, "too late")
    model.waiting = dict.fromkeys((first, second, third))
    model.let(first, first.go_on)
    model.let(first, first.go_on)
    assert first.timer.cancelled()
    model.let(second, lambda: told.append("second is refused"))
    model.let_all(lambda one: one.go_on())
    model.let_all(lambda one: one.go_on())
    assert told == ["first goes on", "second is refused", "third goes on"]
    assert not model.waiting
    assert not model.is_busy


@pytest.mark.parametrize(
    ("opens", "took", "limit", "expected"),
    [(0, 0, 50, 10), (1, 90, 50, 50), (1, 90, 0, 90), (2, 90, 50, 90), (1, 5, 50, 10)],
)
def test_the_first_opening_may_have_brought_its_library(
    opens: int, took: int, limit: int, expected: int
) -> None:
    model = PackedModel(opens=opens, size_bytes=took)
    assert model.expected_bytes(10, limit) == expected
