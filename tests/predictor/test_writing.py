"""Pieces at the client's pace; clients that leave, models that fail, deadlines."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from predictor.model import InvalidInputError, Piece
from tests.predictor import text_bench
from tests.predictor.text_bench import HOST

STREAM = "/v2/models/m/generate_stream"
GENERATE = "/v2/models/m/generate"


async def test_pieces_come_as_they_are_written(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        bench.model.go.clear()
        bench.model.held_from = 1
        async with bench.session.post(HOST + STREAM, json={"text_input": "a b"}) as reply:
            assert orjson.loads((await reply.content.readuntil(b"\n\n"))[6:])["text_output"] == " a"
            bench.model.go.set()
            assert b" b" in await reply.read()


async def test_a_model_that_fails_midway_says_so_in_the_stream(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        bench.model.failing, bench.model.fails_after = ZeroDivisionError("no"), 1
        first, last = await bench.events(STREAM, {"text_input": "a b"})
        assert orjson.loads(first)["text_output"] == " a"
        assert "ZeroDivisionError" in orjson.loads(last)["error"]
        bench.model.fails_after = 0
        status, body = await bench.post(STREAM, {"text_input": "a b"})
        assert (status, "ZeroDivisionError" in body["error"]) == (424, True)
        bench.model.failing = InvalidInputError("not a poem")
        assert await bench.post(GENERATE, {"text_input": "a"}) == (422, {"error": "not a poem"})
        status, body = await bench.post("/v1/embeddings", {"input": "a"})
        assert (status, body["error"]["message"]) == (400, "not a poem")


@pytest.mark.parametrize("piece", ["text", None, Piece(text=5)])  # type: ignore[arg-type] # on purpose
@pytest.mark.parametrize("path", [STREAM, GENERATE])
async def test_what_is_no_piece_is_refused(short_path: Path, path: str, piece: Any) -> None:
    async with text_bench.start(short_path, generate=lambda *_: (one for one in [piece])) as bench:
        status, body = await bench.post(path, {"text_input": "a"})
        assert (status, "not a Piece of text" in body["error"]) == (424, True)


async def test_a_client_that_leaves_ends_the_writing(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        bench.model.repeat = 1_000_000
        body = {"text_input": "a b c", "parameters": {"max_tokens": 1_000_000}}
        async with bench.session.post(HOST + STREAM, json=body) as reply:
            await reply.content.readuntil(b"\n\n")
            reply.close()
        await bench.until(lambda: bench.model.closed == 1)
        assert bench.model.written < 1_000_000
        await bench.until(lambda: not bench.server.is_busy)


async def test_a_client_that_does_not_read_stops_the_writing(short_path: Path) -> None:
    async with text_bench.start(short_path) as bench:
        bench.model.repeat = 1_000_000
        body = orjson.dumps({"text_input": "word", "parameters": {"max_tokens": 1_000_000}})
        reader, writer = await asyncio.open_unix_connection(str(short_path / "s"), limit=1024)
        head = b"POST %b HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % (STREAM.encode(), len(body)) + body)
        await reader.readexactly(10)
        seen = -1

        def stands_still() -> bool:
            nonlocal seen
            seen, before = bench.model.written, seen
            return seen == before

        await bench.until(stands_still)
        assert bench.model.written < 1_000_000
        assert bench.model.closed == 0
        writer.close()
        await bench.until(lambda: bench.model.closed == 1)


async def test_the_timeout_ends_a_stream_with_a_word(short_path: Path) -> None:
    async with text_bench.start(short_path, timeout_s=1.0) as bench:
        bench.model.repeat = 100_000
        bench.model.held_from = 1  # a word comes in time, and no other
        bench.model.go.clear()
        body = {"text_input": "a", "parameters": {"max_tokens": 100_000}}
        events = await bench.events(STREAM, body)
        assert "timeout" in orjson.loads(events[-1])["error"]
        assert len(events) == 2
        bench.model.go.set()
        await bench.until(lambda: bench.model.closed == 1)
        assert bench.model.written < 100_000
