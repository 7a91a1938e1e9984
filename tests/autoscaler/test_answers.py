import asyncio

import aiohttp
import pytest

from autoscaler.answers import TooLongError, whole


async def _asked(bytes_max: int) -> bytes:
    """What is read of an answer whose second piece is sent once the first has come."""
    has_come = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nab")
        await has_come.wait()
        writer.write(b"cdef")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, aiohttp.ClientSession() as session, session.get(url) as answer:
        has_come.set()
        return await whole(answer, bytes_max=bytes_max)


async def test_an_answer_in_pieces_is_read_to_its_end() -> None:
    assert await _asked(6) == b"abcdef"


async def test_more_than_is_meant_for_us_is_refused() -> None:
    with pytest.raises(TooLongError, match="more than 5 bytes"):
        await _asked(5)
