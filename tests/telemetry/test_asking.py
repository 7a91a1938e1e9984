"""The form of every admin answer."""

import asyncio
from collections.abc import Iterable

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from telemetry import asking
from telemetry.asking import AskedWronglyError, Questions


def test_numbers_and_switches_are_read_or_refused_by_name() -> None:
    assert asking.whole({}, "n", 7, most=9) == 7
    assert asking.whole({"n": "9"}, "n", 7, most=9) == 9
    assert [asking.truth({"f": text}, "f") for text in ("true", "1", "", "0")] == [
        *(True, True),
        *(False, False),
    ]
    for wrong in ("10", "-1", "1.5", "x", "²", "9" * 99):
        with pytest.raises(AskedWronglyError, match=r"n: .*want a whole number from 0 to 9"):
            asking.whole({"n": wrong}, "n", 7, most=9)
    with pytest.raises(AskedWronglyError, match="f: 'yes': want true or false"):
        asking.truth({"f": "yes"}, "f")
    with pytest.raises(AskedWronglyError, match="b: no such parameter here; there are a"):
        asking.known({"a": "", "b": ""}, "a")


async def test_refusals_are_statuses() -> None:
    questions = Questions()

    async def handler(_: web.Request) -> web.Response:
        raise asking.UnknownError("no such thing")

    questions.get("/thing", handler)
    async with TestClient(TestServer(questions.app)) as client:
        for verb, path, code, said in [
            ("GET", "/thing", 404, "no such thing"),
            ("GET", "/other", 404, "the server could not find the requested resource"),
            ("POST", "/thing", 405, "this can only be read"),
        ]:
            async with client.request(verb, path) as response:
                raw = await response.json()
                assert (response.status, raw["kind"], raw["code"]) == (code, "Status", code)
                assert raw["message"] == said


async def test_lines_go_on_until_the_server_ends() -> None:
    questions = Questions()
    calls = 0

    def lines() -> tuple[Iterable[object], bool]:
        nonlocal calls
        calls += 1
        return [{"call": calls}] * (2 if calls < 3 else 0), True

    async def handler(request: web.Request) -> web.StreamResponse:
        return await questions.send_lines(request, lines)

    questions.get("/lines", handler)
    async with (
        asyncio.timeout(30),
        TestClient(TestServer(questions.app)) as client,
        client.get("/lines") as response,
    ):
        told = [orjson.loads(await response.content.readline()) for _ in range(4)]
        assert told == [{"call": 1}, {"call": 1}, {"call": 2}, {"call": 2}]
        await questions.app.shutdown()
        assert await response.read() == b""
