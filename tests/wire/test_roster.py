"""One clock and one timer for many connections."""

import asyncio

from wire.limits import Limits
from wire.roster import Roster


class Member:
    def __init__(self) -> None:
        self.checked = 0
        self.retired = 0
        self.wound_down = 0

    def check(self, now_s: float) -> None:
        self.checked += 1

    def wind_down(self) -> None:
        self.wound_down += 1

    def retire(self) -> None:
        self.retired += 1


async def test_members_are_checked_until_the_last_one_leaves() -> None:
    roster = Roster(Limits(idle_s=0.02))
    members = [Member(), Member()]
    for member in members:
        roster.add(member)
    async with asyncio.timeout(5):
        while members[0].checked < 3:
            await asyncio.sleep(0.001)
    assert members[1].checked == members[0].checked
    roster.discard(members[0])
    assert len(roster) == 1
    roster.discard(members[1])
    roster.discard(members[1])
    assert roster._timer is None


async def test_the_clock_is_that_of_the_loop_and_never_a_period_behind() -> None:
    roster = Roster(Limits())
    assert roster.period_s == 0.5
    member = Member()
    roster.add(member)
    assert asyncio.get_running_loop().time() - roster.now_s < roster.period_s
    roster.retire()
    assert member.retired == 1
    roster.discard(member)


async def test_winding_down_reaches_those_that_are_there_and_retiring_spares_some() -> None:
    class Spared(Member):
        pass

    roster = Roster(Limits())
    members = [Member(), Spared()]
    for member in members:
        roster.add(member)
    roster.wind_down()
    assert roster.is_winding_down
    assert [each.wound_down for each in members] == [1, 1]
    roster.retire(spared=Spared)
    assert [each.retired for each in members] == [1, 0]
    for member in members:
        roster.discard(member)
