"""Carry one request to one replica, and stream the answer back.

For: copying bytes both ways with back-pressure, and giving each way to fail its one answer.
Must not know: which replica to choose, how long a queue is, Kubernetes.
"""

from typing import Any

from activator import errors, refusing
from activator.errors import About, Fault
from activator.ledger import CLIENT_LEFT, Ending, Wake
from activator.patience import Patience
from activator.plans import Plan
from activator.sides import Keeper, Upstream
from activator.throttler import Refusal
from wire.client import Connection
from wire.exchange import Exchange

# A held body of unknown length is read so far; one of known length was admitted as a whole.
HELD_CHUNKED_BYTES_MAX = 65_536


class Passage:
    """One request on its way. It is a Receiver of its exchange and of the answer.

    Held until `forward`; over when the answer is written, refused, or nobody waits for it.
    """

    __slots__ = (
        "_begun",
        "_call_failure",
        "_came_s",
        "_connection",
        "_exchange",
        "_first_byte_s",
        "_is_body_chunked",
        "_is_held",
        "_is_over",
        "_is_paused",
        "_keeper",
        "_patience",
        "_pieces",
        "_plan",
        "_sent_bytes",
        "_sent_s",
        "_size",
        "_slot_s",
        "_wake",
        "_went_s",
        "arrived_s",
        "deadline_s",
        "replica",
        "request_id",
    )

    _call_failure: str  # a call's alone (calling.py): here, so that its classes can be joined

    def __init__(
        self,
        exchange: Exchange,
        keeper: "Keeper[Passage]",
        plan: Plan[Any],
        request_id: bytes,
        arrived_s: float,
    ) -> None:
        self._exchange = exchange
        self._keeper = keeper
        self._plan = plan
        self.request_id = request_id
        self.arrived_s = arrived_s
        asked_s = plan.asked_s
        # Of the wait; once sent, of the execution: when to look at it.
        self.deadline_s = arrived_s + (keeper.timeout_s if asked_s is None else asked_s)
        self.replica: Upstream | None = None
        self._connection: Connection | None = None
        self._pieces: list[bytes] | None = None  # of the body, until there is a connection
        self._size = 0
        self._sent_s = arrived_s
        # What follows is for the ledger, by its clock.
        self._came_s = keeper.ledger.now()
        self._went_s = -1.0  # never
        self._slot_s: float | None = None
        self._first_byte_s = -1.0  # with the last
        self._begun = 0  # status of an answer that began before it was whole
        self._sent_bytes = 0  # of the answer's body
        self._wake: Wake | None = None
        self._patience: Patience | None = None
        self._is_held = False
        self._is_over = False
        self._is_paused = False
        self._is_body_chunked = False

    @property
    def size(self) -> int:
        """Bytes of memory this request may take while it is held."""
        length = self._exchange.content_length
        if length is not None:
            return length
        if not self._exchange.is_complete:
            return HELD_CHUNKED_BYTES_MAX
        return self._size + len(self._exchange.early)

    @property
    def is_over(self) -> bool:
        """Nothing more happens to it."""
        return self._is_over

    def held(self, wake: Wake | None) -> None:
        """It waits for a replica; `wake` while none is ready."""
        self._is_held = True
        self._wake = self._wake or wake

    # -- toward the replica -----------------------------------------------------------------

    def forward(self, replica: Upstream) -> None:
        """A slot on `replica` is ours."""
        self.replica = replica
        replica.running += 1
        connection = replica.pool.take()
        if connection is None:
            self._slot_s = self._keeper.ledger.now()
            self._keeper.connect(self)
        else:
            self.connected(connection)

    async def open(self) -> Connection:
        """A new connection to its replica; OSError when nothing listens."""
        assert self.replica is not None
        return await self.replica.pool.connect()

    def connected(self, connection: Connection) -> None:
        """Send the request on a connection on which nothing runs."""
        keeper = self._keeper
        if self._is_over:
            # The client left meanwhile; the slot is freed, the connection is as good as new.
            assert self.replica is not None
            self.replica.pool.give_back(connection, now_s=keeper.now_s())
            return
        exchange = self._exchange
        body = exchange.take()
        if self._pieces is not None:
            body = b"".join(self._pieces) + body
            self._pieces = None
        self._connection = connection
        # What neither waited nor connected was forwarded as it came.
        was_delayed = self._is_held or self._slot_s is not None
        self._went_s = keeper.ledger.now() if was_delayed else self._came_s
        now_s = self._sent_s = keeper.now_s()
        if self._plan.asked_s is None or now_s + keeper.timeout_s < self.deadline_s:
            self.deadline_s = now_s + keeper.timeout_s
        if keeper.bounds is not None:
            self._patience = Patience(keeper.bounds, sent_s=now_s, ends_s=self.deadline_s)
            self.deadline_s = self._patience.next_s()
        framing = b""
        if exchange.content_length is None and (body or not exchange.is_complete):
            framing, body = self._frame(body)
        data = b"%b%bx-request-id: %b\r\n\r\n%b" % (
            self._plan.start,
            framing,
            self.request_id,
            body,
        )
        if self._is_paused:
            self._is_paused = False
            exchange.resume()  # first: what is sent may pause it again
        connection.send(self, data, exchange.method == b"HEAD", exchange.is_complete)

    def _frame(self, body: bytes) -> tuple[bytes, bytes]:
        """Framing line, and framed body, of a body of which the client did not say the length."""
        if self._exchange.is_complete:
            return b"content-length: %d\r\n" % len(body), body
        self._is_body_chunked = True
        if body:
            body = b"%x\r\n%b\r\n" % (len(body), body)
        return b"transfer-encoding: chunked\r\n", body

    def unreachable(self) -> None:
        """No connection could be opened: nothing was sent, so another replica may try."""
        assert self.replica is not None
        self.replica.suspect()
        if not self._is_over:
            self._leave_replica()
            self.replica = None
            self._keeper.returned(self)

    def on_body(self, data: bytes) -> None:
        """Pass on a piece of the request's body, or keep it while there is no connection."""
        connection = self._connection
        if connection is None:
            if self._is_over:
                return
            self._pieces = self._pieces or []
            self._pieces.append(data)
            self._size += len(data)
            is_unmeasured = self._exchange.content_length is None
            if is_unmeasured and self._size >= HELD_CHUNKED_BYTES_MAX and not self._is_paused:
                self._is_paused = True
                self._exchange.pause()
        elif self._is_body_chunked:
            connection.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            connection.write(data)
        if self._patience is not None:
            self._patience.moved(self._keeper.now_s())

    def on_end(self) -> None:
        """The request is whole."""
        connection = self._connection
        if connection is not None and not connection.is_request_complete:
            if self._is_body_chunked:
                connection.write(b"0\r\n\r\n")
            connection.finish_request()

    def on_upstream_writable(self, is_writable: bool) -> None:
        """The replica takes no more for now, or again."""
        if is_writable:
            self._exchange.resume()
        else:
            self._exchange.pause()

    # -- toward the client ------------------------------------------------------------------

    def on_answer(self, connection: Connection) -> None:
        """Send the answer's head, and all of it when all of it is here."""
        exchange = self._exchange
        status = connection.status
        early = connection.early
        length = connection.content_length
        assert self.replica is not None
        headers = b"%b%bx-request-id: %b\r\n" % (
            connection.head_lines(),
            self.replica.signature,
            self.request_id,
        )
        if self._is_held:
            waited_ms = (self._sent_s - self.arrived_s) * 1000
            headers += b"server-timing: queue;dur=%.1f\r\n" % waited_ms
        self._sent_bytes = len(early)
        if not connection.is_answer_complete:
            self._first_byte_s = self._keeper.ledger.now()
            self._begun = status
            if self._patience is not None:
                self._patience.started(self._keeper.now_s())
            exchange.start(status, headers, content_length=length)
            exchange.write(early)
            return
        # First give back connection and slot: the next in line goes on them.
        self._finish()
        if exchange.method == b"HEAD" or status == 304:
            exchange.start(status, headers, content_length=length)
            exchange.end()
        else:
            exchange.respond(status, headers, early)

    def on_answer_body(self, data: bytes) -> None:
        """Pass on a piece of the answer."""
        self._exchange.write(data)
        self._sent_bytes += len(data)
        if self._patience is not None:
            self._patience.moved(self._keeper.now_s())

    def on_answer_end(self) -> None:
        """The answer is whole."""
        self._finish()
        self._exchange.end()

    def on_writable(self, is_writable: bool) -> None:
        """The client reads no more for now, or again."""
        if self._connection is not None:
            if is_writable:
                self._connection.resume()
            else:
                self._connection.pause()

    # -- endings ----------------------------------------------------------------------------

    def on_abort(self) -> None:
        """The client left: its place in the queue or its slot is free in this very tick."""
        if self._is_over:
            return
        self._drop_connection()
        if self.replica is not None:
            self._leave_replica()
        self._note_failed(Ending.LEFT, self._begun or CLIENT_LEFT)
        self._keeper.abandoned(self)

    def on_answer_lost(self, why: str) -> None:
        """The replica died, or does not speak HTTP. A cut answer must look cut."""
        assert self.replica is not None
        self._connection = None
        self.replica.suspect()
        self._fail(Fault.REPLICA_DIED, why)

    def expire(self, now_s: float) -> None:
        """The deadline has passed, or one of several has and this is the moment to look."""
        patience = self._patience
        why: Fault | None = Fault.EXECUTION_TIMEOUT
        if patience is not None:
            why = patience.passed(now_s)
            self.deadline_s = patience.next_s()
        if why is not None:
            self._fail(why, "")

    def refuse(self, why: Refusal | Fault, *, detail: str = "", retry_s: int | None = None) -> None:
        """Answer with a refusal. The keeper has let go of it already."""
        self._is_over = True
        self._pieces = None
        about = About(
            revision=self._keeper.name,
            request_id=self.request_id,
            detail=detail,
            retry_after_s=retry_s,
        )
        self._note_failed(Ending.REFUSED, errors.status_of(why), why.value)
        refusing.refuse(self._exchange, why, about)

    def _fail(self, why: Fault, detail: str) -> None:
        self._drop_connection()
        self._leave_replica()
        self._keeper.finished(self, self._keeper.now_s())
        if self._exchange.is_started:
            self._note_failed(Ending.CUT, self._begun, why.value)
            refusing.cut(self._exchange, why, About(detail=detail))
        else:
            self.refuse(why, detail=detail)

    def _drop_connection(self) -> None:
        self._is_over = True
        self._pieces = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.let_go()

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        assert self.replica is not None
        self._is_over = True
        now_s = self._keeper.now_s()
        ledger = self._keeper.ledger
        ended_s = ledger.now()
        note = self.note(next(ledger.serials), ended_s, Ending.ANSWERED, connection.status)
        if self._is_held or ended_s - self._came_s > ledger.slow_s:
            ledger.add_slow(note)
        else:
            ledger.add(note)
        self.replica.pool.give_back(connection, now_s=now_s)
        self._leave_replica()
        self._keeper.finished(self, now_s)

    def note(
        self, serial: int, now_s: float, ending: Ending, status: int, why: str = ""
    ) -> tuple[Any, ...]:
        """What became of it: a `Note` in all but type, for that would cost as much again."""
        replica = self.replica
        return (
            serial,
            self.request_id,
            self._keeper.origin,
            self._came_s,
            self._slot_s,
            self._went_s,
            self._first_byte_s,
            now_s,
            status,
            ending,
            why,
            None if replica is None else replica.marks,
            self._is_held,
            self._wake,
            self._exchange.received,
            self._sent_bytes,
        )

    def _note_failed(self, ending: Ending, status: int, why: str = "") -> None:
        ledger = self._keeper.ledger
        note = self.note(next(ledger.serials), ledger.now(), ending, status, why)
        ledger.add_failed(note)

    def _leave_replica(self) -> None:
        replica = self.replica
        assert replica is not None
        replica.running -= 1
        if replica.is_leaving and not replica.running:
            replica.drained()
