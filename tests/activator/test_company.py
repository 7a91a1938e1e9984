"""Activators that share: real sockets, real queues, one process."""

import asyncio
import time

from tests.activator.fleet import Fleet, fleet
from tests.activator.world import Client, Replica, eventually

NAMES = ("a", "b", "c")


async def answer_slowly(replica: Replica, most: list[int]) -> None:
    """Answer what comes, one at a time, and note how many were there."""
    while True:
        if replica.calls:
            most.append(len(replica.calls))
            await asyncio.sleep(0.001)
            replica.calls.pop(0).answer()
        else:
            await asyncio.sleep(0.0005)


async def limited(it: Fleet, *, replicas: int = 2, capacity: int = 1) -> list[Replica]:
    it.revision(containerConcurrency=capacity)
    found = [await it.replica(f"p{number}") for number in range(replicas)]
    for each in found:
        each.auto = False
    await it.known(replicas)
    return found


async def ask(client: Client, count: int, statuses: list[int]) -> None:
    statuses += [(await client.call()).status for _ in range(count)]


async def test_never_two_at_a_replica_of_one_whoever_is_asked() -> None:
    async with fleet(*NAMES) as it:
        replicas = await limited(it)
        statuses: list[int] = []
        most: list[int] = []
        workers = [asyncio.ensure_future(answer_slowly(each, most)) for each in replicas]
        clients = [await it.connect(NAMES[number % 3]) for number in range(20)]
        await asyncio.gather(*(ask(client, 10, statuses) for client in clients))
        for worker in workers:
            worker.cancel()
        assert statuses == [200] * 200
        assert max(most) == 1
        for each in it.serving.values():
            assert (each.now.queued, each.now.executing, each.ring.statistics().tickets) == (
                0,
                0,
                0,
            )


async def test_one_queue_first_come_first_served_across_activators() -> None:
    async with fleet(*NAMES) as it:
        (replica,) = await limited(it, replicas=1)
        clients = []
        for number in range(6):
            name = NAMES[number % 3]
            clients.append(await it.connect(name))
            clients[-1].send(f"/{number}")
            # One after the other: what is in flight may overtake.
            await eventually(lambda n=number: it.waiting == n and bool(n == 0 or replica.calls))  # type: ignore[misc]
        for number in range(6):
            await eventually(lambda: bool(replica.calls))
            assert len(replica.calls) == 1
            call = replica.calls.pop()
            assert call.path == b"/%d" % number
            call.answer()
            assert (await clients[number].answer()).status == 200


async def test_whoever_holds_the_requests_pokes_and_reports_them() -> None:
    async with fleet(*NAMES, report_period_s=0.05) as it:
        it.revision(containerConcurrency=1)
        await it.known(0)
        clients = []
        for name in NAMES:
            clients.append(await it.connect(name))
            clients[-1].send()
        for name in NAMES:
            stats = it.serving[name].stats
            await eventually(lambda s=stats: any(each.is_poke for each in s))  # type: ignore[misc]
            assert {each.queued for each in stats} == {1}
            assert {each.reporter for each in stats} == {name}
        await it.replica("p0")
        for client in clients:
            answer = await client.answer()
            assert answer.status == 200
            assert answer.headers["server-timing"].startswith("queue;dur=")


async def test_a_killed_owner_loses_only_its_own() -> None:
    async with fleet(*NAMES) as it:
        (replica,) = await limited(it, replicas=1)
        others = [name for name in NAMES if name != it.owner]
        running = await it.connect(others[0])
        running.send("/running")
        await eventually(lambda: len(replica.calls) == 1)
        held = []
        for number in range(6):
            held.append(await it.connect(others[number % 2]))
            held[-1].send(f"/{number}")
        await eventually(lambda: sum(it.serving[name].now.queued for name in others) == 6)
        await it.serving.pop(it.owner).kill()
        await it.agreed()
        assert len(replica.calls) == 1, "a slot that is in use was given away"
        replica.calls.pop().answer(b"whole")
        assert (await running.answer()).body == b"whole"
        for _ in range(6):
            await eventually(lambda: bool(replica.calls))
            assert len(replica.calls) == 1
            replica.calls.pop().answer()
        for client in held:
            assert (await client.answer()).status == 200


async def test_an_owner_that_stood_still_asks_what_is_in_use_before_it_gives_a_slot() -> None:
    still_s = {"a": 0.0, "b": 0.0}
    async with fleet() as it:
        for name in still_s:
            await it.start(name, clock=lambda n=name: time.monotonic() + still_s[n])
        await it.agreed()
        (replica,) = await limited(it, replicas=1)
        owner = it.owner
        entry = "a" if owner == "b" else "b"
        running = await it.connect(entry)
        running.send("/running")
        await eventually(lambda: len(replica.calls) == 1)
        peers = it.serving[owner].activator.peers
        assert peers is not None
        before = peers._links[entry]
        still_s[owner] = 10.0
        held = await it.connect(owner)
        held.send("/held")
        await eventually(lambda: peers._links.get(entry, before) is not before)
        await it.agreed()
        assert len(replica.calls) == 1, "a slot that is in use was given away"
        replica.calls.pop().answer()
        assert (await running.answer()).status == 200
        await eventually(lambda: bool(replica.calls))
        replica.calls.pop().answer()
        assert (await held.answer()).status == 200


async def test_a_killed_entry_gives_its_slots_back() -> None:
    async with fleet(*NAMES) as it:
        (replica,) = await limited(it, replicas=1)
        owner = it.owner
        entry = next(name for name in NAMES if name != owner)
        lost = await it.connect(entry)
        lost.send("/lost")
        await eventually(lambda: len(replica.calls) == 1)
        waiting = await it.connect(owner)
        waiting.send("/waiting")
        await eventually(lambda: it.serving[owner].now.queued == 1)
        await it.serving.pop(entry).kill()
        await eventually(lambda: len(replica.calls) == 2)
        assert replica.calls[1].path == b"/waiting"
        replica.calls[1].answer()
        assert (await waiting.answer()).status == 200


async def test_connections_that_break_are_made_anew_and_nothing_shows() -> None:
    async with fleet(*NAMES) as it:
        (replica,) = await limited(it, replicas=1)
        clients = []
        for number in range(4):
            clients.append(await it.connect(NAMES[number % 3]))
            clients[-1].send(f"/{number}")
        await eventually(lambda: len(replica.calls) == 1)
        for _ in range(4):
            for each in it.serving.values():
                each.cut()
            await it.agreed()
            await eventually(lambda: bool(replica.calls))
            assert len(replica.calls) == 1
            replica.calls.pop().answer()
        for client in clients:
            assert (await client.answer()).status == 200


async def test_a_client_that_leaves_and_a_queue_that_is_full() -> None:
    async with fleet("a", "b", queue_depth_max=2) as it:
        (replica,) = await limited(it, replicas=1)
        owner = it.owner
        entry = "a" if owner == "b" else "b"
        first = await it.connect(entry)
        first.send()
        await eventually(lambda: len(replica.calls) == 1)
        held = [await it.connect(owner), await it.connect(entry)]
        for client in held:
            client.send()
        await eventually(lambda: it.serving[owner].ring.statistics().tickets == 2)
        refused = await (await it.connect(entry)).call()
        assert (refused.status, refused.reason) == (429, "QueueFull")
        assert "retry-after" in refused.headers
        held[1].leave()
        await eventually(lambda: it.serving[owner].ring.statistics().tickets == 1)
        first.leave()
        await eventually(lambda: len(replica.calls) == 2)
        replica.calls[1].answer()
        assert (await held[0].answer()).status == 200


async def test_a_replica_that_can_not_be_reached_is_another_ones_turn() -> None:
    async with fleet("a", "b") as it:
        replicas = await limited(it, replicas=2)
        entry = "a" if it.owner == "b" else "b"
        await replicas[0].stop()
        for number in range(4):
            client = await it.connect(entry)
            client.send(f"/{number}")
            await eventually(lambda: bool(replicas[1].calls))
            replicas[1].calls.pop().answer()
            assert (await client.answer()).status == 200


async def test_unlimited_revisions_ask_nobody() -> None:
    async with fleet("a", "b") as it:
        it.revision()
        await it.replica("p0")
        await it.known(1)
        for name in ("a", "b"):
            assert (await (await it.connect(name)).call()).status == 200
            assert not it.serving[name].ring._subjects


async def test_one_that_leaves_hands_on_what_it_owns_and_serves_what_it_has() -> None:
    async with fleet(*NAMES) as it:
        (replica,) = await limited(it, replicas=1)
        owner = it.owner
        leaving = it.serving[owner].activator
        running, held, idle = [await it.connect(owner) for _ in range(3)]
        running.send("/running")
        await eventually(lambda: len(replica.calls) == 1)
        held.send("/held")
        await eventually(lambda: it.serving[owner].now.queued == 1)
        end = asyncio.ensure_future(leaving.leave(linger_s=1.0, end_s=10))
        others = [it.serving[name].ring for name in NAMES if name != owner]
        await eventually(lambda: all(owner not in ring.eligible for ring in others))
        assert not leaving.is_ready
        late = await it.connect(owner)  # who has not heard of it
        late.send("/late")
        for path in (b"/running", b"/held", b"/late"):
            await eventually(lambda: bool(replica.calls))
            assert len(replica.calls) == 1
            call = replica.calls.pop()
            assert call.path == path
            call.answer()
        for client in (running, held, late):
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            client.leave()
        assert await idle.reader.read() == b""
        idle.leave()
        await asyncio.wait_for(end, 10)


async def test_what_can_not_be_served_before_the_end_is_refused_with_a_hint() -> None:
    async with fleet("a", "b") as it:
        it.revision(containerConcurrency=1)
        await it.known(0)
        client = await it.connect("a")
        client.send()
        await eventually(lambda: it.serving["a"].now.queued == 1)
        await it.serving["a"].activator.leave(linger_s=0, end_s=0.05)
        answer = await client.answer()
        assert (answer.status, answer.reason) == (503, "ShuttingDown")
        assert answer.headers["retry-after"] == "1"
