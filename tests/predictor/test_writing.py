"""Pieces at the client's pace; clients that leave, models that fail, deadlines."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
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


UNSAYABLE = [Piece(text="a\ud800"), Piece(text="a", token="b"), Piece(text="a", logprob=[])]  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize("piece", UNSAYABLE)
async def test_a_piece_that_no_json_holds_is_refused(short_path: Path, piece: Any) -> None:
    pieces = [Piece(text="first"), piece]
    async with text_bench.start(short_path, generate=lambda *_: (one for one in pieces)) as bench:
        status, body = await bench.post(GENERATE, {"text_input": "a"})
        assert (status, "a Piece that no JSON holds" in body["error"]) == (424, True)
        for path, asked in [
            (STREAM, {"text_input": "a"}),
            ("/v1/completions", {"prompt": "a", "stream": True}),
        ]:
            first, last = await bench.events(path, asked)
            assert "first" in first
            assert "a Piece that no JSON holds" in last


async def test_numbers_of_numpy_are_numbers(short_path: Path) -> None:
    flag: Any = np.bool_(True)
    piece = Piece(text="a", token=np.int64(3), logprob=np.float32(-0.5), is_special=flag)  # type: ignore[arg-type] # as from an array
    async with text_bench.start(
        short_path,
        generate=lambda *_: (one for one in [piece]),
        count_tokens=lambda text: np.int64(len(text)),
    ) as bench:
        asked = {"text_input": "a", "parameters": {"details": True}}
        status, body = await bench.post(GENERATE, asked)
        said = {"id": 3, "text": "a", "logprob": -0.5, "special": True}
        assert (status, body["details"]["logprobs"]) == (200, [said])
        (event,) = await bench.events(STREAM, asked)
        assert orjson.loads(event)["details"]["logprobs"] == [said]
        status, body = await bench.post("/v1/completions", {"prompt": "abc"})
        assert (status, body["usage"]["prompt_tokens"]) == (200, 3)


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (np.zeros((3, 2)), "its embed gave shape [3, 2] for 2 texts"),
        (np.zeros(2), "its embed gave shape [2] for 2 texts"),
        ([["a"], ["b"]], "its embed gave list, not rows of numbers"),
        (None, "its embed gave shape [] for 2 texts"),
    ],
)
async def test_vectors_that_are_not_one_a_text_are_refused(
    short_path: Path, vectors: Any, said: str
) -> None:
    async with text_bench.start(short_path, embed=lambda _: vectors) as bench:
        status, body = await bench.post("/v1/embeddings", {"input": ["a", "b"]})
        assert (status, said in body["error"]["message"]) == (500, True)


async def test_a_vector_s_nan_is_the_word_it_is_elsewhere(short_path: Path) -> None:
    async with text_bench.start(short_path, embed=lambda _: [[float("nan"), 1.0]]) as bench:
        status, body = await bench.post("/v1/embeddings", {"input": "a"})
        assert (status, body["data"][0]["embedding"]) == (200, ["NaN", 1.0])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"input": "a"}),
        ("/v1/completions", {"prompt": "a"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]}),
    ],
)
async def test_what_counts_tokens_is_the_model_s_code_too(
    short_path: Path, path: str, body: Any
) -> None:
    def count(text: str) -> int:
        raise ZeroDivisionError(text)

    async with text_bench.start(short_path, count_tokens=count) as bench:
        status, answer = await bench.post(path, body)
        assert (status, "ZeroDivisionError" in answer["error"]["message"]) == (500, True)


async def test_a_prompt_for_a_conversation_is_text(short_path: Path) -> None:
    async with text_bench.start(short_path, chat_prompt=lambda _: 3) as bench:
        body = {"messages": [{"role": "user", "content": "a"}]}
        status, answer = await bench.post("/v1/chat/completions", body)
        assert (status, "chat_prompt gave int" in answer["error"]["message"]) == (500, True)


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
