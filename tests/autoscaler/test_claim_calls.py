"""Calls to the very server that a warm Pod has."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest

from api.pool import Assignment
from autoscaler.claim_calls import Call, CallError, Told, caller
from predictor import claim_server
from predictor.claim_server import Answer, ClaimServer

Ask = Callable[[claim_server.Call], Awaitable[Answer]]


def call(port: int) -> Call:
    return Call(
        address=f"127.0.0.1:{port}",
        key="k",
        id="c1",
        revision="r",
        assignment=Assignment(args=("--model", "m"), env={"A": "b"}),
    )


@pytest.fixture
async def server() -> AsyncIterator[Callable[[Ask], Awaitable[int]]]:
    made: list[ClaimServer] = []

    async def start(ask: Ask) -> int:
        made.append(ClaimServer(ask))
        return await made[-1].start("127.0.0.1", 0)

    yield start
    for each in made:
        each.close()


async def test_a_claim_is_told_whole_and_its_answer_read(
    server: Callable[[Ask], Awaitable[int]],
) -> None:
    heard: list[claim_server.Call] = []

    async def ask(one: claim_server.Call) -> Answer:
        heard.append(one)
        return 200, {"phase": "serving", "load_ms": 3.5, "fork_ms": None}

    port = await server(ask)
    async with caller() as calls:
        told = await calls.claim(call(port), wait_s=1.0)
    assert told == Told(is_serving=True, load_ms=3.5)
    (one,) = heard
    assert (one.method, one.path, one.headers["authorization"]) == ("POST", "/claim", "Bearer k")
    assert orjson.loads(one.body) == {
        "id": "c1",
        "revision": "r",
        "args": ["--model", "m"],
        "env": {"A": "b"},
        "wait_s": 1.0,
    }


async def test_a_replica_that_came_to_nothing_says_why(
    server: Callable[[Ask], Awaitable[int]],
) -> None:
    async def ask(_: claim_server.Call) -> Answer:
        return 500, {"phase": "ended", "failed": "no such model"}

    port = await server(ask)
    async with caller() as calls:
        told = await calls.claim(call(port), wait_s=0.0)
    assert told == Told(is_serving=False, failed="no such model")


@pytest.mark.parametrize(
    ("status", "body"), [(409, {"error": "claimed"}), (500, {}), (200, {"x": 1})]
)
async def test_every_other_answer_is_a_refusal(
    server: Callable[[Ask], Awaitable[int]], status: int, body: dict[str, str]
) -> None:
    async def ask(_: claim_server.Call) -> Answer:
        return status, dict(body)

    port = await server(ask)
    async with caller() as calls:
        with pytest.raises(CallError, match=str(status)):
            await calls.claim(call(port), wait_s=0.0)


async def test_a_pod_that_does_not_answer_is_given_up(
    server: Callable[[Ask], Awaitable[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autoscaler.claim_calls._BEYOND_WAIT_S", 0.05)
    never = asyncio.Event()

    async def ask(_: claim_server.Call) -> Answer:
        await never.wait()
        return 200, {}

    port = await server(ask)
    async with caller() as calls:
        with pytest.raises(CallError, match="did not answer"):
            await calls.claim(call(port), wait_s=0.0)
    never.set()


async def test_a_pod_that_is_gone_refuses() -> None:
    async with caller() as calls:
        with pytest.raises(CallError):
            await calls.claim(call(1), wait_s=0.0)
