"""Stats, pokes and the one timer."""

import asyncio
from collections.abc import Sequence

from activator.concurrency import Load
from activator.config import Settings
from activator.loads import Told
from activator.reporting import Reporter
from activator.targets import RevisionKey
from api.stats import Stat
from tests.activator.world import eventually


class Source:
    def __init__(self, name: str) -> None:
        self.key = RevisionKey("ns", name)
        self.is_active = False
        self.queued = 3
        self.queued_bytes = 30
        self.executing = 0
        self.is_crowd = False
        self.loads: list[Load] = []
        self.swept = 0

    def report(self, now_s: float) -> Load:
        if self.loads:
            return self.loads.pop(0)
        return Load(average_concurrency=0, requests_per_s=0, finished_per_s=0, is_idle=True)

    def told(self, now_s: float) -> Told:
        return Told(tokens_in_flight=40.0, queue_delay_s=0.5)

    def expire_executing(self, now_s: float) -> None:
        self.swept += 1


def reporter(stats: list[Stat], connections: Sequence[bool] = ()) -> Reporter:
    left = list(connections)
    settings = Settings(report_period_s=0.01, deadline_grain_s=0.002, reporter="me")
    return Reporter(settings, stats.extend, lambda key, now_s: bool(left) and left.pop())


async def test_a_revision_is_reported_while_active_told_as_zero_once_and_left() -> None:
    stats: list[Stat] = []
    it = reporter(stats, connections=[True, True])
    source = Source("r")
    source.loads = [
        Load(average_concurrency=2.5, requests_per_s=7, finished_per_s=7, is_idle=False)
    ]
    it.activate(source, asyncio.get_running_loop().time())
    assert source.is_active
    await eventually(lambda: not source.is_active)
    assert [(stat.average_concurrency, stat.requests_per_s) for stat in stats] == [(2.5, 7), (0, 0)]
    assert stats[0].reporter == "me"
    assert (stats[0].namespace, stats[0].revision) == ("ns", "r")
    assert (stats[0].queued, stats[0].queued_bytes, stats[0].is_poke) == (3, 30, False)
    assert source.swept > 1
    await eventually(lambda: it._timer is None)


async def test_a_poke_is_told_at_once() -> None:
    stats: list[Stat] = []
    reporter(stats).poke(Source("r"), 5.0)
    assert [
        (stat.is_poke, stat.queued, stat.average_concurrency, stat.time_s) for stat in stats
    ] == [(True, 3, 3.0, 5.0)]
    assert (stats[0].tokens_in_flight, stats[0].queue_delay_s) == (40, 0.5)


async def test_a_crowd_is_told_with_those_that_execute() -> None:
    stats: list[Stat] = []
    source = Source("r")
    source.queued, source.executing, source.is_crowd = 40, 4, True
    reporter(stats).poke(source, 5.0)
    assert [(stat.is_poke, stat.is_crowd, stat.queued) for stat in stats] == [(True, True, 44)]


async def test_closing_ends_the_timer() -> None:
    it = reporter([])
    it.activate(Source("r"), asyncio.get_running_loop().time())
    assert it._timer is not None
    it.close()
    assert it._timer is None
