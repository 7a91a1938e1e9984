"""Payload events on their way to their sinks.

For: sending them beside the request path, within limits, and counting those that are lost.
Must not know: requests, revisions, what an event says.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from activator.config import Settings
from activator.events import Event
from activator.homing import Home
from activator.statistics import EventStatistics

_LOG = logging.getLogger(__name__)
_COMPLAIN_S = 60.0  # losses are logged at most this often


class EventSender:
    """One queue a sink: one that is away costs no other anything. `offer` never blocks or fails.

    An event is sent once. A sink that refuses, or takes too long, has lost it.
    """

    def __init__(
        self,
        settings: Settings,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None] | None"],
        home_of: Callable[[str], Home | None] = lambda _: None,
    ) -> None:
        """`spawn` runs a task, or returns None when it is too late for that.

        `home_of` knows the URLs of Services of ours.
        """
        self._home_of = home_of
        self._settings = settings
        self._spawn = spawn
        self._session: aiohttp.ClientSession | None = None
        self._queues: dict[str, _Queue] = {}  # by URL, while there is something to send
        self._sent = self._failed = self._dropped = self._truncated = 0
        self._told = 0  # losses that were logged
        self._why = ""  # of the last failure
        self._complained_s = float("-inf")
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def offer(self, event: Event) -> None:
        """Send it soon, or drop it when too much waits for its sink."""
        if self._is_closed:
            self._lose()
            return
        queue = self._queues.get(event.url)
        if queue is None:
            queue = self._queues[event.url] = _Queue()
        settings = self._settings
        if (
            len(queue.events) >= settings.event_depth_max
            or queue.size + len(event.body) > settings.event_queue_bytes_max
        ):
            self._lose()
            return
        self._truncated += "ce-truncated" in event.headers
        queue.events.append(event)
        queue.size += len(event.body)
        if queue.senders < settings.event_senders and queue.senders < len(queue.events):
            queue.senders += 1
            self._idle.clear()
            if self._spawn(self._run(event.url, queue)) is None:
                queue.senders -= 1
                self._discard(event.url, queue)

    def statistics(self) -> EventStatistics:
        """What became of events, and what waits."""
        return EventStatistics(
            sent=self._sent,
            failed=self._failed,
            dropped=self._dropped,
            truncated=self._truncated,
            waiting=sum(len(queue.events) for queue in self._queues.values()),
            waiting_bytes=sum(queue.size for queue in self._queues.values()),
        )

    async def close(self) -> None:
        """Send what waits, for a limited time; count the rest as dropped."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.event_flush_s):
                    await self._idle.wait()
        finally:  # whoever closes may be cancelled meanwhile
            self._is_closed = True
            for url, queue in tuple(self._queues.items()):
                self._discard(url, queue)
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    def _discard(self, url: str, queue: "_Queue") -> None:
        for _ in queue.events:
            self._lose()
        queue.events.clear()
        queue.size = 0
        self._forget(url, queue)

    def _forget(self, url: str, queue: "_Queue") -> None:
        if not queue.events and not queue.senders and self._queues.get(url) is queue:
            del self._queues[url]
        if not any(each.senders for each in self._queues.values()):
            self._idle.set()

    async def _run(self, url: str, queue: "_Queue") -> None:
        """Send until nothing waits. Nothing runs without events."""
        try:
            while queue.events:
                event = queue.events.popleft()
                queue.size -= len(event.body)
                await self._send(event)
        finally:
            queue.senders -= 1
            self._forget(url, queue)

    async def _send(self, event: Event) -> None:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._settings.event_send_s)
            self._session = aiohttp.ClientSession(timeout=timeout)
        home = self._home_of(event.url)
        url, headers = event.url, event.headers
        if home is not None:
            url, headers = home.url, {**headers, "host": home.host}
        try:
            async with self._session.post(
                url, data=event.body, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            # TimeoutError is an OSError; a session that is closed meanwhile is a RuntimeError.
            self._failed += 1
            self._complain(f"{event.url}: {str(error) or type(error).__name__}")
            return
        if status < 300:
            self._sent += 1
        else:
            self._failed += 1
            self._complain(f"{event.url} answered {status}")

    def _lose(self) -> None:
        self._dropped += 1
        self._complain("more events than the sink takes")

    def _complain(self, why: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._complained_s < _COMPLAIN_S:
            return
        self._complained_s = now_s
        lost = self._failed + self._dropped
        _LOG.warning("%d payload events were lost: %s", lost - self._told, why)
        self._told = lost


class _Queue:
    """What waits for one sink."""

    __slots__ = ("events", "senders", "size")

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.size = 0
        self.senders = 0
