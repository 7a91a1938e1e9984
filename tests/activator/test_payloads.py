"""What a sink is told of requests, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api import keys, kinds
from tests.activator.test_sending import Sink, sink
from tests.activator.world import Client, Replica, World, eventually, world

REQUEST, RESPONSE = (
    "org.kubeflow.serving.inference.request",
    "org.kubeflow.serving.inference.response",
)


@asynccontextmanager
async def logging(
    mode: str = "all", url: str = "", **settings: Any
) -> AsyncIterator[tuple[World, Replica, Client, Sink]]:
    async with sink() as there, world(**settings) as it:
        said = {"url": url or there.url, "mode": mode, "metadataHeaders": ["X-User"]}
        it.revision(annotations={keys.LOGGER: json.dumps(said)}, service="iris-predictor")
        it.route(("app-1", 100))
        replica = await it.replica()
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        await it.ready()
        yield it, replica, await it.connect(), there


async def told(there: Sink, count: int) -> list[dict[str, Any]]:
    """So many events, requests first."""
    await eventually(lambda: len(there.heads) == count)
    events = [{**head, "body": body} for head, body in zip(there.heads, there.bodies, strict=True)]
    return sorted(events, key=lambda each: each["ce-type"])


async def test_both_events_of_a_request_share_its_id() -> None:
    async with logging() as (it, _, client, there):
        answer = await client.call(
            body=b'{"a":1}', headers="Content-Type: application/json\r\nX-User: Ann\r\n"
        )
        asked, answered = await told(there, 2)
        assert (asked["ce-type"], answered["ce-type"]) == (REQUEST, RESPONSE)
        assert asked["ce-id"] == answered["ce-id"] == answer.headers["x-request-id"]
        assert (asked["body"], answered["body"]) == (b'{"a":1}', b'/x {"a":1}')
        assert asked["content-type"] == "application/json"
        assert asked["ce-metadata"] == "{%22X-User%22:[%22Ann%22]}"
        assert asked["ce-inferenceservicename"] == "iris"
        assert asked["ce-component"] == "predictor"
        assert asked["ce-revisionname"] == "app-1"
        assert answered["ce-statuscode"] == "200"
        await eventually(lambda: it.activator.statistics().events.sent == 2)


async def test_the_callers_event_id_is_kept() -> None:
    async with logging() as (_, _, client, there):
        await client.call(headers="Ce-Id: theirs\r\n")
        assert [each["ce-id"] for each in await told(there, 2)] == ["theirs", "theirs"]


@pytest.mark.parametrize(("mode", "kind"), [("request", REQUEST), ("response", RESPONSE)])
async def test_half_of_it(mode: str, kind: str) -> None:
    async with logging(mode) as (_, _, client, there):
        for _ in range(3):
            await client.call()
        assert [each["ce-type"] for each in await told(there, 3)] == [kind] * 3


async def test_errors_of_the_model_are_told_with_their_status() -> None:
    async with logging() as (_, replica, client, there):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].answer(b"bad", status="500 Oops", headers="Content-Type: text/plain\r\n")
        assert (await client.answer()).status == 500
        answered = (await told(there, 2))[1]
        assert (answered["ce-statuscode"], answered["body"]) == ("500", b"bad")
        assert answered["content-type"] == "text/plain"


async def test_bodies_that_come_in_pieces_are_told_whole() -> None:
    async with logging() as (it, replica, client, there):
        replica.auto = False
        client.writer.write(
            b"POST /x HTTP/1.1\r\nHost: app.default.localhost\r\nContent-Length: 6\r\n\r\nabc"
        )
        await eventually(lambda: it.now().executing == 1)
        client.writer.write(b"def")
        await eventually(lambda: len(replica.calls) == 1)
        writer = replica.calls[0].writer
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        writer.write(b"3\r\none\r\n")
        await client.reader.readuntil(b"one\r\n")
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        asked, answered = await told(there, 2)
        assert (asked["body"], answered["body"]) == (b"abcdef", b"onetwo")
        assert "ce-incomplete" not in answered


async def test_a_held_request_is_told_once_it_was_sent() -> None:
    async with logging() as (it, _, client, there):
        it.cluster.remove(*_pod("p1"))
        await it.ready(0)
        client.send(body=b"abc")
        await eventually(lambda: it.now().queued == 1)
        assert not there.heads
        await it.replica("p2")
        assert (await client.answer()).status == 200
        asked, _ = await told(there, 2)
        assert asked["body"] == b"abc"


def _pod(name: str) -> tuple[Any, str]:
    return kinds.PODS, name


async def test_an_answer_that_broke_is_told_as_incomplete() -> None:
    async with logging() as (_, replica, client, there):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await client.reader.readuntil(b"abc")
        replica.calls[0].die()
        answered = (await told(there, 2))[1]
        assert (answered["ce-statuscode"], answered["body"]) == ("200", b"abc")
        assert answered["ce-incomplete"] == "true"


async def test_a_replica_that_dies_is_told_as_502() -> None:
    async with logging() as (_, replica, client, there):
        replica.auto = False
        client.send()
        await eventually(lambda: len(replica.calls) == 1)
        replica.calls[0].die()
        assert (await client.answer()).status == 502
        answered = (await told(there, 2))[1]
        assert (answered["ce-statuscode"], answered["ce-incomplete"]) == ("502", "true")


async def test_large_bodies_are_cut() -> None:
    async with logging(event_body_bytes_max=5) as (it, _, client, there):
        assert len((await client.call(body=b"a" * 100_000)).body) == 100_003
        asked, answered = await told(there, 2)
        assert (asked["body"], answered["body"]) == (b"aaaaa", b"/x aa")
        assert asked["ce-bodybytes"] == "100000"
        await eventually(lambda: it.activator.statistics().events.truncated == 2)


async def test_a_sink_that_hangs_costs_requests_nothing_but_events() -> None:
    async with logging(event_depth_max=2, event_senders=1, event_flush_s=0.01) as (
        it,
        _,
        client,
        there,
    ):
        there.gate.clear()
        for _ in range(20):
            assert (await client.call()).status == 200
        now = it.activator.statistics().events
        assert now.waiting <= 2
        assert now.dropped >= 30
        there.gate.set()


async def test_other_revisions_are_not_told_of_nor_with_an_annotation_that_makes_no_sense(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with logging() as (it, _, client, there):
        it.revision("app-2", annotations={keys.LOGGER: '{"url": "nowhere"}'})
        it.route(("app-2", 100))
        second = await it.replica("p2", "app-2")
        await eventually(lambda: "default/app-2" in it.activator.statistics().revisions)
        await it.ready(1, "default/app-2")
        async with asyncio.timeout(10):
            while not second.calls:
                await client.call()
        before = it.activator.statistics().requests
        assert (await client.call()).status == 200
        assert it.activator.statistics().requests == before + 1
        events = it.activator.statistics().events
        await eventually(lambda: len(there.heads) == 2 * (before - 1))
        assert events.dropped == 0
    assert "revision app-2: relight.dev/logger: url: must be an http or https URL" in caplog.text


async def test_a_sink_that_is_a_service_of_ours_needs_no_name_server() -> None:
    async with logging(url="http://dumper.default/in") as (it, _, client, _):
        it.revision("dumper-1", service="dumper")
        it.route(("dumper-1", 100), name="dumper", labels={keys.VISIBILITY: "cluster-local"})
        dumper = await it.replica("p2", "dumper-1")
        await eventually(lambda: "default/dumper-1" in it.activator.statistics().revisions)
        await it.ready(1, "default/dumper-1")
        await client.call(body=b"abc")
        await eventually(lambda: it.activator.statistics().events.sent == 2)
        assert {call.path for call in dumper.calls} == {b"/in"}
        assert {call.header("ce-type") for call in dumper.calls} == {REQUEST, RESPONSE}
        assert b"abc" in {call.body for call in dumper.calls}
