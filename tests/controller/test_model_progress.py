import asyncio
import json

import pytest

from controller.model_progress import told


async def answered(answer: bytes) -> str:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        return await told("127.0.0.1", server.sockets[0].getsockname()[1])


def said(text: object) -> bytes:
    return b"HTTP/1.0 200 OK\r\nContent-Type: x\r\n\r\n" + json.dumps({"text": text}).encode()


async def test_how_far_it_is() -> None:
    assert await answered(said("1.0 of 2.0 MB")) == "1.0 of 2.0 MB"
    assert await answered(said("x" * 1000)) == "x" * 300


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.0 500 no\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\n\r\n[]",
        b"HTTP/1.0 200 OK\r\n\r\n{",
        said(7),
        said("two\nlines"),
        said("x" * 20_000),
    ],
)
async def test_whoever_answers_is_not_trusted(answer: bytes) -> None:
    assert await answered(answer) == ""


async def test_where_nobody_listens_nothing_is_said() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert await told("127.0.0.1", port) == ""
