import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from predictor.pooled_zygote import Order, PodZygote, ZygoteError


class Heard:
    def __init__(self) -> None:
        self.facts: list[Mapping[str, Any]] = []
        self.ended = asyncio.get_running_loop().create_future()

    def replica_said(self, fact: Mapping[str, Any]) -> None:
        self.facts.append(fact)

    def replica_ended(self, code: int) -> None:
        self.ended.set_result(code)


async def test_one_that_can_not_start_says_so() -> None:
    zygote = PodZygote(Heard(), env={"PATH": "/usr/bin"})
    with pytest.raises(ZygoteError, match="before it was warm"):
        await zygote.start(["no-such-library"])
    await zygote.stop()


async def test_what_is_too_much_to_say_is_refused() -> None:
    zygote = PodZygote(Heard(), env={})
    order = Order(args=["x" * 300_000], env={}, cwd="/")
    with pytest.raises(ValueError, match="at most"):
        zygote.launch(order, None)  # type: ignore[arg-type] # refused before it is looked at


async def test_when_it_is_killed_the_replica_has_ended() -> None:
    heard = Heard()
    zygote = PodZygote(heard, env={"PATH": "/usr/bin"})
    await zygote.start([])
    process = zygote._process
    assert process is not None
    process.kill()
    assert await asyncio.wait_for(heard.ended, 10) == 1
    await zygote.stop()


async def test_one_that_gets_warm_when_nobody_waits_any_more_is_no_fault() -> None:
    zygote = PodZygote(Heard(), env={})
    zygote._warm = asyncio.get_running_loop().create_future()
    zygote._warm.cancel()
    zygote._heard({"event": "zygote-ready"})
    assert zygote._warm.cancelled()
