"""Clients: steady, bursts, silence; some leave early, some say how long they would wait.

For: sending requests and taking down the one fate of each.
Must not know: which fate is right; `judging` knows.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tests.simulation.network import Network, Transport
from tests.simulation.platform import ADDRESS, DOMAIN

BODY = b'{"instances": [1]}'
LEFT, LOST, REFUSED = "left", "lost", "refused"


@dataclass(slots=True)
class Request:
    """One request. `fate`: a status as text, or LEFT, LOST (cut off), REFUSED (no activator)."""

    name: str
    route: str
    tag: str
    at_s: float
    timeout_s: float | None  # its own; None: the revision's
    fate: str = ""
    done_s: float = 0.0
    revision: str = ""
    reason: str = ""
    detail: str = ""

    @property
    def host(self) -> str:
        return f"{self.tag}-{self.route}" if self.tag else self.route


class Clients:
    """All of them. `judge` is told of each request when its fate is known."""

    def __init__(
        self,
        network: Network,
        rng: random.Random,
        *,
        judge: Callable[[Request], None],
        note: Callable[[str], None],
        max_requests: int,
    ) -> None:
        self._network = network
        self._rng = rng
        self._judge = judge
        self.note = note
        self._max_requests = max_requests
        self.count = 0
        self.waiting: dict[str, Request] = {}
        self.fates: dict[str, int] = {}

    async def run(self, route: str, tags: Callable[[], list[str]]) -> None:
        """Send to one Route until cancelled: now much, now little, now nothing."""
        rng = self._rng
        while True:
            mood = rng.choice(("steady", "steady", "burst", "silence", "silence"))
            if mood == "silence":
                await asyncio.sleep(rng.choice((1.0, 5.0, 20.0, 60.0)))
            elif mood == "burst":
                for _ in range(rng.choice((2, 5, 10, 30))):
                    self._send_some(route, tags())
                await asyncio.sleep(rng.choice((0.0, 1.0, 5.0)))
            else:
                gap_s = rng.choice((0.1, 0.3, 1.0))
                for _ in range(rng.randrange(1, 30)):
                    self._send_some(route, tags())
                    await asyncio.sleep(gap_s * rng.choice((0.0, 1.0, 2.0)))

    def _send_some(self, route: str, tags: list[str]) -> None:
        if self.count >= self._max_requests:
            return
        rng = self._rng
        tag = rng.choice(tags) if tags and rng.random() < 0.2 else ""
        timeout_s = rng.choice((0.5, 2.0, 10.0)) if rng.random() < 0.2 else None
        leaves_s = rng.choice((0.0, 0.1, 1.0, 3.0)) if rng.random() < 0.15 else None
        self.send(route, tag=tag, timeout_s=timeout_s, leaves_s=leaves_s)

    def send(
        self,
        route: str,
        *,
        tag: str = "",
        timeout_s: float | None = None,
        leaves_s: float | None = None,
    ) -> Request:
        self.count += 1
        now_s = asyncio.get_running_loop().time()
        request = Request(f"r{self.count}", route, tag, now_s, timeout_s)
        self.waiting[request.name] = request
        wait = f" waits {timeout_s}" if timeout_s else ""
        leaves = f" leaves in {leaves_s}" if leaves_s is not None else ""
        self.note(f"request {request.name} to {request.host}{wait}{leaves}")
        try:
            self._network.connect(ADDRESS, lambda: _Exchange(request, self, leaves_s))
        except ConnectionRefusedError:
            self.over(request, REFUSED)
        return request

    def over(self, request: Request, fate: str) -> None:
        """A second fate of one request is a violation, which the judge sees."""
        if request.fate:
            request.fate += f" and {fate}"
        else:
            request.fate = fate
            del self.waiting[request.name]
        request.done_s = asyncio.get_running_loop().time()
        self.fates[fate] = self.fates.get(fate, 0) + 1
        why = f" {request.reason}" if request.reason else ""
        self.note(f"request {request.name} {request.fate} {request.revision}{why}")
        self._judge(request)


class _Exchange(asyncio.Protocol):
    """One connection with one request on it."""

    def __init__(self, request: Request, clients: Clients, leaves_s: float | None) -> None:
        self._request = request
        self._clients = clients
        self._leaves_s = leaves_s
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: Transport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        request = self._request
        wait = f"relight-timeout: {request.timeout_s}\r\n" if request.timeout_s else ""
        head = (
            f"POST /v1/models/m:predict HTTP/1.1\r\nhost: {request.host}.default.{DOMAIN}\r\n"
            f"x-request-id: {request.name}\r\n{wait}content-length: {len(BODY)}\r\n\r\n"
        )
        transport.write(head.encode() + BODY)
        if self._leaves_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._leaves_s, self._leave)

    def _leave(self) -> None:
        if not self._request.fate:
            self._clients.over(self._request, LEFT)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, gap, body = self._data.partition(b"\r\n\r\n")
        if not gap:
            return
        line, *lines = head.split(b"\r\n")
        fields = dict(each.lower().split(b": ", 1) for each in lines)
        if len(body) < int(fields[b"content-length"]):
            return
        request, status = self._request, line.split(b" ")[1].decode()
        assert fields[b"x-request-id"] == request.name.encode(), "the answer is another's"
        if status == "200":
            request.revision = fields[b"relight-revision"].decode()
        else:
            said = orjson.loads(body)
            request.revision, request.reason = said["revision"], said["reason"]
            request.detail = said["error"]
        self._data = b""
        self._clients.over(request, status)
        self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._request.fate:
            self._clients.over(self._request, LOST)
