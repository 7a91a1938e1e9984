"""All requests of one Revision: the shell around its throttler.

For: carrying out what the throttler decides, one timer for its deadlines, and the poke that
leaves zero.
Must not know: routes, how replicas are found or proven, how bytes are copied.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from activator import errors
from activator.calling import CallPassage, LoggedCall, MeasuredCall, MeasuredLoggedCall
from activator.concurrency import Load, LoadCounter
from activator.config import Settings
from activator.ledger import Ledger, Origin, Wake
from activator.loads import UNTOLD, ReplicaLoads, Told
from activator.measuring import MeasuredLoggedPassage, MeasuredPassage
from activator.patience import Bounds
from activator.payloads import Log, LoggedPassage
from activator.proxy import Passage
from activator.sides import Upstream
from activator.targets import RevisionKey
from activator.throttler import Forward, Refusal, Refuse, Throttler

_FIRST_POKE = 0  # no poke yet since a replica was ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a Revision promises and whether it can keep it."""

    container_concurrency: int  # 0: no limit
    timeout_s: float
    bounds: Bounds | None = None  # of an execution, beside the timeout
    failure: str = ""  # not empty: it failed for good, and why
    waits: str = ""  # what keeps its replicas, where that is known
    is_measured: bool = False  # it scales on what its replicas say of their load
    is_h2c: bool = False  # its replicas speak HTTP/2, and nothing else


class Office(Protocol):
    """What holders of all revisions share."""

    settings: Settings
    ledger: Ledger

    def activate(self, holder: "Holder", now_s: float) -> None:
        """Include a holder in the periodic look at deadlines and in reports."""

    def poke(self, holder: "Holder", now_s: float) -> None:
        """Ask for a decision now."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Run it as a task that ends with the activator at the latest."""
        ...


class Holder:
    """The queue of one Revision, and its way to the replicas. Calls never block."""

    def __init__(
        self,
        key: RevisionKey,
        terms: Terms,
        office: Office,
        *,
        service: str = "",
        throttler: Throttler[Passage, Upstream] | None = None,
    ) -> None:
        """`throttler`: one that is shared with other activators; else it has its own."""
        settings = office.settings
        loop = asyncio.get_running_loop()
        self.key = key
        self.name = key.name
        self.origin = Origin(key.namespace, service, key.name)
        self.ledger = office.ledger
        self.terms = terms
        self.timeout_s = terms.timeout_s
        self.bounds = terms.bounds
        self.now_s: Callable[[], float] = loop.time
        self.passage: Callable[..., Passage] = Passage  # how its requests are carried
        self.call: Callable[..., Passage] = CallPassage  # and its gRPC calls
        self.loads: ReplicaLoads[Upstream] | None = None  # of replicas that are asked for theirs
        self._log: Log | None = None
        self.is_active = False  # owned by the office: in its set
        self.pod_count = 0  # replicas that exist in any state
        self._loop = loop
        self._office = office
        self._settings = settings
        self._throttler: Throttler[Passage, Upstream] = throttler or Throttler(
            capacity=terms.container_concurrency,
            depth_max=settings.queue_depth_max,
            bytes_max=settings.queue_bytes_max,
        )
        self._counter = LoadCounter(now_s=loop.time())
        self._finished_per_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0  # of the timer: uvloop's handle forgets it when it fires
        self._gathering: asyncio.TimerHandle | None = None
        self._gather_ends_s = 0.0
        self._last_held_s = 0.0
        self._poked = _FIRST_POKE  # length of the queue at the last poke
        self._wake: Wake | None = None  # while requests wait and no replica is ready
        self._choose_passage()

    @property
    def queued(self) -> int:
        """Requests held."""
        return self._throttler.queued

    @property
    def queued_bytes(self) -> int:
        """Bytes of their bodies."""
        return self._throttler.queued_bytes

    @property
    def executing(self) -> int:
        """Requests at a replica."""
        return self._throttler.running

    def running(self, request_id: bytes) -> list[tuple[Passage, int | None]]:
        """Its requests of this id that are not over, with how many wait before each; None: runs."""
        executing = [(each, None) for each in self._throttler.executing]
        held = [(each, place) for place, each in enumerate(self._throttler.held)]
        return [found for found in (*held, *executing) if found[0].request_id == request_id]

    def log_requests(self, log: Log) -> None:
        """Tell of its requests from now on."""
        self._log = log
        self._choose_passage()

    def _choose_passage(self) -> None:
        if self.terms.is_measured:
            self.loads = self.loads or ReplicaLoads()
        else:
            self.loads = None
        is_measured = self.terms.is_measured
        if self._log is None:
            self.passage = MeasuredPassage if is_measured else Passage
            self.call = MeasuredCall if is_measured else CallPassage
        else:
            logged = MeasuredLoggedPassage if is_measured else LoggedPassage
            call = MeasuredLoggedCall if is_measured else LoggedCall
            self.passage, self.call = partial(logged, log=self._log), partial(call, log=self._log)
        if self.terms.is_h2c:
            self.passage = self.call

    # -- requests ---------------------------------------------------------------------------

    def admit(self, passage: Passage, now_s: float) -> None:
        """A request came: forward, hold or refuse it."""
        if not self.is_active:
            self._counter.restart(now_s)
            self._office.activate(self, now_s)
        self._counter.arrived(now_s)
        replica = self._throttler.admit(passage)
        if replica is not None:
            passage.forward(replica)
        else:
            self._hold(passage, now_s)

    def finished(self, passage: Passage, now_s: float) -> None:
        """A request needs its slot no more."""
        self._counter.finished(now_s)
        self.carry_out(self._throttler.finished(passage))

    def abandoned(self, passage: Passage) -> None:
        """The client of a held or running request left."""
        self._counter.finished(self.now_s())
        self.carry_out(self._throttler.abandoned(passage))

    def returned(self, passage: Passage) -> None:
        """Nothing of a request was sent: it waits again, first in line."""
        now_s = self.now_s()
        passage.held(self._waking())
        forwards = self._throttler.returned(
            passage, size=passage.size, deadline_s=passage.deadline_s, is_usable=False
        )
        self.carry_out(forwards)
        self._arm()
        self._consider_poke(now_s)

    def connect(self, passage: Passage) -> None:
        """Open a connection for a request that has a slot."""
        self._office.spawn(self._connect(passage))

    async def _connect(self, passage: Passage) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_s):
                connection = await passage.open()
        except OSError:  # TimeoutError is one
            passage.unreachable()
        else:
            passage.connected(connection)

    def _hold(self, passage: Passage, now_s: float) -> None:
        failure = self.terms.failure
        if failure and not self._throttler.has_ready_endpoints:
            self._counter.finished(now_s)
            passage.refuse(Refusal.REVISION_FAILED, detail=failure)
            return
        refusal = self._throttler.hold(passage, size=passage.size, deadline_s=passage.deadline_s)
        if refusal is not None:
            self._counter.finished(now_s)
            passage.refuse(refusal, retry_s=self._retry_after_s())
            return
        passage.held(self._waking())
        self._last_held_s = now_s
        self._arm()
        self._consider_poke(now_s)

    def _retry_after_s(self) -> int:
        return errors.retry_after_s(queued=self.queued, finished_per_s=self._finished_per_s)

    def carry_out(self, forwards: Sequence[Forward[Passage, Upstream]]) -> None:
        """Send what the throttler says."""
        for passage, replica in forwards:
            passage.forward(replica)

    # -- replicas ---------------------------------------------------------------------------

    def endpoints_changed(self, ready: Collection[Upstream]) -> None:
        """Which replicas may be used."""
        if ready and not self._throttler.has_ready_endpoints:
            self._poked = _FIRST_POKE
            self._wake = None
        self.carry_out(self._throttler.endpoints_changed(ready))

    def change_terms(self, terms: Terms) -> None:
        """The Revision's status changed. A failure refuses what is held in vain."""
        self.terms = terms
        self._choose_passage()
        if terms.failure and not self._throttler.has_ready_endpoints:
            self.give_up(Refusal.REVISION_FAILED, terms.failure)

    def give_up(self, why: Refusal, detail: str = "", *, retry_s: int | None = None) -> None:
        """Refuse all that is held."""
        for passage, _ in self._throttler.give_up(why):
            self._counter.finished(self.now_s())
            passage.refuse(why, detail=detail, retry_s=retry_s)

    def carry_refusals(self, refused: Sequence[Refuse[Passage]]) -> None:
        """Refuse what another activator has no room for."""
        for passage, why in refused:
            self._counter.finished(self.now_s())
            passage.refuse(why, retry_s=self._retry_after_s())

    # -- deadlines --------------------------------------------------------------------------

    def _arm(self) -> None:
        deadline_s = self._throttler.next_deadline_s()
        if deadline_s is None:
            return
        if self._timer is not None:
            if self._due_s <= deadline_s:
                return  # when it fires, it is armed again
            self._timer.cancel()
        self._due_s = deadline_s
        self._timer = self._loop.call_at(deadline_s, self._expire)

    def _expire(self) -> None:
        # A loop may call a little early; the time it was asked for is what counts.
        now_s = max(self._due_s, self.now_s())
        self._timer = None
        for passage, why in self._throttler.expire(now_s=now_s):
            self._counter.finished(now_s)
            passage.refuse(why, detail=self._waits())
        self._arm()

    def _waits(self) -> str:
        """Why there is no replica, to end a sentence with."""
        is_known = self.terms.waits and not self._throttler.has_ready_endpoints
        return f": {self.terms.waits}" if is_known else ""

    def expire_executing(self, now_s: float) -> None:
        """End the executions whose deadline has passed. Cost: linear in what runs."""
        late = [each for each in self._throttler.executing if each.deadline_s <= now_s]
        for passage in late:
            if not passage.is_over:
                passage.expire(now_s)

    # -- leaving zero -----------------------------------------------------------------------

    def _consider_poke(self, now_s: float) -> None:
        """Poke when requests wait for a replica that nobody asked for; again when they double."""
        if self._gathering is not None or not self.queued:
            return
        is_ready = self._throttler.has_ready_endpoints
        if is_ready and not self.is_crowd:
            return
        if self._poked == _FIRST_POKE and (is_ready or not self.pod_count):
            self._gather_ends_s = now_s + self._settings.gather_max_s
            self._gathering = self._loop.call_later(self._settings.gather_s, self._gathered)
        elif self.queued >= 2 * max(self._poked, 1):
            self._poke(now_s)

    def _gathered(self) -> None:
        """Wait on while requests of the same burst arrive, so that one poke tells of them all.

        One request may be all there is; where several came, more may follow, and the pause
        that ends a burst is twice as long.
        """
        now_s = self.now_s()
        pauses = 1 if self.queued == 1 else 2
        quiet_at_s = self._last_held_s + pauses * self._settings.gather_s
        self._gathering = None
        if now_s < quiet_at_s and now_s < self._gather_ends_s:
            self._gathering = self._loop.call_at(
                min(quiet_at_s, self._gather_ends_s), self._gathered
            )
        elif self.queued and (self.is_crowd or not self._throttler.has_ready_endpoints):
            self._poke(now_s)

    @property
    def is_crowd(self) -> bool:
        """Whether requests wait for replicas that are ready, and will not have room soon."""
        queued = self._throttler.queued
        return queued >= self._settings.crowd * max(self.executing, 1) and (
            self._throttler.has_ready_endpoints
        )

    def _waking(self) -> Wake | None:
        """What a request that is held now has part in."""
        if self._throttler.has_ready_endpoints:
            return None
        if self._wake is None or self._throttler.queued <= 1:
            self._wake = Wake(
                self.ledger.now()
            )  # the first to wait: what was asked for before is not its
        return self._wake

    def _poke(self, now_s: float) -> None:
        self._poked = self.queued
        if self._wake is not None:
            self._wake.poked(self.ledger.now(), self.queued)
        self._office.poke(self, now_s)

    def poke_again(self, now_s: float) -> None:
        """Whoever decides may not know of the requests that wait here: tell of them."""
        if self.queued and (self.is_crowd or not self._throttler.has_ready_endpoints):
            self._poke(now_s)

    # -- reports ----------------------------------------------------------------------------

    def report(self, now_s: float) -> Load:
        """End a period."""
        load = self._counter.report(now_s)
        self._finished_per_s = load.finished_per_s
        if not self.queued:
            self._poked = _FIRST_POKE
        return load

    def told(self, now_s: float) -> Told:
        """What its replicas say of their load, if they are asked."""
        if self.loads is None:
            return UNTOLD
        oldest = self._throttler.oldest
        return self.loads.look(
            self._throttler.busy,
            executing=self.executing,
            queued=self.queued,
            oldest_s=0.0 if oldest is None else now_s - oldest.arrived_s,
            now_s=now_s,
        )

    def close(self) -> None:
        """End the timers."""
        for timer in (self._timer, self._gathering):
            if timer is not None:
                timer.cancel()
        self._timer = self._gathering = None
