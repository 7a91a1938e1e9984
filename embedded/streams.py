"""Answers that go on: watches and logs, written piece by piece.

For: keeping a response open for as long as there is something to say and someone to hear it.
Must not know: where events and logs come from.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
from aiohttp import web

from cluster.client import WatchEvent
from cluster.errors import ApiError
from embedded.watching import Watcher

WATCH_TIMEOUT_S: Final = 1800  # a watch that names no end; the client starts the next one
BOOKMARK_PERIOD_S: Final = 60.0
_LOOK_PERIOD_S: Final = 5.0  # how often an idle stream looks whether its client is still there
_BATCH_BYTES: Final = 64 * 1024
Render = Callable[[WatchEvent], Any]


async def send_watch(
    request: web.Request,
    watcher: Watcher,
    *,
    render: Render,
    bookmark: Callable[[], WatchEvent] | None,
    timeout_s: int,
) -> web.StreamResponse:
    """Write events, one JSON object a line, until the time is over or someone leaves."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    next_bookmark_s = loop.time() + BOOKMARK_PERIOD_S
    try:
        await response.prepare(request)
        while (now_s := loop.time()) < end_s and not _is_gone(request):
            if bookmark is not None and now_s >= next_bookmark_s and not watcher.waiting:
                await response.write(_line(bookmark(), render))
                next_bookmark_s = now_s + BOOKMARK_PERIOD_S
            try:
                async with asyncio.timeout(min(_LOOK_PERIOD_S, end_s - now_s)):
                    event = await watcher.next()
            except TimeoutError:
                continue
            if event is None:
                break
            await response.write(await _batch(event, watcher, render))
        if bookmark is not None and not watcher.waiting:
            await response.write(_line(bookmark(), render))
    except ApiError as error:
        await response.write(orjson.dumps({"type": "ERROR", "object": error.to_status()}) + b"\n")
    except ConnectionError:
        pass  # the client left, before the head of the answer even
    finally:
        watcher.close()
    return response


async def _batch(event: WatchEvent, watcher: Watcher, render: Render) -> bytes:
    """The event and those already waiting behind it, as one write."""
    pieces = [_line(event, render)]
    size = len(pieces[0])
    while watcher.waiting and size < _BATCH_BYTES:
        following = await watcher.next()
        assert following is not None, "what waits is an event"
        pieces.append(_line(following, render))
        size += len(pieces[-1])
    return b"".join(pieces)


def _line(event: WatchEvent, render: Render) -> bytes:
    return orjson.dumps({"type": event.type, "object": render(event)}) + b"\n"


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def send_log(
    request: web.Request, pieces: AsyncIterator[bytes], *, bytes_max: int | None
) -> web.StreamResponse:
    """Write a log until it ends, `bytes_max` is reached, or the client leaves."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    async with asyncio.TaskGroup() as tasks:
        pump = tasks.create_task(_pump(response, pieces, bytes_max))
        # A silent log says nothing of a client that left: look from time to time.
        while not pump.done() and not _is_gone(request):
            await asyncio.wait({pump}, timeout=_LOOK_PERIOD_S)
        pump.cancel()
    return response


async def _pump(
    response: web.StreamResponse, pieces: AsyncIterator[bytes], bytes_max: int | None
) -> None:
    left = bytes_max
    try:
        async for piece in pieces:
            await response.write(piece if left is None else piece[:left])
            if left is not None:
                left -= len(piece)
                if left <= 0:
                    return
    except ConnectionError:
        return  # the client left while something was being written
