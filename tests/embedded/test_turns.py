import asyncio

from embedded.turns import Turn, Turns


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_no_more_at_once_than_allowed_and_in_order() -> None:
    turns = Turns(at_once_max=2, longest_s=60)
    taken: list[tuple[int, Turn]] = []

    async def start(number: int) -> None:
        taken.append((number, await turns.take()))

    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(start(number))
        await settle()
        assert [number for number, _ in taken] == [0, 1]
        taken[0][1].end()
        taken[0][1].end()  # twice is once
        await settle()
        assert [number for number, _ in taken] == [0, 1, 2]
        taken[1][1].end()
        taken[2][1].end()
        await settle()
    assert [number for number, _ in taken] == [0, 1, 2, 3, 4]
    for _, turn in taken:
        turn.end()


async def test_a_start_that_takes_long_gives_its_turn_away() -> None:
    turns = Turns(at_once_max=1, longest_s=0.01)
    first = await turns.take()
    async with asyncio.timeout(10):
        second = await turns.take()
    first.end()
    second.end()


async def test_who_stops_waiting_costs_nobody_a_turn() -> None:
    for is_given in (False, True):  # cancelled before, and in the same turn as, it was given
        turns = Turns(at_once_max=1, longest_s=60)
        first = await turns.take()
        waiting = asyncio.get_running_loop().create_task(turns.take())
        await settle()
        if is_given:
            first.end()
            waiting.cancel()
        else:
            waiting.cancel()
            first.end()
        await settle()
        async with asyncio.timeout(10):
            (await turns.take()).end()
