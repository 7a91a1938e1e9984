"""gRPC and HTTP/2 through the activator, over real sockets."""

import asyncio
import json

import grpc
import pytest

from activator.calling import CallPassage
from activator.ledger import row
from api import keys
from tests.activator.callers import (
    ECHO,
    FAIL,
    H2C,
    TALK,
    WAIT,
    Channel,
    GrpcReplica,
    Receiver,
    calling,
    comes,
    speaking,
    status,
)
from tests.activator.test_sending import sink
from tests.activator.world import HOST, eventually, serving
from wire import h2client
from wire.address import Address
from wire.h2answer import request_block

CODE = grpc.StatusCode


async def test_a_call_and_its_metadata_pass_both_ways() -> None:
    async with calling() as (it, replica, channel):
        call = channel.call(ECHO, b"abc", metadata=(("x-mine", "yes"), ("x-request-id", "r1")))
        assert await call == b"echo abc"
        initial, trailing = (
            dict(await call.initial_metadata()),
            dict(await call.trailing_metadata()),
        )
        assert initial["x-first"] == "1"
        assert initial["x-request-id"] == "r1"
        assert initial["relight-revision"] == "app-1"
        assert trailing["x-last"] == "2"
        (seen,) = replica.metadata
        assert seen["x-mine"] == "yes"
        assert seen["x-forwarded-for"] == "127.0.0.1"
        assert seen["k-proxy-request"] == "activator"
        assert replica.probes == 1
        assert it.now().executing == 0


async def test_a_failure_of_the_replica_passes() -> None:
    async with calling() as (_, _, channel):
        call = channel.call(FAIL)
        assert await status(call) == (CODE.FAILED_PRECONDITION, "not so: ü")
        assert dict(await call.trailing_metadata())["x-last"] == "3"
        assert (await status(channel.call("/a.B/None")))[0] is CODE.UNIMPLEMENTED


async def test_a_stream_goes_both_ways_and_is_one_request() -> None:
    async with calling() as (it, _, channel):
        stream = channel.stream(TALK)
        for word in (b"a", b"b"):
            await stream.write(word)
            assert await stream.read() == b"heard " + word
            assert it.now().executing == 1
        await stream.done_writing()
        assert await stream.read() == b"bye"
        assert await stream.read() is grpc.aio.EOF
        assert await status(stream) == (CODE.OK, "")
        await eventually(lambda: it.now().executing == 0)


async def test_calls_are_held_at_zero() -> None:
    async with calling(is_ready=False) as (it, replica, channel):
        calls = [channel.call(ECHO, b"%d" % number) for number in range(5)]
        stream = channel.stream()
        await stream.write(b"early")
        await eventually(lambda: it.now().queued == 6)
        await eventually(lambda: bool(it.pokes) and it.pokes[-1] == 6)
        await comes(it, replica)
        assert await asyncio.gather(*calls) == [b"echo %d" % number for number in range(5)]
        assert await stream.read() == b"heard early"
        await stream.done_writing()
        assert "queue;dur=" in dict(await calls[0].initial_metadata())["server-timing"]


async def test_the_limit_on_concurrency_holds() -> None:
    async with calling(of_containerConcurrency=2) as (it, replica, channel):
        calls = [channel.call(WAIT, b"%d" % number) for number in range(6)]
        await eventually(lambda: replica.running == 2 and it.now().queued == 4)
        replica.go.set()
        assert await asyncio.gather(*calls) == [b"%d" % number for number in range(6)]
        assert replica.running_max == 2


async def test_more_calls_than_a_connection_takes_go_on_another() -> None:
    async with calling(calls_max=2) as (_, replica, channel):
        calls = [channel.call(WAIT, b"%d" % number) for number in range(7)]
        await eventually(lambda: replica.running == 7)
        replica.go.set()
        assert await asyncio.gather(*calls) == [b"%d" % number for number in range(7)]


async def test_a_caller_that_leaves_frees_its_slot() -> None:
    async with calling(of_containerConcurrency=1) as (it, replica, channel):
        first = channel.call(WAIT)
        await eventually(lambda: replica.running == 1)
        second, third = channel.call(WAIT, b"2"), channel.call(WAIT, b"3")
        await eventually(lambda: it.now().queued == 2)
        first.cancel()
        await eventually(lambda: replica.cancelled == 1 and it.now().queued == 1)
        replica.go.set()
        assert (await second, await third) == (b"2", b"3")


async def test_refusals_are_statuses() -> None:
    async with calling(is_ready=False, queue_depth_max=1) as (it, _, channel):
        nowhere = Channel(it, "nobody.default.localhost")
        code, text = await status(nowhere.call(ECHO))
        assert code is CODE.NOT_FOUND
        assert text == f"no route has this host: {HOST}"
        held = channel.call(ECHO)
        await eventually(lambda: it.now().queued == 1)
        call = channel.call(ECHO)
        assert await status(call) == (
            CODE.RESOURCE_EXHAUSTED,
            "too many requests wait for a replica already",
        )
        assert dict(await call.trailing_metadata())["grpc-retry-pushback-ms"] == "5000"
        condition = {"type": "ContainerHealthy", "status": "False", "message": "it broke"}
        ready = {"type": "Ready", "status": "False"}
        it.revision(conditions=[ready, condition])
        assert await status(held) == (CODE.UNAVAILABLE, "the revision cannot serve: it broke")
        await nowhere.channel.close(None)


async def test_a_callers_deadline_bounds_the_wait_and_the_call() -> None:
    # Told as metadata, so that the client's own clock does not end it.
    soon = {"metadata": (("grpc-timeout", "60m"),), "timeout": None}
    settings = {"report_period_s": 0.02, "deadline_grain_s": 0.005}
    async with calling(is_ready=False, **settings) as (it, replica, channel):
        code, text = await status(channel.call(ECHO, **soon))
        assert (code, "before its deadline" in text) == (CODE.DEADLINE_EXCEEDED, True)
        await comes(it, replica)
        # The replica was told the deadline as well: either of the two says so. It has to be
        # called in time, whatever the machine does meanwhile.
        later = {**soon, "metadata": (("grpc-timeout", "500m"),)}
        assert (await status(channel.call(WAIT, **later)))[0] is CODE.DEADLINE_EXCEEDED
        await eventually(lambda: replica.cancelled == 1)


async def test_a_stream_that_is_cut_says_so() -> None:
    settings = {"report_period_s": 0.02, "deadline_grain_s": 0.005}
    async with calling(of_timeoutSeconds=1, **settings) as (_, _, channel):
        stream = channel.stream()
        await stream.write(b"a")
        assert await stream.read() == b"heard a"
        code, text = await status(stream)
        assert (code, text) == (
            CODE.DEADLINE_EXCEEDED,
            "the replica did not answer before the deadline",
        )


async def test_a_replica_that_dies() -> None:
    async with speaking() as (it, replica):
        channel = Channel(it)
        replica.answer = lambda _: replica.die()
        code, text = await status(channel.call(ECHO))
        assert code is CODE.UNAVAILABLE
        assert text.startswith("the replica ended while it served this request: ")
        await eventually(lambda: it.now().ready_replicas == 0)
        await channel.channel.close(None)


async def test_one_that_goes_away_before_it_looks_is_asked_again() -> None:
    async with speaking() as (it, replica):
        replica.refusals = 3
        client = await it.connect()
        assert (await client.call(body=b"abc")).body == b"abc"
        assert (replica.refusals, len(replica.asked)) == (0, 1)


async def test_http_1_reaches_what_speaks_http_2() -> None:
    async with speaking() as (it, replica):
        client = await it.connect()
        for body in (b"abc", b"0" * 300_000):
            answer = await client.call("/x?y=1", body=body)
            assert answer.status == 201
            assert answer.headers["relight-revision"] == "app-1"
            assert answer.body == body
        client.send(headers="Connection: upgrade\r\nUpgrade: websocket\r\n")
        assert (await client.answer()).status == 201
        asked = replica.asked[0]
        assert (asked.method, asked.target, asked.is_http2) == (b"POST", b"/x?y=1", True)
        assert asked.index[b"host"] == HOST.encode()
        assert asked.index[b"content-length"] == b"3"


async def test_http_2_reaches_what_speaks_http_1() -> None:
    async with serving() as (it, replica, _):
        connection = await h2client.connect(Address(host="127.0.0.1", port=it.activator.address[1]))
        block = request_block(b"POST", HOST.encode(), b"/x", b"")
        receiver = Receiver()
        stream = connection.request(receiver, block, b"ab", is_complete=False)
        stream.write(b"c")
        stream.finish_request()
        await eventually(lambda: receiver.body is not None)
        assert (receiver.status, receiver.body) == (200, b"/x abc")
        assert replica.calls[0].header("host") == HOST
        connection.close()


async def test_a_plain_service_takes_calls_over_http_2_too() -> None:
    """A predictor speaks both on one port, and no port is named."""
    async with calling(is_ready=False, of_containers=[{"image": "relight/predictor"}]) as (
        it,
        replica,
        channel,
    ):
        await replica.start()
        call = channel.call(ECHO)
        await eventually(lambda: it.now().queued == 1)
        it.pod("p1", containers=[{"image": "mine"}])  # proven by a connection
        assert await call == b"echo x"


async def test_a_model_is_found_by_its_name_on_the_bare_host() -> None:
    infer = "/inference.GRPCInferenceService/ModelInfer"
    annotations = {keys.MODEL_NAME: "iris"}
    async with calling(host="localhost", of_annotations=annotations) as (it, replica, channel):
        message = b"\x0a\x04iris\x3a\x03abc"
        assert await channel.call(infer, message) == b"echo " + message
        large = b"\x0a\x04iris\x3a\xff\xff\x0f" + b"0" * (262_143)
        assert await channel.call(infer, large) == b"echo " + large
        versioned = b"\x0a\x04iris\x12\x05app-1"
        assert await channel.call(infer, versioned) == b"echo " + versioned
        stream = channel.stream(infer)
        await stream.write(b"\x0a\x04iris")
        await stream.done_writing()
        assert await stream.read() == b"echo \x0a\x04iris"
        assert [each["x-forwarded-host"] for each in replica.metadata] == ["localhost"] * 4
        code, text = await status(channel.call(infer, b"\x0a\x04rose"))
        assert (code, "no model is served" in text) == (CODE.NOT_FOUND, True)
        code, text = await status(channel.call(infer, b"\x0a\x04iris\x12\x01x"))
        assert code is CODE.NOT_FOUND
        code, text = await status(channel.call(infer, b""))
        assert code is CODE.INVALID_ARGUMENT
        assert text == "the name of the model can not be read from this call: it names no model"
        assert it.now().executing == 0


@pytest.mark.parametrize("method", ["ServerLive", "ServerReady"])
async def test_the_bare_host_answers_for_itself(method: str) -> None:
    async with calling(is_ready=False, host="localhost") as (_, _, channel):
        assert await channel.call(f"/inference.GRPCInferenceService/{method}") == b"\x08\x01"
        assert await channel.call("/grpc.health.v1.Health/Check", b"") == b"\x08\x01"
        code, text = await status(channel.call("/a.B/C"))
        assert code is CODE.UNIMPLEMENTED
        assert "name a route by its host" in text


async def test_a_timeout_that_is_none() -> None:
    async with calling() as (_, _, channel):
        code, text = await status(channel.call(ECHO, metadata=(("relight-timeout", "soon"),)))
        assert code is CODE.INVALID_ARGUMENT
        assert "the Relight-Timeout header must be" in text


async def test_calls_are_split_and_tagged_as_requests_are() -> None:
    async with calling() as (it, replica, channel):
        it.revision("app-2", containers=H2C)
        it.route(("app-1", 50), ("app-2", 50), tag="new")
        other = GrpcReplica(it.folder / "p2")
        await other.start()
        it.pod("p2", "app-2", containers=H2C)
        await eventually(lambda: "default/app-2" in it.activator.statistics().revisions)
        await it.ready(revision="default/app-2")
        for _ in range(10):
            await channel.call(ECHO)
        assert (replica.calls, other.calls) == (5, 5)
        tagged = (("knative-serving-tag", "new"),)
        for _ in range(3):
            await channel.call(ECHO, metadata=tagged)
        assert (replica.calls, other.calls) == (5, 8)
        await other.stop()


async def test_a_replica_is_asked_for_its_load() -> None:
    annotations = {keys.SCALING_METRIC: "tokens-in-flight", keys.SCALING_TARGET: "1000"}
    settings = {"report_period_s": 0.02, "deadline_grain_s": 0.005}
    async with calling(of_annotations=annotations, **settings) as (it, replica, channel):
        waits = channel.call(WAIT)
        await eventually(lambda: replica.running == 1)
        call = channel.call(ECHO)
        await call
        assert replica.metadata[-1]["endpoint-load-metrics-format"] == "text"
        assert "endpoint-load-metrics" not in dict(await call.initial_metadata())
        await eventually(lambda: bool(it.stats) and it.stats[-1].tokens_in_flight == 7)
        replica.go.set()
        await waits


async def test_a_large_call_is_paused_and_goes_on() -> None:
    body = b"0" * 3_000_000
    async with calling(is_ready=False) as (it, replica, channel):
        call = channel.call(ECHO, body)
        await eventually(lambda: it.now().queued == 1)
        await comes(it, replica)
        assert await call == b"echo " + body


async def test_a_sink_is_told_of_calls() -> None:
    async with sink() as there:
        annotations = {keys.LOGGER: json.dumps({"url": there.url, "mode": "all"})}
        async with calling(of_annotations=annotations) as (_, _, channel):
            assert await channel.call(ECHO, b"abc") == b"echo abc"
            await eventually(lambda: len(there.heads) == 2)
            assert sorted(there.bodies) == [b"\0\0\0\0\3abc", b"\0\0\0\0\x08echo abc"]


async def test_the_ledger_tells_how_calls_failed() -> None:
    async with calling() as (it, _, channel):
        for method, name in ((ECHO, b"r0"), (FAIL, b"r1"), ("/a.B/None", b"r2")):
            await status(channel.call(method, metadata=(("x-request-id", name.decode()),)))
        stream = channel.stream(TALK, metadata=(("x-request-id", "r3"),))
        await stream.write(b"a")
        assert await stream.read() == b"heard a"
        await stream.write(b"fail")
        assert await status(stream) == (CODE.DATA_LOSS, "as asked")
        ledger = it.activator.ledger
        await eventually(lambda: bool(ledger.find(b"r3")))
        found = [row(*ledger.find(name), epoch_s=0.0) for name in (b"r0", b"r1", b"r2", b"r3")]
        failures = [each.get("grpc_status") for each in found]
        assert failures == [None, "FAILED_PRECONDITION", "UNIMPLEMENTED", "DATA_LOSS"]
        assert {(each["status"], each["ending"]) for each in found} == {(200, "answered")}
        assert not any("refusal" in each for each in found)


async def test_the_ledger_tells_of_calls() -> None:
    async with calling() as (it, _, channel):
        await channel.call(ECHO, b"abc", metadata=(("x-request-id", "r1"),))
        await eventually(lambda: bool(it.activator.ledger.find(b"r1")))
        (note,) = it.activator.ledger.find(b"r1")
        assert (note.status, note.bytes_in, note.bytes_out) == (200, 8, 13)


async def test_plain_requests_are_carried_as_ever() -> None:
    async with serving() as (it, replica, client):
        assert (await client.call()).status == 200
        assert not any(isinstance(each, CallPassage) for each in it.activator.running(b""))
        assert len(replica.calls) == 1
