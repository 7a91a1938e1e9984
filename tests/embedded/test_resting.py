"""When a replica has come to rest; `test_freezing.py` has the whole way, with processes."""

import asyncio
from typing import Any

from embedded import resting
from embedded.launching import CommandLaunch
from embedded.process import Ended, News, Said


async def test_it_rests_when_it_says_so_whatever_else_is_heard() -> None:
    news: asyncio.Queue[News] = asyncio.Queue()
    news.put_nowait(Said({"ready": True}))
    news.put_nowait(Said({"settled": True}))
    assert await resting._is_settled(news)


async def test_one_that_ended_instead_is_told_to_whoever_ends_it() -> None:
    news: asyncio.Queue[News] = asyncio.Queue()
    news.put_nowait(Ended(None, 9))
    assert not await resting._is_settled(news)
    assert news.get_nowait() == Ended(None, 9)


async def test_nothing_is_asked_for_a_program_of_others() -> None:
    nobody: Any = None
    start: Any = type("S", (), {"launch": CommandLaunch(argv=("x",), env={}), "confinement": ""})
    mine = resting.Resting(nobody, nobody, nobody)
    assert await mine.resumed(start, asyncio.Queue(), nobody, nobody) is None
