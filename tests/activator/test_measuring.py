"""Asking replicas for their load and hearing it, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from activator import measuring
from api import keys
from tests.activator.test_sending import sink
from tests.activator.world import Client, Replica, World, eventually, world

TOKENS = {keys.SCALING_METRIC: "tokens-in-flight", keys.SCALING_TARGET: "1000"}
DELAY = {keys.SCALING_METRIC: "queue-delay", keys.SCALING_TARGET: "100"}
SAID = "Endpoint-Load-Metrics: TEXT named_metrics.tokens_in_flight=%d\r\nX-Other: 1\r\n"


@asynccontextmanager
async def measured(
    annotations: dict[str, str], **settings: Any
) -> AsyncIterator[tuple[World, Replica, Client]]:
    async with world(report_period_s=0.02, deadline_grain_s=0.005, **settings) as it:
        it.revision(annotations=annotations)
        it.route(("app-1", 100))
        replica = await it.replica()
        replica.auto = False
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        await it.ready()
        yield it, replica, await it.connect()


async def called(replica: Replica, client: Client, number: int = 1, headers: str = "") -> None:
    client.send(headers=headers)
    await eventually(lambda: len(replica.calls) == number)


async def told(it: World, tokens: float) -> None:
    await eventually(lambda: bool(it.stats) and it.stats[-1].tokens_in_flight == tokens)


@pytest.mark.parametrize("annotations", [TOKENS, DELAY])
async def test_a_replica_is_asked_heard_and_its_report_kept_from_the_client(
    annotations: dict[str, str],
) -> None:
    async with measured(annotations) as (it, replica, client):
        for number in range(1, 4):
            await called(replica, client, number)
            assert replica.calls[-1].header("endpoint-load-metrics-format") == "text"
            replica.calls[-1].answer(headers=SAID % number)
            answer = await client.answer()
            assert answer.body == b"done"
            assert "endpoint-load-metrics" not in answer.headers
            assert answer.headers["x-other"] == "1"
        # While the next one runs, what was said with the last answer counts.
        await called(replica, client, 4)
        await told(it, 3)
        assert it.stats[-1].queue_delay_s is None
        replica.calls[-1].answer()
        await client.answer()
        await told(it, 0)
        assert it.stats[-1].queue_delay_s == 0


async def test_other_revisions_are_neither_asked_nor_told_of() -> None:
    for annotations in (
        {},
        {keys.SCALING_METRIC: "concurrency"},
        {**TOKENS, keys.SCALING_CLASS: "mine.example.com"},
    ):
        async with measured(annotations) as (it, replica, client):
            await called(replica, client)
            assert replica.calls[-1].header("endpoint-load-metrics-format") is None
            replica.calls[-1].answer(headers=SAID % 9)
            assert "endpoint-load-metrics" in (await client.answer()).headers
            await eventually(lambda: bool(it.stats))
            assert {(s.tokens_in_flight, s.queue_delay_s) for s in it.stats} == {(None, None)}


async def test_a_client_that_asks_itself_gets_its_answer_and_its_form() -> None:
    async with measured(TOKENS) as (it, replica, client):
        await called(replica, client, headers="Endpoint-Load-Metrics-Format: JSON\r\n")
        call = replica.calls[-1]
        assert call.head.lower().count(b"endpoint-load-metrics-format") == 1
        assert call.header("endpoint-load-metrics-format") == "JSON"
        said = 'JSON {"named_metrics": {"tokens_in_flight": 5}}'
        call.answer(headers=f"endpoint-load-metrics: {said}\r\n")
        assert (await client.answer()).headers["endpoint-load-metrics"] == said
        await called(replica, client, 2)
        await told(it, 5)


async def test_an_answer_in_pieces_is_heard_when_it_begins() -> None:
    async with measured(TOKENS) as (it, replica, client):
        await called(replica, client)
        writer = replica.calls[-1].writer
        head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" + SAID % 70 + "\r\n"
        writer.write(head.encode() + b"1\r\na\r\n")
        await told(it, 70)
        writer.write(b"0\r\n\r\n")
        answer = await client.answer()
        assert answer.body == b"a"
        assert "endpoint-load-metrics" not in answer.headers


async def test_what_can_not_be_read_is_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with measured(TOKENS) as (it, replica, client):
        for number in range(1, 4):
            await called(replica, client, number)
            replica.calls[-1].answer(headers="endpoint-load-metrics: TEXT nonsense\r\n")
            answer = await client.answer()
            assert answer.status == 200
            assert "endpoint-load-metrics" not in answer.headers
        assert it.now().unreadable_loads == 3
        assert caplog.text.count("is ignored: 'nonsense' is not name=number") == 1
        assert "revision app-1" in caplog.text


async def test_the_head_of_the_queue_is_a_delay() -> None:
    async with world(report_period_s=0.02, deadline_grain_s=0.005) as it:
        it.revision(annotations=DELAY, containerConcurrency=1)
        it.route(("app-1", 100))
        replica = await it.replica()
        replica.auto = False
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        await it.ready()
        clients = [await it.connect() for _ in range(3)]
        for client in clients:
            client.send()
        await eventually(lambda: bool(it.stats) and it.stats[-1].queued == 2)
        at_first = it.stats[-1].queue_delay_s
        assert at_first is not None
        await eventually(lambda: (it.stats[-1].queue_delay_s or 0) >= at_first + 0.03)
        for number, client in enumerate(clients):
            wanted = number + 1
            await eventually(lambda: len(replica.calls) == wanted)  # noqa: B023 - awaited here
            replica.calls[-1].answer()
            await client.answer()
        await eventually(lambda: it.stats[-1].queue_delay_s == 0)


async def test_a_sink_is_told_of_what_the_client_gets() -> None:
    async with sink() as there:
        logger = {keys.LOGGER: json.dumps({"url": there.url, "mode": "all"})}
        async with measured({**TOKENS, **logger}) as (it, replica, client):
            await called(replica, client)
            replica.calls[-1].answer(headers=SAID % 9)
            assert "endpoint-load-metrics" not in (await client.answer()).headers
            await eventually(lambda: len(there.heads) == 2)
            await called(replica, client, 2)
            await told(it, 9)


async def test_a_metric_that_changes_is_followed() -> None:
    async with measured({}) as (it, replica, client):
        it.revision(annotations=TOKENS)
        await asyncio.sleep(0)
        holder = next(iter(it.activator._holders.values()))
        await eventually(lambda: holder.loads is not None)
        await called(replica, client)
        assert replica.calls[-1].header("endpoint-load-metrics-format") == "text"
        it.revision(annotations={})
        await eventually(lambda: holder.loads is None)
        replica.calls[-1].answer(headers=SAID % 9)  # asked before
        assert "endpoint-load-metrics" not in (await client.answer()).headers
        await called(replica, client, 2)
        assert replica.calls[-1].header("endpoint-load-metrics-format") is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"", (None, b"")),
        (b"A: 1\r\nB: endpoint-load-metrics\r\n", (None, b"A: 1\r\nB: endpoint-load-metrics\r\n")),
        (
            b"A: 1\r\nENDPOINT-load-metrics:TEXT a=1 \r\nB: 2\r\n",
            (b"TEXT a=1", b"A: 1\r\nB: 2\r\n"),
        ),
        (b"endpoint-load-metrics: x\r\nendpoint-load-metrics: y\r\n", (b"x, y", b"")),
        (b"endpoint-load-metrics-bin: x\r\n", (None, b"endpoint-load-metrics-bin: x\r\n")),
    ],
)
def test_parting(lines: bytes, expected: tuple[bytes | None, bytes]) -> None:
    assert measuring.part(lines) == expected
