"""Virtual time: one policy over the arrivals of one Revision.

For: calling the decider exactly when autoscaler/loop.py would: at once for a poke, every tick
     while it is awake, and whenever the number of replicas or of ready ones changed.
Must not know: what is decided, what a report says, which replica is chosen.

What comes at one moment comes in this order: ends of requests and starts, in the order in which
they were caused, then arrivals. Messages between the parts take no time.
"""

import heapq
import math
from collections.abc import Sequence
from enum import IntEnum

from api.stats import Stat
from rehearsal.deciding import Decider
from rehearsal.fleet import Fleet, Replica
from rehearsal.holding import REPORT_PERIOD_S, Holding
from rehearsal.runs import COLD, RESUMED, WARM, Run
from rehearsal.terms import Terms

_STUCK_S = 86_400.0  # after the last arrival: who waits then, and nothing starts, waits for ever
_LAST_S = 7 * _STUCK_S  # likewise: so much is not rehearsed, whoever still executes or waits
_ORDERS_MAX = 100  # of one moment: more, and two rules of the decider contradict each other


class _Kind(IntEnum):
    FINISH = 0
    ARRIVE = 1  # of a replica that started
    GATHERED = 2
    REPORT = 3
    TICK = 4
    WAKE = 5


class Engine:
    """One rehearsal; `run` it once."""

    def __init__(
        self,
        arrivals: Sequence[float],
        services: Sequence[float],
        decider: Decider,
        terms: Terms,
        *,
        until_s: float,
        name: str = "revision",
    ) -> None:
        """`arrivals` rise from 0 on; replicas are counted until `until_s` at least."""
        self._arrivals = arrivals
        self._services = services
        self._decider = decider
        self._name = name
        self._until_s = until_s
        self._tick_s = terms.settings.tick_s
        self._fleet = Fleet(terms)
        self._holding = Holding(name)
        self._replicas = decider.first  # ordered
        self._waits = [0.0] * len(arrivals)
        self._found = bytearray(len(arrivals))
        self._events: list[tuple[float, int, _Kind, Replica | None]] = []
        self._count = 0
        self._is_ticking = False

    def run(self) -> Run:
        """Return what happened; ValueError if it would go on for ever, or as good as."""
        self._fleet.begin(self._replicas)
        self._wake(-self._tick_s)
        events, until_s = self._events, self._until_s
        for number, arrival_s in enumerate(self._arrivals):
            while events and events[0][0] <= arrival_s:
                self._step()
            self._arrive(number, arrival_s)
        end_s = until_s
        while events and (events[0][0] <= until_s or self._holding.in_flight):
            end_s = max(until_s, events[0][0])
            self._check(end_s - until_s)
            self._step()
        self._fleet.close(end_s)
        return Run(
            arrivals=self._arrivals,
            services=self._services,
            waits=self._waits,
            found=self._found,
            lives=self._fleet.lives,
            frozen=self._fleet.frozen,
            cold_starts=self._fleet.leavings,
            end_s=end_s,
        )

    def _check(self, late_s: float) -> None:
        """Refuse to go on for ever: requests that nobody serves, or take as good as for ever."""
        queue, fleet = self._holding.queue, self._fleet
        waits_for_ever = late_s > _STUCK_S and queue and not fleet.is_at_work
        if waits_for_ever or late_s > _LAST_S:
            executing = self._holding.in_flight - len(queue)
            raise ValueError(
                f"{self._name}: {late_s / _STUCK_S:.0f} days after the last request came "
                f"{len(queue)} still wait and {executing} execute, with {self._replicas} replicas "
                f"ordered and {fleet.ready} ready"
            )

    def _push(self, at_s: float, kind: _Kind, replica: Replica | None = None) -> None:
        self._count += 1
        heapq.heappush(self._events, (at_s, self._count, kind, replica))

    def _step(self) -> None:
        now_s, _, kind, replica = heapq.heappop(self._events)
        if kind is _Kind.FINISH:
            assert replica is not None
            self._finish(replica, now_s)
        elif kind is _Kind.ARRIVE:
            assert replica is not None
            self._replica_arrives(replica, now_s)
        elif kind is _Kind.GATHERED:
            self._tell(*self._holding.gathered(now_s, ready=self._fleet.ready), now_s)
        elif kind is _Kind.REPORT:
            self._report(now_s)
        elif kind is _Kind.TICK:
            self._tick(now_s)
        else:
            self._ring(now_s)

    # -- requests ---------------------------------------------------------------------------

    def _arrive(self, number: int, now_s: float) -> None:
        holding, fleet = self._holding, self._fleet
        if holding.arrived(now_s):
            self._push(now_s + REPORT_PERIOD_S, _Kind.REPORT)
        if not holding.queue:
            replica = fleet.take(now_s)
            if replica is not None:
                self._push(now_s + self._services[number], _Kind.FINISH, replica)
                return
        told = holding.held(number, now_s, staying=len(fleet.staying), ready=fleet.ready)
        self._tell(*told, now_s)

    def _finish(self, replica: Replica, now_s: float) -> None:
        self._holding.finished(now_s)
        self._fleet.free(replica, now_s)
        if self._holding.queue:
            self._drain(now_s)

    def _drain(self, now_s: float) -> None:
        queue, fleet = self._holding.queue, self._fleet
        while queue:
            replica = fleet.take(now_s)
            if replica is None:
                return
            number = queue.popleft()
            arrival_s = self._arrivals[number]
            self._waits[number] = now_s - arrival_s
            if replica.ready_s > arrival_s:
                self._found[number] = RESUMED if replica.is_resumed else COLD
            else:
                self._found[number] = WARM
            self._push(now_s + self._services[number], _Kind.FINISH, replica)

    # -- what the autoscaler hears ----------------------------------------------------------

    def _tell(self, stat: Stat | None, gathered_s: float | None, now_s: float) -> None:
        if gathered_s is not None:
            self._push(gathered_s, _Kind.GATHERED)
        if stat is not None:
            self._receive(stat, self._holding.peak, now_s)

    def _report(self, now_s: float) -> None:
        holding = self._holding
        peak = holding.peak
        stat = holding.report(now_s, last_s=self._fleet.last_s() if not peak else now_s)
        if holding.is_active:
            self._push(now_s + REPORT_PERIOD_S, _Kind.REPORT)
        if stat is not None:
            self._receive(stat, peak, now_s)

    def _receive(self, stat: Stat, peak: int, now_s: float) -> None:
        is_pressing = self._decider.receive(stat, peak=peak, now_s=now_s)
        self._wake(now_s)
        if is_pressing:
            self._order(self._decider.turn(self._replicas, self._fleet.ready, now_s), now_s)

    def _wake(self, now_s: float) -> None:
        """Have it ticked from the next tick on."""
        if not self._is_ticking:
            self._is_ticking = True
            self._push((math.floor(now_s / self._tick_s) + 1) * self._tick_s, _Kind.TICK)

    def _ring(self, now_s: float) -> None:
        """Wake it if that is what it still wants. The time is that of a tick."""
        wake_s = self._decider.wake_s
        if not self._is_ticking and wake_s is not None and wake_s <= now_s:
            self._is_ticking = True
            self._tick(now_s)

    def _tick(self, now_s: float) -> None:
        self._order(self._decider.turn(self._replicas, self._fleet.ready, now_s), now_s)
        self._is_ticking = False
        if not self._decider.is_asleep(self._replicas, self._fleet.ready):
            self._wake(now_s)
        elif (wake_s := self._decider.wake_s) is not None and wake_s > now_s:
            self._push(math.ceil(wake_s / self._tick_s) * self._tick_s, _Kind.WAKE)

    # -- replicas ---------------------------------------------------------------------------

    def _order(self, replicas: int | None, now_s: float) -> None:
        """Carry out a number, and have the decider look at what became of it."""
        fleet, decider = self._fleet, self._decider
        for _ in range(_ORDERS_MAX):
            if replicas is None or replicas == self._replicas:
                return
            self._replicas = replicas
            replicas = decider.look(self._replicas, fleet.ready, now_s)
            if replicas is not None and replicas != self._replicas:
                continue
            ready = fleet.ready
            for replica in fleet.scale(self._replicas, now_s):
                self._push(replica.ready_s, _Kind.ARRIVE, replica)
            if fleet.ready != ready:
                replicas = decider.look(self._replicas, fleet.ready, now_s)
        raise AssertionError("the decider orders one number after another at one moment")

    def _replica_arrives(self, replica: Replica, now_s: float) -> None:
        if self._fleet.arrive(replica):
            if self._fleet.ready == 1:
                self._holding.replicas_ready()
            self._drain(now_s)
            self._wake(now_s)
            self._order(self._decider.look(self._replicas, self._fleet.ready, now_s), now_s)
