"""The replicas of one Revision: starting, ready, draining, frozen.

For: what becomes of a number of replicas, as the platform's Deployments carry it out
     (embedded/workloads.py), and what each replica's life came to.
Must not know: who decides the number, queues, when a request arrives.

A replica that is taken away takes no more requests, and ends with its last one. Those that are
not ready go first, then the youngest. Where replicas are kept frozen, one that was ready is
frozen when it would end, the longest frozen is dropped for it, and a start resumes the one
frozen last before it starts another.
"""

from rehearsal.runs import Life
from rehearsal.slots import Slots
from rehearsal.terms import Terms


class Replica:
    """One replica. `used` counts the requests that execute."""

    __slots__ = (
        "born_s",
        "busy_s",
        "busy_since_s",
        "is_leaving",
        "is_resumed",
        "is_up",
        "last_s",
        "ready_s",
        "used",
    )

    def __init__(self, *, born_s: float, ready_s: float, is_resumed: bool) -> None:
        self.born_s = born_s
        self.ready_s = self.last_s = ready_s
        self.is_resumed = is_resumed
        self.is_up = self.is_leaving = False
        self.used = 0
        self.busy_s = self.busy_since_s = 0.0


class Fleet:
    """All replicas. `ready` and `staying` are what a Deployment's status says of them."""

    def __init__(self, terms: Terms) -> None:
        self.ready = 0
        self.staying: list[Replica] = []  # not leaving, oldest first
        self.lives: list[Life] = []
        self.frozen: list[tuple[float, float]] = []
        self.leavings = 0  # times it left zero
        self._terms = terms
        self._slots: Slots[Replica] = Slots(terms.concurrency)
        self._leaving: set[Replica] = set()
        self._frozen_since_s: list[float] = []  # of what lies frozen now, longest first
        self._starts = 0

    @property
    def is_at_work(self) -> bool:
        """Some replica that stays executes a request, or is about to be ready."""
        return any(each.used or not each.is_up for each in self.staying)

    def scale(self, replicas: int, now_s: float) -> list[Replica]:
        """Start or stop towards that many; return those that start: call `arrive` for each."""
        missing = replicas - len(self.staying)
        if missing > 0:
            self.leavings += not self.staying
            started = [self._start(now_s) for _ in range(missing)]
            self.staying.extend(started)
            return started
        if missing < 0:
            self._stop(-missing, now_s)
        return []

    def begin(self, replicas: int) -> None:
        """Have that many ready at 0, whose starts were before and are paid for."""
        for _ in range(replicas):
            before_s = self._terms.overhead_s + self._cold_start_s()
            replica = Replica(born_s=-before_s, ready_s=0.0, is_resumed=False)
            self.staying.append(replica)
            self.arrive(replica)

    def arrive(self, replica: Replica) -> bool:
        """A replica's start is over; False when it was stopped before."""
        if replica.is_leaving:
            return False
        replica.is_up = True
        self.ready += 1
        self._publish()
        return True

    def take(self, now_s: float) -> Replica | None:
        """Find a slot for a request that is forwarded now."""
        replica = self._slots.take()
        if replica is not None:
            if not replica.used:
                replica.busy_since_s = now_s
            replica.used += 1
        return replica

    def free(self, replica: Replica, now_s: float) -> None:
        """A request is over."""
        replica.used -= 1
        if not replica.used:
            replica.busy_s += now_s - replica.busy_since_s
            replica.last_s = now_s
        if not replica.is_leaving:
            self._slots.free(replica)
        elif not replica.used:
            self._leaving.remove(replica)
            self._end(replica, now_s)

    def last_s(self) -> float:
        """When a request last ended on what is ready, or the last of it became so."""
        return max((each.last_s for each in self.staying if each.is_up), default=float("-inf"))

    def close(self, now_s: float) -> None:
        """Write down the lives that go on."""
        for replica in [*self.staying, *self._leaving]:
            self._record(replica, now_s)
        self.frozen.extend((since_s, now_s) for since_s in self._frozen_since_s)

    def _start(self, now_s: float) -> Replica:
        begins_s = now_s + self._terms.overhead_s
        if self._frozen_since_s:
            self.frozen.append((self._frozen_since_s.pop(), now_s))
            ready_s = begins_s + self._terms.resume_s
            return Replica(born_s=now_s, ready_s=ready_s, is_resumed=True)
        ready_s = begins_s + self._cold_start_s()
        return Replica(born_s=now_s, ready_s=ready_s, is_resumed=False)

    def _cold_start_s(self) -> float:
        self._starts += 1
        return self._terms.cold_start_s(self._starts - 1)

    def _stop(self, count: int, now_s: float) -> None:
        starting = [each for each in self.staying if not each.is_up]
        victims = [*reversed(starting), *(each for each in reversed(self.staying) if each.is_up)]
        for replica in victims[:count]:
            replica.is_leaving = True
            self.ready -= replica.is_up
            if replica.used:
                self._leaving.add(replica)
            else:
                self._end(replica, now_s)
        self.staying = [each for each in self.staying if not each.is_leaving]
        self._publish()

    def _end(self, replica: Replica, now_s: float) -> None:
        self._record(replica, now_s)
        if replica.is_up and self._terms.frozen_max:
            if len(self._frozen_since_s) == self._terms.frozen_max:
                self.frozen.append((self._frozen_since_s.pop(0), now_s))
            self._frozen_since_s.append(now_s)

    def _record(self, replica: Replica, now_s: float) -> None:
        busy_s = replica.busy_s
        if replica.used:
            busy_s += now_s - replica.busy_since_s
        self.lives.append(
            Life(
                born_s=replica.born_s,
                ready_s=replica.ready_s,
                ended_s=now_s,
                busy_s=busy_s,
                last_s=now_s if replica.used else replica.last_s,
                is_resumed=replica.is_resumed,
            )
        )

    def _publish(self) -> None:
        ready = [each for each in self.staying if each.is_up]
        self._slots.change(ready, [each.used for each in ready])
