"""Heads that come again: over sockets, to models that are known to be quick."""

import asyncio
import gc
import gzip
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import Any

import pytest

from api import keys
from predictor.plans import Plan
from predictor.server import Server
from tests.predictor.talking import Reply, read_reply, request
from tests.predictor.test_server import BODY, INFER, Bench, Start, start
from tests.wire.memory import Memory
from wire.exchange import Exchange
from wire.head import Head

__all__ = ["start"]  # a fixture

PREDICT = "/v1/models/m:predict"
ROWS = b'{"instances":[[1,2]]}'


def quick(bench: Bench) -> None:
    """From here on runs are not given to the thread."""
    bench.worker.forget()
    bench.worker.saw(0.0)
    assert bench.server.lane.is_clear


def watched(bench: Bench) -> list[object]:
    """The plans that requests leave with their heads."""
    found: list[object] = []
    known = bench.server.on_request

    def on_request(exchange: Exchange) -> None:
        found.append(exchange.head.memo)
        known(exchange)

    bench.server.on_request = on_request  # type: ignore[method-assign] # before it is connected
    return found


async def again(bench: Bench, *sent: bytes) -> list[Reply]:
    """The replies to requests that come one after the other on one connection."""
    reader, writer = await bench.connect()
    replies = []
    for data in sent:
        quick(bench)
        writer.write(data)
        replies.append(await read_reply(reader))
    return replies


async def test_a_head_that_comes_again_has_its_plan(start: Start) -> None:
    async with start() as bench:
        seen = watched(bench)
        bodies = [BODY, BODY.replace(b"1.0", b"5.0"), BODY]
        replies = await again(bench, *(request("POST", INFER, body) for body in bodies))
        assert [one.json["outputs"][0]["data"] for one in replies] == [[2, 4], [10, 4], [2, 4]]
        assert seen[0] is None
        assert isinstance(seen[1], Plan)
        assert seen[1] is seen[2]
        assert bench.model.runs == 3
        assert bench.server.lane.statistics()["requests"] == 3


async def test_each_head_has_its_own(start: Start) -> None:
    async with start() as bench:
        sent = [
            request("POST", INFER, BODY),
            request("POST", PREDICT, ROWS),
            request("POST", INFER, BODY, k_proxy_request="activator"),
            request("POST", INFER, gzip.compress(BODY), content_encoding="gzip"),
            request(
                "POST", PREDICT, ROWS, ce_specversion="1.0", ce_id="7", ce_source="s", ce_type="t"
            ),
            request("POST", INFER, BODY, endpoint_load_metrics_format="JSON"),
        ]
        replies = await again(bench, *(one for each in sent for one in (each, each)))
        assert {one.status for one in replies} == {200}
        assert replies[1].json["outputs"] == replies[7].json["outputs"]
        assert replies[3].json == {"predictions": [[2, 4]]}
        events = [one.headers["ce-id"] for one in replies[8:10]]
        assert events[0] != events[1], "an answer's event is its own"
        assert all(keys.HEADER_LOAD in one.headers for one in replies[10:])
        found = bench.server.lane.statistics()
        assert (found["requests"], found["proxied_requests"], found["in_flight"]) == (12, 2, 0)


async def test_refusals_do_not_end_a_connection(start: Start) -> None:
    async with start() as bench:
        wrong = BODY.replace(b'"x"', b'"q"')
        replies = await again(bench, *(request("POST", INFER, one) for one in (BODY, wrong, BODY)))
        assert [one.status for one in replies] == [200, 400, 200]
        assert "'q'" in replies[1].json["error"]
        bench.model.failing = ZeroDivisionError("1/0")
        (failed,) = await again(bench, request("POST", INFER, BODY))
        assert failed.status == 500


async def test_pipelined_requests_are_answered_in_their_order(start: Start) -> None:
    async with start(concurrency=1) as bench:
        quick(bench)
        reader, writer = await bench.connect()
        bodies = [BODY.replace(b"1.0", b"%d.0" % (number % 10)) for number in range(30)]
        writer.write(b"".join(request("POST", INFER, body) for body in bodies))
        found = [(await read_reply(reader)).json["outputs"][0]["data"][0] for _ in bodies]
        assert found == [2 * (number % 10) for number in range(30)]


async def test_a_slow_run_gives_way_to_the_gate(start: Start) -> None:
    async with start(concurrency=1) as bench:
        (first,) = await again(bench, request("POST", INFER, BODY))
        bench.worker.forget()
        bench.model.go.clear()
        readers = [await bench.send(request("POST", INFER, BODY)) for _ in range(3)]
        await bench.until(lambda: bench.server.lane.statistics()["queued"] == 2)
        bench.model.go.set()
        replies = await asyncio.gather(*map(read_reply, readers))
        assert [one.body for one in replies] == [first.body] * 3


async def test_the_last_answer_says_so(start: Start) -> None:
    async with start() as bench:
        reader, writer = await bench.connect()
        for is_draining in (False, True):
            quick(bench)
            bench.server.is_draining = is_draining
            writer.write(request("POST", INFER, BODY))
            reply = await read_reply(reader)
            assert (reply.headers.get("connection") == "close") is is_draining


@pytest.mark.parametrize("path", [INFER, PREDICT])
async def test_a_plan_is_one_servers(start: Start, path: str) -> None:
    async with start() as bench:
        quick(bench)
        body = BODY if path == INFER else ROWS
        taken: list[Exchange] = []

        class Link:
            transport = Memory()

            def finished(self, exchange: Exchange) -> None:
                taken.append(exchange)

        link: Any = Link()
        head = Head(b"POST", path.encode(), [], {b"host": b"a"})
        other = Server(
            bench.server._settings,
            replace(bench.server._loaded, digest="sha256:other"),
            bench.worker,
        )
        for server, digest in ((bench.server, b"ddd"), (other, b"other"), (bench.server, b"ddd")):
            exchange = Exchange(link, "", head)
            exchange.early, exchange.is_complete = body, True
            server.on_request(exchange)
            assert digest in link.transport.sent
            link.transport.sent = b""
        assert len(taken) == 3


async def test_a_head_keeps_no_model(start: Start) -> None:
    async with start() as bench:
        seen = watched(bench)
        await again(bench, request("POST", INFER, BODY), request("POST", INFER, BODY))
        assert isinstance(seen[1], Plan)
        held, reached = [seen[1]], set()
        while held:
            one = held.pop()
            if id(one) not in reached and not isinstance(one, type | ModuleType | FunctionType):
                reached.add(id(one))
                held += gc.get_referents(one)
        assert id(bench.server) not in reached
        assert id(bench.model) not in reached
