"""Passages: streaming both ways, and every way a replica or a client can fail."""

import asyncio
import contextlib

import pytest

from activator.targets import RevisionKey
from tests.activator.world import Client, Replica, World, eventually, serving


async def test_answers_of_every_framing_arrive_whole() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        for number, (raw, body) in enumerate(
            [
                (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
                (
                    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
                    b"a",
                ),
                (
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"1\r\na\r\n2\r\nbc\r\n0\r\nT: 1\r\n\r\n",
                    b"abc",
                ),
                (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
                (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"no"),
            ]
        ):
            client.send()
            await eventually(lambda n=number: len(replica.calls) == n + 1)
            replica.calls[number].writer.write(raw)
            answer = await client.answer()
            assert answer.body == body
            assert answer.headers["x-request-id"]
        assert len(replica.connections) == 1


async def test_an_answer_that_ends_with_its_connection() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        replica.calls[0].writer.write_eof()
        assert (await client.answer()).body == b"abc"


async def test_a_streamed_answer_arrives_piece_by_piece() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        writer = replica.calls[0].writer
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"chunked" in await client.reader.readuntil(b"\r\n\r\n")
        for piece in (b"one", b"two"):
            writer.write(b"3\r\n%b\r\n" % piece)
            assert await client.reader.readexactly(8) == b"3\r\n%b\r\n" % piece
        writer.write(b"0\r\n\r\n")
        assert await client.reader.readexactly(5) == b"0\r\n\r\n"
        client.send()
        await eventually(lambda: len(replica.calls) == 2)


async def test_head_has_the_length_and_no_body() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.writer.write(b"HEAD / HTTP/1.1\r\nHost: app.default.localhost\r\n\r\n")
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
        head = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), 5)
        assert b"content-length: 7\r\n" in head
        replica.auto = True
        assert (await client.call()).body == b"/x "
        assert len(replica.connections) == 1


@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
async def test_large_bodies_of_both_framings_pass(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    async with serving() as (_, replica, client):
        answer = await client.call(body=body)
        assert answer.body == b"/x " + body
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for start in range(0, len(body), 50_000):
            piece = body[start : start + 50_000]
            client.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        client.writer.write(b"0\r\n\r\n")
        assert (await client.answer()).body == b"/x " + body
        assert [call.body == body for call in replica.calls] == [True, True]


async def test_hop_by_hop_headers_stay_on_their_hop() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.send(headers="Connection: x-mine\r\nX-Mine: 1\r\nTE: trailers\r\nX-Kept: 1\r\n")
        await eventually(lambda: len(replica.calls) == 1)
        call = replica.calls[0]
        assert [call.header(name) for name in ("connection", "x-mine", "te", "x-kept")] == [
            None,
            None,
            None,
            "1",
        ]
        call.answer(
            headers="Connection: x-his\r\nX-His: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 2\r\n"
        )
        answer = await client.answer()
        assert "x-his" not in answer.headers
        assert "keep-alive" not in answer.headers
        assert answer.headers["x-kept"] == "2"


async def test_a_replica_that_dies_before_its_answer_is_502() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        other = await it.connect()
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].die()
        answer = await client.answer()
        assert (answer.status, answer.reason) == (502, "ReplicaDied")
        # The next request waits until the replica is proven again; it is not lost.
        replica.auto = True
        assert (await other.call()).status == 200
        other.leave()


async def test_a_replica_that_dies_in_its_answer_shows_as_a_cut_answer() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        assert b"content-length: 9" in await client.reader.readuntil(b"\r\n\r\n")
        replica.calls[0].die()
        assert len(await asyncio.wait_for(client.reader.read(), 5)) <= 3


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000,
    ],
    ids=["nonsense", "both framings", "switching", "coding", "endless head"],
)
async def test_a_replica_that_does_not_speak_http_is_502(raw: bytes) -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(raw)
        answer = await client.answer()
        assert (answer.status, answer.reason) == (502, "ReplicaDied")


async def test_bytes_behind_an_answer_do_not_reach_anyone() -> None:
    async with serving() as (_, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        )
        assert (await client.answer()).body == b"a"
        replica.auto = True
        assert (await client.call()).body == b"/x "


async def test_an_execution_past_its_deadline_is_504_and_frees_the_slot() -> None:
    async with serving(deadline_grain_s=0.01) as (it, replica, client):
        replica.auto = False
        client.send(headers="Relight-Timeout: 0.05\r\n")
        answer = await client.answer()
        assert (answer.status, answer.reason) == (504, "ExecutionTimeout")
        assert it.now().executing == 0
        replica.auto = True
        assert (await client.call()).status == 200


async def test_an_execution_past_its_deadline_in_its_answer_is_cut() -> None:
    async with serving(deadline_grain_s=0.01) as (_, replica, client):
        replica.auto = False
        client.send(headers="Relight-Timeout: 0.1\r\n")
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await client.reader.readuntil(b"\r\n\r\n")
        assert len(await asyncio.wait_for(client.reader.read(), 5)) <= 3


async def test_a_client_that_leaves_ends_its_execution() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        client.leave()
        await eventually(lambda: it.now().executing == 0)
        await eventually(lambda: not replica.connections)


async def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    async with serving() as (it, replica, client):
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nContent-Length: 10\r\n\r\nabc"
        )
        await eventually(lambda: it.now().executing == 1)
        client.leave()
        await eventually(lambda: it.now().executing == 0)
        assert not replica.calls


async def test_an_answer_before_the_end_of_the_request() -> None:
    async with serving() as (it, replica, client):
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nContent-Length: 10\r\n\r\nabc"
        )
        await eventually(lambda: it.now().executing == 1)
        await eventually(lambda: len(replica.connections) == 1)
        for writer in replica.connections:
            writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno")
        answer = await client.answer()
        assert (answer.status, answer.body) == (400, b"no")
        assert answer.headers["connection"] == "close"
        other = await it.connect()
        assert (await other.call()).status == 200
        other.leave()


async def test_a_client_that_stops_reading_stops_the_replica() -> None:
    async with serving() as (it, replica, _):
        replica.auto = False
        reader, writer = await asyncio.open_connection(*it.activator.address, limit=1000)
        client = Client(reader, writer)
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        out = replica.calls[0].writer
        size = 60_000_000
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"a" * size)
        buffered = -1
        while buffered != (buffered := out.transport.get_write_buffer_size()):
            for _ in range(200):
                await asyncio.sleep(0)
        assert buffered > size / 2  # it waits at the replica, not in our memory
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        left = size
        while left:
            left -= len(await asyncio.wait_for(reader.read(1_000_000), 10))
        client.leave()


async def test_a_replica_that_stops_reading_stops_the_client() -> None:
    async with serving() as (it, replica, client):
        await _stall(replica)
        size = 50_000_000
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nContent-Length: %d\r\n\r\n" % size
        )
        client.writer.write(b"a" * size)
        buffered = -1
        while buffered != (buffered := client.writer.transport.get_write_buffer_size()):
            for _ in range(200):
                await asyncio.sleep(0)
        assert buffered > size / 2
        assert it.now().executing == 1


async def _stall(replica: World | object) -> None:
    """Make the open connections of a replica read no more."""
    for writer in replica.connections:  # type: ignore[attr-defined] # a Replica
        writer.transport.pause_reading()


async def test_a_request_of_which_nothing_was_sent_goes_to_another_replica() -> None:
    async with serving() as (it, first, client):
        await it.replica("p2")
        await it.ready(2)
        # The first accepts no new connection, and has none open.
        assert first.server is not None
        first.server.close()
        first.path.unlink()
        for endpoint in it.activator._endpoints.of(RevisionKey("default", "app-1")):
            endpoint.pool.close_idle()
        for _ in range(4):
            assert (await client.call(body=b"abc")).body == b"/x abc"
        assert len(it.replicas["p2"].calls) == 4


async def test_a_request_that_was_sent_is_never_sent_again() -> None:
    async with serving() as (it, first, client):
        second = await it.replica("p2")
        await it.ready(2)
        first.auto = second.auto = False
        client.send()
        await eventually(lambda: bool(first.calls or second.calls))
        (first.calls or second.calls)[0].die()
        assert (await client.answer()).status == 502
        assert len(first.calls) + len(second.calls) == 1


async def _bounded(it: World, **spec: float) -> Replica:
    """A second Revision with bounds of its own; a Revision's spec is fixed."""
    it.revision("app-2", **spec)
    it.route(("app-2", 100))
    replica = await it.replica("p2", "app-2")
    ways = it.activator._router._routes
    await eventually(lambda: ways[b"app.default"].target.only == ("default", "app-2"))
    await eventually(lambda: "default/app-2" in it.activator.statistics().revisions)
    await it.ready(1, "default/app-2")
    replica.auto = False
    return replica


async def test_an_answer_that_does_not_begin_in_time_is_504() -> None:
    async with serving(deadline_grain_s=0.01) as (it, _, client):
        await _bounded(it, responseStartTimeoutSeconds=0.02)
        answer = await client.call()
        assert (answer.status, answer.reason) == (504, "ResponseStartTimeout")
        assert it.now("default/app-2").executing == 0


async def test_an_answer_that_began_in_time_may_take_its_time() -> None:
    async with serving() as (it, _, client):
        replica = await _bounded(it, timeoutSeconds=600, responseStartTimeoutSeconds=60)
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        (passage,) = it.activator._holders["default", "app-2"]._throttler.executing
        start_s = passage.deadline_s
        replica.calls[0].writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await client.reader.readuntil(b"abc")
        passage.expire(start_s)  # as the periodic look does when the moment has come
        assert not passage.is_over
        assert passage.deadline_s > start_s
        replica.calls[0].writer.write(b"def")
        assert await asyncio.wait_for(client.reader.readexactly(3), 10) == b"def"


async def test_silence_before_an_answer_is_504_and_within_it_a_cut() -> None:
    async with serving(deadline_grain_s=0.005) as (it, _, client):
        replica = await _bounded(it, idleTimeoutSeconds=0.05)
        answer = await client.call()
        assert (answer.status, answer.reason) == (504, "IdleTimeout")
        client.send()
        await eventually(lambda: len(replica.calls) == 2)
        writer = replica.calls[1].writer
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await client.reader.readuntil(b"abc\r\n")
        with contextlib.suppress(ConnectionResetError):
            # The connection ends without the last chunk, and nothing is put in its place.
            assert await asyncio.wait_for(client.reader.read(), 10) == b""
        assert it.now("default/app-2").executing == 0


@pytest.mark.parametrize("mover", ["replica", "client"])
async def test_bytes_of_either_side_break_the_silence(mover: str) -> None:
    async with serving(deadline_grain_s=0.005) as (it, _, client):
        replica = await _bounded(it, timeoutSeconds=600, idleTimeoutSeconds=60)
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nContent-Length: 100\r\n\r\na"
        )
        holder = it.activator._holders["default", "app-2"]
        await eventually(lambda: bool(holder._throttler.executing))
        (passage,) = holder._throttler.executing
        await eventually(lambda: passage._connection is not None)
        if mover == "replica":
            (writer,) = replica.connections
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na")
            await client.reader.readuntil(b"\r\n\r\na")
        for _ in range(8):
            moved_s = passage._patience._moved_s
            (writer if mover == "replica" else client.writer).write(b"b")
            await eventually(lambda m=moved_s: passage._patience._moved_s > m)
        assert not passage.is_over


async def test_a_trace_context_and_other_headers_pass() -> None:
    async with serving() as (_, replica, client):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await client.call(headers=f"Traceparent: {trace}\r\nTracestate: a=b\r\nX-Mine: 1\r\n")
        call = replica.calls[0]
        assert call.header("traceparent") == trace
        assert (call.header("tracestate"), call.header("x-mine")) == ("a=b", "1")
        assert call.header("forwarded") == 'for=127.0.0.1;host="app.default.localhost";proto=http'
        assert call.header("knative-serving-default-route") == "true"
