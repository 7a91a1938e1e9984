"""Holding, poking and giving up, over real sockets."""

import asyncio

import pytest
import uvloop

from tests.activator.world import World, eventually, serving, world


async def at_zero(it: World, **spec: object) -> None:
    """A Service without a Pod."""
    it.revision(**spec)
    it.route(("app-1", 100))
    await eventually(lambda: bool(it.activator._router.hosts()))
    await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)


async def test_a_request_from_zero_is_held_poked_for_and_answered() -> None:
    async with world() as it:
        await at_zero(it)
        client = await it.connect()
        client.send(body=b"abc")
        await eventually(lambda: it.pokes == [1])
        assert it.stats[0].queued_bytes == 3
        await it.replica()
        answer = await client.answer()
        assert answer.body == b"/x abc"
        assert answer.headers["server-timing"].startswith("queue;dur=")
        client.leave()


async def test_whoever_begins_to_decide_is_told_of_what_waits_and_of_nothing_else() -> None:
    async with world() as it:
        await at_zero(it)
        it.activator.poke_again()
        assert it.pokes == []
        client = await it.connect()
        client.send()
        await eventually(lambda: it.pokes == [1])
        it.activator.poke_again()
        assert it.pokes == [1, 1]
        await it.replica()
        assert (await client.answer()).status == 200
        it.activator.poke_again()
        assert it.pokes == [1, 1]
        client.leave()


async def test_a_burst_is_one_poke_with_its_length() -> None:
    # The quiet time is long here, so that the whole burst is sure to be within it.
    async with world(gather_s=0.5, gather_max_s=5.0) as it:
        await at_zero(it, containerConcurrency=1)
        clients = [await it.connect() for _ in range(50)]
        for client in clients:
            client.send()
        await eventually(lambda: bool(it.pokes))
        assert it.pokes == [50]
        for name in ("p1", "p2"):
            await it.replica(name)
        for client in clients:
            assert (await client.answer()).status == 200
            client.leave()


async def test_gathering_ends_though_requests_keep_coming() -> None:
    async with world(gather_s=0.05, gather_max_s=0.1) as it:
        await at_zero(it)
        clients = []
        while not it.pokes:
            clients.append(await it.connect())
            clients[-1].send()
            await asyncio.sleep(0.01)
        assert len(clients) >= it.pokes[0]
        for client in clients:
            client.leave()


async def test_a_queue_that_doubles_pokes_again() -> None:
    async with world() as it:
        await at_zero(it)
        clients = []
        for count in range(1, 9):
            clients.append(await it.connect())
            clients[-1].send()
            await eventually(lambda n=count: it.now().queued == n)
            await eventually(lambda n=count: bool(it.pokes) and it.pokes[-1] * 2 > n)
        assert it.pokes == [1, 2, 4, 8]
        for client in clients:
            client.leave()


async def test_a_queue_that_waits_for_a_replica_on_its_way_pokes_when_it_doubles_only() -> None:
    async with world() as it:
        await at_zero(it)
        it.pod("p1")  # nothing listens there yet
        await eventually(lambda: it.now().pods == 1)
        clients = [await it.connect() for _ in range(2)]
        clients[0].send()
        await eventually(lambda: it.now().queued == 1)
        clients[1].send()
        await eventually(lambda: it.pokes == [2])
        for client in clients:
            client.leave()


async def test_a_crowd_before_replicas_that_are_ready_is_told_with_those_that_execute() -> None:
    async with world(gather_s=0.5, gather_max_s=5.0, crowd=3) as it:
        await at_zero(it, containerConcurrency=1)
        (await it.replica()).auto = False
        clients = [await it.connect() for _ in range(4)]
        clients[0].send()
        await eventually(lambda: it.now().executing == 1)
        for client in clients[1:3]:
            client.send()
        await eventually(lambda: it.now().queued == 2)  # two wait for one: no crowd
        clients[3].send()
        await eventually(lambda: bool(it.pokes))
        crowds = [(stat.queued, stat.is_crowd) for stat in it.stats if stat.is_poke]
        assert crowds == [(4, True)]
        for client in clients:
            client.leave()


async def test_a_held_request_past_its_deadline_is_504() -> None:
    async with world() as it:
        await at_zero(it)
        client = await it.connect()
        answer = await client.call(headers="Relight-Timeout: 0.02\r\n")
        assert (answer.status, answer.reason) == (504, "DeadlineExceeded")
        assert it.now().queued == 0
        client.leave()


async def test_the_earliest_deadline_comes_first_whatever_the_order_of_arrival() -> None:
    async with world() as it:
        await at_zero(it)
        slow, quick = await it.connect(), await it.connect()
        slow.send(headers="Relight-Timeout: 60\r\n")
        await eventually(lambda: it.now().queued == 1)
        assert (await quick.call(headers="Relight-Timeout: 0.02\r\n")).status == 504
        await it.replica()
        assert (await slow.answer()).status == 200
        slow.leave()
        quick.leave()


async def test_overflow_is_429_with_retry_after() -> None:
    async with world(queue_depth_max=1) as it:
        await at_zero(it)
        held, refused = await it.connect(), await it.connect()
        held.send()
        await eventually(lambda: it.now().queued == 1)
        answer = await refused.call()
        assert (answer.status, answer.reason) == (429, "QueueFull")
        assert int(answer.headers["retry-after"]) >= 1
        held.leave()
        refused.leave()


async def test_overflow_in_bytes_is_429_by_the_announced_length() -> None:
    async with world(queue_bytes_max=1000) as it:
        await at_zero(it)
        client = await it.connect()
        answer = await client.call(body=b"a" * 1001)
        assert (answer.status, answer.reason) == (429, "QueueBytes")
        client.leave()


async def test_a_client_that_leaves_frees_its_place() -> None:
    async with world(queue_depth_max=1) as it:
        await at_zero(it)
        first, second = await it.connect(), await it.connect()
        first.send()
        await eventually(lambda: it.now().queued == 1)
        first.leave()
        await eventually(lambda: it.now().queued == 0)
        second.send()
        await eventually(lambda: it.now().queued == 1)
        second.leave()


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_a_departure_and_a_free_slot_in_one_tick(leaves_first: bool) -> None:
    async with serving() as (it, _, first):
        # A Revision's spec is fixed: a new one has the limit.
        it.revision("app-2", containerConcurrency=1)
        it.route(("app-2", 100))
        await it.replica("p2", "app-2")
        await eventually(lambda: "default/app-2" in it.activator.statistics().revisions)
        await it.ready(1, "default/app-2")
        replica = it.replicas["p2"]
        replica.auto = False
        holder = it.activator._holders[("default", "app-2")]
        second, third = await it.connect(), await it.connect()
        for count, client in enumerate((first, second, third)):
            client.send(f"/{count}")
            await eventually(lambda n=count: holder.queued + holder.executing == n + 1)
        running = next(iter(holder._throttler.executing))
        waiting = next(iter(holder._throttler._queue))
        if leaves_first:
            waiting._exchange._link._drop()
            running._exchange._link._drop()
        else:
            running._exchange._link._drop()
            waiting._exchange._link._drop()
        await eventually(lambda: holder.executing == 1 and holder.queued == 0)
        await eventually(lambda: bool(replica.calls) and replica.calls[-1].path == b"/2")
        assert b"/1" not in [call.path for call in replica.calls]
        replica.calls[-1].answer(b"third")
        assert (await third.answer()).body == b"third"
        for client in (second, third):
            client.leave()


async def test_container_concurrency_is_hard_and_the_queue_in_order() -> None:
    async with world() as it:
        await at_zero(it, containerConcurrency=2)
        replica = await it.replica()
        await it.ready()
        replica.auto = False
        clients = [await it.connect() for _ in range(6)]
        for number, client in enumerate(clients):
            client.send(f"/{number}")
            await eventually(lambda n=number: it.now().queued + it.now().executing == n + 1)
        for number, client in enumerate(clients):
            await eventually(lambda n=number: len(replica.calls) >= min(n + 2, 6))
            assert len(replica.calls) == min(number + 2, 6)
            assert replica.calls[number].path == b"/%d" % number
            replica.calls[number].answer(b"ok")
            assert (await client.answer()).status == 200
            client.leave()


FAILED = [
    {"type": "Ready", "status": "False"},
    {"type": "ContainerHealthy", "status": "False", "reason": "ModelMissing", "message": "no file"},
]


async def test_a_failed_revision_refuses_at_once_and_what_it_holds() -> None:
    async with world() as it:
        await at_zero(it)
        held = await it.connect()
        held.send()
        await eventually(lambda: it.now().queued == 1)
        it.revision(conditions=FAILED)
        answer = await held.answer()
        assert (answer.status, answer.reason) == (503, "RevisionFailed")
        assert b"ModelMissing: no file" in answer.body
        assert (await held.call()).status == 503
        it.revision()
        holder = it.activator._holders[("default", "app-1")]
        await eventually(lambda: not holder.terms.failure)
        held.send()
        await eventually(lambda: it.now().queued == 1)
        held.leave()


async def test_a_deadline_says_what_kept_the_replicas() -> None:
    waits = {"type": "Active", "status": "Unknown", "reason": "Unschedulable", "message": "no node"}
    async with world() as it:
        await at_zero(it)
        it.revision(conditions=[{"type": "Ready", "status": "True"}, waits])
        holder = it.activator._holders[("default", "app-1")]
        await eventually(lambda: bool(holder.terms.waits))
        client = await it.connect()
        answer = await client.call(headers="Relight-Timeout: 0.02\r\n")
        assert answer.status == 504
        assert b"before its deadline: Unschedulable: no node" in answer.body
        client.leave()


async def test_a_failed_revision_with_a_replica_serves() -> None:
    async with serving() as (it, _, client):
        it.revision(conditions=FAILED)
        holder = it.activator._holders[("default", "app-1")]
        await eventually(lambda: bool(holder.terms.failure))
        assert (await client.call()).status == 200


async def test_a_held_body_of_unknown_length_is_bounded_and_arrives_whole() -> None:
    async with world() as it:
        await at_zero(it)
        client = await it.connect()
        body = b"a" * 1_000_000
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(10):
            client.writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        client.writer.write(b"0\r\n\r\n")
        await eventually(lambda: it.now().queued == 1)
        assert it.now().queued_bytes == 65_536
        replica = await it.replica()
        answer = await client.answer()
        assert len(answer.body) == len(body) * 10 + 3
        assert len(replica.calls[0].body) == len(body) * 10
        client.leave()


async def test_shutting_down_refuses_what_is_held() -> None:
    async with world() as it:
        await at_zero(it)
        client = await it.connect()
        client.send()
        await eventually(lambda: it.now().queued == 1)
        it.activator._close()
        answer = await client.answer()
        assert (answer.status, answer.reason) == (503, "ShuttingDown")
        client.leave()


def test_deadlines_and_pokes_on_the_loop_of_production() -> None:
    async def scenario() -> None:
        async with world() as it:
            await at_zero(it)
            client = await it.connect()
            for _ in range(3):
                assert (await client.call(headers="Relight-Timeout: 0.01\r\n")).status == 504
            client.send()
            await eventually(lambda: it.pokes[-1:] == [1])
            await it.replica()
            assert (await client.answer()).status == 200

    uvloop.run(scenario())
