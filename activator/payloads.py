"""Carry a request whose Revision asks that a sink be told of it.

For: keeping what passes, up to a limit, and handing events over once all was sent.
Must not know: how events travel, what they look like.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from typing_extensions import override

from activator import errors
from activator.errors import Fault
from activator.events import (
    Answered,
    Capture,
    Event,
    Identity,
    request_event,
    response_event,
)
from activator.plans import Plan
from activator.proxy import Passage
from activator.sides import Keeper
from api import keys
from api.payload_logs import Logging
from wire.client import Connection
from wire.exchange import Exchange

_EVENT_ID = keys.HEADER_EVENT_ID.encode()


class Sink(Protocol):
    """Takes events; never blocks, never fails."""

    def offer(self, event: Event) -> None:
        """Send it later, or drop it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is told of one Revision's requests, and to whom."""

    logging: Logging
    identity: Identity
    sink: Sink
    bytes_max: int  # of one body
    clock: Callable[[], float]  # wall time, in seconds


class LoggedPassage(Passage):
    """A passage that keeps what it carries. Events are offered after the bytes went on.

    Told of is what a replica got: not what was refused before, nor a response that its client
    did not wait for.
    """

    __slots__ = (
        "_answer_headers",
        "_answered",
        "_asked",
        "_is_asked",
        "_is_sent",
        "_log",
        "_status",
    )

    def __init__(
        self,
        exchange: Exchange,
        keeper: Keeper[Passage],
        plan: Plan[Any],
        request_id: bytes,
        arrived_s: float,
        *,
        log: Log,
    ) -> None:
        super().__init__(exchange, keeper, plan, request_id, arrived_s)
        self._log = log
        self._asked = Capture(log.bytes_max)
        self._answered = Capture(log.bytes_max)
        self._answer_headers: dict[bytes, bytes] = {}
        self._status = 0
        self._is_sent = False
        self._is_asked = False  # the request event was offered, or is not wanted

    @override
    def connected(self, connection: Connection) -> None:
        """Send the request; what of it is here goes on in one piece."""
        if self._is_over:
            super().connected(connection)
            return
        self._asked.add(self._exchange.early)
        self._is_sent = True
        super().connected(connection)
        if self._exchange.is_complete:
            self._tell_request()

    @override
    def on_body(self, data: bytes) -> None:
        """Pass on a piece of the request's body."""
        super().on_body(data)
        self._asked.add(data)

    @override
    def on_end(self) -> None:
        """The request is whole."""
        super().on_end()
        if self._connection is not None:
            self._tell_request()

    @override
    def on_answer(self, connection: Connection) -> None:
        """Send the answer's head, and all of it when all of it is here."""
        self._status = connection.status
        self._answer_headers = _headers(connection.head_lines())
        self._answered.add(connection.early)
        is_whole = connection.is_answer_complete
        self._tell_request()  # a replica may answer before it has the whole request
        super().on_answer(connection)
        if is_whole:
            self._tell_response(is_whole=True)

    @override
    def on_answer_body(self, data: bytes) -> None:
        """Pass on a piece of the answer."""
        super().on_answer_body(data)
        self._answered.add(data)

    @override
    def on_answer_end(self) -> None:
        """The answer is whole."""
        super().on_answer_end()
        self._tell_response(is_whole=True)

    @override
    def _fail(self, why: Fault, detail: str) -> None:
        super()._fail(why, detail)
        if not self._is_sent:
            return
        self._status = self._status or errors.status_of(why)
        self._tell_request()
        self._tell_response(is_whole=False)

    def _tell_request(self) -> None:
        if self._is_asked:
            return
        self._is_asked = True
        log = self._log
        if log.logging.has_requests:
            event = request_event(
                log.logging,
                log.identity,
                event_id=self._event_id(),
                time_s=log.clock(),
                headers=self._exchange.index,
                body=self._asked,
            )
            log.sink.offer(event)

    def _tell_response(self, *, is_whole: bool) -> None:
        log = self._log
        if log.logging.has_responses:
            event = response_event(
                log.logging,
                log.identity,
                event_id=self._event_id(),
                headers=self._exchange.index,
                answered=Answered(
                    time_s=log.clock(),
                    status=self._status,
                    latency_s=self._keeper.now_s() - self._sent_s,
                    headers=self._answer_headers,
                    is_whole=is_whole,
                ),
                body=self._answered,
            )
            log.sink.offer(event)

    def _event_id(self) -> bytes:
        return self._exchange.index.get(_EVENT_ID) or self.request_id


def _headers(lines: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in lines.split(b"\r\n") if line)
    return {name.lower(): value.strip() for name, _, value in pairs}
