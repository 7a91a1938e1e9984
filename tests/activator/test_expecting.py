"""A Route that knows more than the watch of Revisions."""

import asyncio

import pytest

from api import kinds
from tests.activator.world import World, eventually, world


async def routed(it: World) -> None:
    it.route(("app-1", 100))
    await eventually(lambda: bool(it.activator._router.hosts()))


async def test_a_request_waits_for_its_revision_and_is_served_whole() -> None:
    async with world(expect_s=60) as it:
        await routed(it)
        whole, part = await it.connect(), await it.connect()
        whole.send(body=b"abc")
        part.writer.write(
            b"POST /part HTTP/1.1\r\nHost: app.default.localhost\r\nContent-Length: 6\r\n\r\nabc"
        )
        await eventually(lambda: it.activator.statistics().expected == 2)
        it.revision()
        replica = await it.replica()
        assert (await whole.answer()).body == b"/x abc"
        part.writer.write(b"def")
        assert (await part.answer()).body == b"/part abcdef"
        assert it.activator.statistics().expected == 0
        assert (await whole.call()).status == 200
        assert len(replica.calls) == 3


async def test_a_large_body_of_unknown_length_pauses_its_client_and_arrives_whole() -> None:
    async with world(expect_s=60) as it:
        await routed(it)
        client = await it.connect()
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        body = b"a" * 100_000
        for _ in range(10):
            client.writer.write(b"%x\r\n%b\r\n" % (len(body), body))
        client.writer.write(b"0\r\n\r\n")
        await eventually(lambda: it.activator.statistics().expected == 1)
        it.revision()
        await it.replica()
        assert len((await client.answer()).body) == 10 * len(body) + 3


async def test_a_client_that_leaves_waits_no_more() -> None:
    async with world(expect_s=60) as it:
        await routed(it)
        client = await it.connect()
        client.send()
        await eventually(lambda: it.activator.statistics().expected == 1)
        client.leave()
        await eventually(lambda: it.activator.statistics().expected == 0)
        assert it.activator._lounge._timer is None
        it.revision()
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        assert it.now().queued == 0


async def test_a_revision_that_does_not_come_is_503_in_order_of_arrival() -> None:
    async with world(expect_s=0.02) as it:
        await routed(it)
        clients = [await it.connect() for _ in range(3)]
        for client in clients:
            client.send(headers="X-Request-Id: mine\r\n")
        for client in clients:
            answer = await client.answer()
            assert (answer.status, answer.reason) == (503, "RevisionGone")
            assert answer.headers["x-request-id"] == "mine"
        assert it.activator._lounge._timer is None
        for client in clients:
            client.send()
        assert len({(await client.answer()).headers["x-request-id"] for client in clients}) == 3


async def test_no_more_than_so_many_wait() -> None:
    async with world(expect_s=60, expect_depth_max=1) as it:
        await routed(it)
        held, refused = await it.connect(), await it.connect()
        held.send()
        await eventually(lambda: it.activator.statistics().expected == 1)
        assert (await refused.call()).reason == "RevisionGone"
        assert it.activator.statistics().expected == 1


async def test_a_route_that_changes_its_mind_is_followed() -> None:
    async with world(expect_s=60) as it:
        await routed(it)
        client = await it.connect()
        client.send()
        await eventually(lambda: it.activator.statistics().expected == 1)
        it.route(("app-2", 100))
        it.revision("app-2")
        await it.replica("p2", "app-2")
        await eventually(lambda: "default/app-2" in it.activator.statistics().revisions)
        assert it.activator.statistics().expected == 1  # it was told of app-1
        it.revision("app-1")
        assert (await client.answer()).status == 200
        assert len(it.replicas["p2"].calls) == 1


async def test_stopping_refuses_what_waits() -> None:
    async with world(expect_s=60) as it:
        await routed(it)
        client = await it.connect()
        client.send()
        await eventually(lambda: it.activator.statistics().expected == 1)
        it.activator._close()
        assert (await client.answer()).status == 503


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_a_departure_and_the_arrival_of_the_revision_in_one_tick(leaves_first: bool) -> None:
    async with world(expect_s=60) as it:
        await routed(it)
        client = await it.connect()
        client.send()
        await eventually(lambda: it.activator.statistics().expected == 1)
        expected = next(iter(it.activator._lounge._waiting))
        raw = {"metadata": {"name": "app-1", "namespace": "default", "uid": "u"}, "spec": {}}
        if leaves_first:
            expected.exchange._link._drop()
            it.activator._on_revision(None, raw)
        else:
            it.activator._on_revision(None, raw)
            expected.exchange._link._drop()
        await asyncio.sleep(0)
        assert it.now().queued == it.now().executing == 0
        assert it.activator.statistics().expected == 0
        it.cluster.objects.pop((kinds.ROUTES, "default", "app"))


async def test_nobody_waits_for_a_revision_that_was_deleted() -> None:
    async with world(expect_s=60) as it:
        await routed(it)
        it.revision()
        await it.replica()
        client = await it.connect()
        assert (await client.call()).status == 200
        it.cluster.remove(kinds.REVISIONS, "app-1")
        await eventually(lambda: not it.activator._holders)
        answer = await client.call()
        assert (answer.status, answer.reason) == (503, "RevisionGone")
        it.revision()  # another one of its name
        await eventually(lambda: bool(it.activator._holders))
        assert not it.activator._lounge._departed
