"""Several activators' rings and queues in virtual time: seeded, with faults. No sockets.

For: `test_ring.py` and `test_sharing.py`. Messages are late, in order within a connection only;
connections break, peers crash, join and leave, replicas come and go, clients leave.
Must not know: asyncio.
"""

import heapq
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from activator.astray import Patiences
from activator.peer_messages import Hello, Message, Place, decode, encode
from activator.ring import Ring
from activator.sharing import SharedQueue
from activator.targets import RevisionKey
from activator.throttler import Forward, Refuse

GONE_S = 0.25
SILENCE_S = 3.0
STILL_S = 2.0  # who stood still for longer asks anew
PATIENCE_S = 1.5


@dataclass(eq=False)
class Request:
    number: int
    key: RevisionKey
    entry: "Activator"
    is_over: bool = False
    why: str = ""
    pod: str = ""
    run: int = 0  # counts its turns at a replica

    def __repr__(self) -> str:
        return f"r{self.number}"


@dataclass
class Faults:
    members: bool = False  # join and leave
    crashes: bool = False
    blips: bool = False  # connections break and are there again at once
    cuts: bool = False  # and stay broken for a while
    replicas: bool = False  # come and go
    leaving: bool = False  # clients do
    freezes: bool = False  # a process stands still for a while, and goes on
    late: bool = False  # some activators know of some Revisions seconds later


@dataclass
class Activator:
    name: str
    life: str
    world: "World"
    ring: Ring[Any, str] = field(init=False)
    queues: dict[RevisionKey, SharedQueue[Any, str]] = field(default_factory=dict)
    is_alive: bool = True
    is_serving: bool = False
    said: list[str] = field(default_factory=list)
    is_frozen: bool = False
    still_s: float = 0.0  # how long it stood still, until it notices
    patient_until_s: float = 0.0
    backlog: list[Callable[[], None]] = field(default_factory=list)  # what it has not seen yet

    def when_awake(self, what: Callable[[], None]) -> None:
        """Now, or when it is."""
        if self.is_frozen:
            self.backlog.append(what)
        else:
            what()

    # the network of its ring
    def send(self, peer: str, message: Message) -> None:
        self.world.send(self, peer, message)

    def place_of(self, endpoint: str) -> Place:
        return Place("ns", endpoint, "rev", f"tcp:{endpoint}:1", False, False)

    def find(self, place: Place) -> str:
        return sys.intern(place.pod)  # endpoints are told apart by identity

    def suspect(self, endpoint: str) -> None:
        self.world.later(0.02, lambda: self.world.tell_replicas(self))

    def stood_still(self) -> float | None:
        return self.world.stood_still(self)

    def say(self, text: str) -> None:
        self.said.append(text)

    # what carries out
    def carry_out(self, forwards: Sequence[Forward[Request, str]]) -> None:
        for request, pod in forwards:
            self.world.forward(self, request, pod)

    def carry_refusals(self, refused: Sequence[Refuse[Request]]) -> None:
        for request, why in refused:
            request.is_over, request.why = True, why.value


class World:
    """`run` until a time; `calm` ends all faults and lets everything end."""

    def __init__(
        self,
        seed: int,
        *,
        names: Sequence[str] = ("a", "b", "c"),
        capacity: int = 1,
        faults: Faults | None = None,
        keys: int = 3,
        latency_s: float = 0.01,
        work_s: float = 0.2,
        patiences: Patiences | None = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.faults = faults or Faults()
        self.capacity = capacity
        self.latency_s = latency_s
        self.work_s = work_s
        self.patiences = patiences or Patiences()
        self.now_s = 0.0
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.keys = [RevisionKey("ns", f"rev-{number}") for number in range(keys)]
        self.replicas: dict[RevisionKey, list[str]] = {
            key: [sys.intern(f"{key.name}-p{number}") for number in range(2)] for key in self.keys
        }
        self.pods = 2
        self.activators: dict[str, Activator] = {}
        self.lives = 0
        self.links: dict[frozenset[str], int] = {}  # generation of the connection; absent: none
        self.generations = 0
        self.spoken: set[tuple[int, str]] = set()  # (generation, name): it heard the other's hello
        self.last_s: dict[tuple[int, str], float] = {}
        self.cut: set[frozenset[str]] = set()
        self.calm_at_s = 0.0
        self.running: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.is_strict = not self.faults.late
        self.over_limit: list[tuple[float, str, int]] = []
        self.messages = 0
        self.armed: dict[str, float] = {}  # by life: when its ring is to be told the time
        for name in names:
            self.start(name)
        for name in names:
            self.join(name)

    # -- time -------------------------------------------------------------------------------

    def later(self, wait_s: float, what: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.agenda, (self.now_s + wait_s, self.count, what))

    def run(self, until_s: float) -> None:
        while self.agenda and self.agenda[0][0] <= until_s:
            self.now_s, _, what = heapq.heappop(self.agenda)
            what()
            self._tick()
        self.now_s = until_s
        self._tick()

    def _tick(self) -> None:
        for activator in self.living():
            if activator.is_frozen:
                continue
            due_s = activator.ring.next_deadline_s()
            if due_s is not None and due_s <= self.now_s:
                activator.ring.tick(self.now_s)
                due_s = activator.ring.next_deadline_s()
            if due_s is not None and due_s != self.armed.get(activator.life):
                self.armed[activator.life] = due_s
                self.later(due_s - self.now_s, lambda: None)

    # -- activators -------------------------------------------------------------------------

    def living(self) -> list[Activator]:
        return [each for each in self.activators.values() if each.is_alive]

    def start(self, name: str) -> Activator:
        self.lives += 1
        activator = self.activators[name] = Activator(name, f"life-{self.lives}", self)
        activator.ring = Ring(name, activator, self.patiences)
        for key in self.keys:
            if self.faults.late and self.rng.random() < 0.5:
                wait_s = 4 * self.rng.random()
                self.later(wait_s, lambda k=key: self.know(activator, k))  # type: ignore[misc]
            else:
                self.know(activator, key)
        for other in self.living():
            if other is not activator:
                self.link(name, other.name)
        return activator

    def know(self, activator: Activator, key: RevisionKey) -> None:
        queue: SharedQueue[Any, str] = SharedQueue(
            key, activator.ring, capacity=self.capacity, depth_max=1000, bytes_max=10**6
        )
        activator.queues[key] = queue
        activator.ring.add(queue, activator)
        self.tell_replicas(activator)

    def join(self, name: str) -> None:
        activator = self.activators[name]
        if not activator.is_alive:
            return
        wanted = {each.name for each in self.living()} - {name}
        if not wanted <= set(activator.ring.peers) and not self.cut:
            self.later(0.01, lambda: self.join(name))
            return
        activator.ring.join(self.now_s)
        activator.is_serving = True

    def leave(self, name: str) -> None:
        activator = self.activators[name]
        activator.is_serving = False
        activator.ring.leave(self.now_s)
        self.later(0.1, lambda: self.end_if_idle(activator))

    def end_if_idle(self, activator: Activator) -> None:
        if any(not each.is_over for each in self.requests if each.entry is activator):
            self.later(0.1, lambda: self.end_if_idle(activator))
        elif activator.is_alive:
            self.crash(activator.name)

    def crash(self, name: str) -> None:
        activator = self.activators[name]
        activator.is_alive = activator.is_serving = False
        for request in self.requests:
            if request.entry is activator and not request.is_over:
                request.is_over, request.why = True, "crash"
                if request.pod:
                    self.running[request.pod] -= 1
        for pair in [pair for pair in self.links if name in pair]:
            self.unlink(pair)

    # -- processes that stand still ---------------------------------------------------------

    def freeze(self, name: str, for_s: float) -> None:
        activator = self.activators[name]
        activator.is_frozen = True
        self.calm_at_s = self.now_s + for_s + SILENCE_S  # one at a time
        if for_s > SILENCE_S:
            self.later(SILENCE_S, lambda: self._forsake(activator))
        self.later(for_s, lambda: self._wake(activator, for_s))

    def _forsake(self, activator: Activator) -> None:
        """The others have not heard of it for long: their ends of the connections are closed."""
        for pair in [pair for pair in self.links if activator.name in pair]:
            self.unlink(pair)

    def _wake(self, activator: Activator, still_s: float) -> None:
        activator.is_frozen = False
        activator.still_s = still_s
        backlog, activator.backlog = activator.backlog, []
        self.rng.shuffle(backlog)
        for what in backlog:
            if activator.is_alive:
                what()
        for other in self.living():
            if other is not activator:
                at_s = self.rng.random()
                self.later(at_s, lambda o=other: self.link(activator.name, o.name))  # type: ignore[misc]

    def stood_still(self, activator: Activator) -> float | None:
        still_s, activator.still_s = activator.still_s, 0.0
        if still_s < STILL_S:
            return None
        activator.patient_until_s = self.now_s + PATIENCE_S
        for pair in [pair for pair in self.links if activator.name in pair]:
            self.unlink(pair)
        return activator.patient_until_s

    # -- connections ------------------------------------------------------------------------

    def link(self, one: str, other: str) -> None:
        pair = frozenset((one, other))
        if pair in self.links or pair in self.cut:
            return
        ends = (self.activators[one], self.activators[other])
        if any(each.is_frozen or not each.is_alive for each in ends):
            return
        self.generations += 1
        self.links[pair] = self.generations
        for name, peer in ((one, other), (other, one)):
            said = Hello(name, self.activators[name].life, 1)
            self._carry(self.generations, name, peer, said)

    def unlink(self, pair: frozenset[str]) -> None:
        del self.links[pair]
        one, other = sorted(pair)
        for name, peer in ((one, other), (other, one)):
            activator = self.activators[name]
            wait_s = max(GONE_S * self.rng.random(), activator.patient_until_s - self.now_s)
            self.later(wait_s, lambda a=activator, p=peer: self._miss(a, p))  # type: ignore[misc]
        self.later(0.01 * self.rng.random(), lambda: self.link(one, other))

    def _miss(self, activator: Activator, peer: str) -> None:
        if activator.is_frozen:
            gone = partial(self._gone, activator, peer)
            activator.backlog.append(partial(self.later, PATIENCE_S, gone))
        else:
            self._gone(activator, peer)

    def _gone(self, activator: Activator, peer: str) -> None:
        generation = self.links.get(frozenset((activator.name, peer)), 0)
        if activator.is_alive and (generation, activator.name) not in self.spoken:
            other = self.activators[peer]
            if other.is_alive and not other.is_frozen and peer in activator.ring.peers:
                self.is_strict = False  # two that live do not reach one another
            activator.ring.gone(peer, self.now_s)

    def send(self, activator: Activator, peer: str, message: Message) -> None:
        generation = self.links.get(frozenset((activator.name, peer)), 0)
        if (generation, activator.name) in self.spoken:
            self._carry(generation, activator.name, peer, message)

    def _carry(self, generation: int, name: str, peer: str, message: Message) -> None:
        self.messages += 1
        line = encode(message)
        at_s = self.now_s + self.latency_s * self.rng.random()
        at_s = max(at_s, self.last_s.get((generation, name), 0.0))
        self.last_s[generation, name] = at_s
        self.later(at_s - self.now_s, lambda: self._arrive(generation, name, peer, line))

    def _arrive(self, generation: int, name: str, peer: str, line: bytes) -> None:
        receiver = self.activators[peer]
        if receiver.is_frozen:
            receiver.backlog.append(lambda: self._arrive(generation, name, peer, line))
            return
        receiver.ring.look()
        if self.links.get(frozenset((name, peer))) != generation or not receiver.is_alive:
            return
        message = decode(line)
        if isinstance(message, Hello):
            self.spoken.add((generation, peer))
            receiver.ring.linked(message.name, message.life, self.now_s)
        else:
            receiver.ring.received(name, message, self.now_s)

    # -- replicas ---------------------------------------------------------------------------

    def tell_replicas(self, activator: Activator) -> None:
        if activator.is_frozen:
            activator.when_awake(lambda: self.tell_replicas(activator))
            return
        for key, pods in self.replicas.items():
            if activator.is_alive and key in activator.queues:
                forwards = activator.queues[key].endpoints_changed(list(pods))
                activator.carry_out(forwards)

    def change_replicas(self) -> None:
        key = self.rng.choice(self.keys)
        pods = self.replicas[key]
        if len(pods) > 1 and self.rng.random() < 0.5:
            pods.pop(self.rng.randrange(len(pods)))
        elif len(pods) < 3:
            self.pods += 1
            pods.append(sys.intern(f"{key.name}-p{self.pods}"))
        for activator in self.living():
            self.later(0.05 * self.rng.random(), lambda a=activator: self.tell_replicas(a))  # type: ignore[misc]

    def forward(self, activator: Activator, request: Request, pod: str) -> None:
        assert activator.is_alive
        assert not request.is_over, "a request that is over was sent"
        assert not request.pod, "a request was sent twice"
        request.pod = pod
        request.run += 1
        if pod not in self.replicas[request.key]:
            # Nothing listens there.
            self.later(0.001, lambda n=request.run: self._unreachable(request, n))  # type: ignore[misc]
            self.running[pod] += 1
            return
        self.running[pod] += 1
        if self.running[pod] > self.capacity:
            self.over_limit.append((self.now_s, pod, self.running[pod]))
            assert not self.is_strict, f"{self.running[pod]} at {pod} at {self.now_s}"
        wait_s = self.work_s * self.rng.random() ** 2
        self.later(wait_s, lambda n=request.run: self.finish(request, n))  # type: ignore[misc]

    def _unreachable(self, request: Request, run: int) -> None:
        if request.is_over or request.run != run:
            return
        if request.entry.is_frozen:
            request.entry.when_awake(lambda: self._unreachable(request, run))
            return
        self.running[request.pod] -= 1
        request.pod = ""
        queue = request.entry.queues[request.key]
        request.entry.carry_out(queue.returned(request, size=1, deadline_s=1e9, is_usable=False))
        self.later(0.01, lambda: self.tell_replicas(request.entry))

    # -- requests ---------------------------------------------------------------------------

    def arrive(self, entry: Activator, key: RevisionKey) -> Request:
        request = Request(len(self.requests), key, entry)
        self.requests.append(request)
        queue = entry.queues[key]
        pod = queue.admit(request)
        if pod is not None:
            self.forward(entry, request, pod)
            return request
        why = queue.hold(request, size=1, deadline_s=1e9)
        if why is not None:
            request.is_over, request.why = True, why.value
        elif self.faults.leaving and self.rng.random() < 0.3:
            self.later(0.1 * self.rng.random(), lambda: self.abandon(request))
        return request

    def finish(self, request: Request, run: int) -> None:
        if request.is_over or request.run != run:
            return
        request.is_over, request.why = True, "answered"
        self.running[request.pod] -= 1
        entry = request.entry
        entry.when_awake(lambda: entry.carry_out(entry.queues[request.key].finished(request)))

    def abandon(self, request: Request) -> None:
        if request.is_over or not request.entry.is_alive:
            return
        if request.entry.is_frozen:
            request.entry.when_awake(lambda: self.abandon(request))
            return
        request.is_over, request.why = True, "left"
        if request.pod:
            self.running[request.pod] -= 1
        request.entry.carry_out(request.entry.queues[request.key].abandoned(request))

    # -- a run ------------------------------------------------------------------------------

    def scramble(self, *, requests: int, for_s: float, events: int) -> None:
        """Requests and faults at random times."""
        for _ in range(requests):
            self.later(for_s * self.rng.random(), self._random_request)
        for _ in range(events):
            self.later(for_s * self.rng.random(), self._random_fault)

    def _random_request(self) -> None:
        serving = [each for each in self.living() if each.is_serving and each.queues]
        if serving:
            entry = self.rng.choice(serving)
            key = self.rng.choice(list(entry.queues))
            entry.when_awake(lambda: self.arrive(entry, key) and None)

    def _random_fault(self) -> None:
        faults, rng = self.faults, self.rng
        kinds = ("members", "crashes", "blips", "cuts", "replicas", "freezes")
        kind = rng.choice([name for name in kinds if getattr(faults, name)] or [""])
        serving = [e.name for e in self.living() if e.is_serving and not e.is_frozen]
        dead = [name for name, each in self.activators.items() if not each.is_alive]
        if kind == "replicas":
            self.change_replicas()
        elif kind in {"members", "crashes"} and dead and rng.random() < 0.6:
            name = rng.choice(dead)
            self.start(name)
            self.join(name)
        elif kind == "members" and len(serving) > 1:
            self.leave(rng.choice(serving))
        elif kind == "crashes" and len(serving) > 1:
            self.crash(rng.choice(serving))
        elif kind == "freezes" and serving and self.now_s > self.calm_at_s:
            self.freeze(rng.choice(serving), 6.0 * rng.random())
        elif kind in {"blips", "cuts"} and self.links:
            pair = rng.choice(sorted(self.links, key=sorted))
            if kind == "cuts":
                self.cut.add(pair)
                self.is_strict = False  # two that live do not reach one another
            self.unlink(pair)

    def heal(self) -> None:
        self.cut.clear()
        names = [each.name for each in self.living()]
        for one in names:
            for other in names:
                if one < other:
                    self.link(one, other)

    def settle(self) -> None:
        """No more faults; everything that waits gets its turn."""
        self.faults = Faults()
        self.heal()
        self.later(0.5, self.heal)
        for activator in self.living():
            self.tell_replicas(activator)
        self.run(self.now_s + 30)

    def check_at_rest(self) -> None:
        for request in self.requests:
            assert request.is_over, f"{request} of {request.entry.name} was forgotten"
            assert request.why in {"answered", "left", "crash"}, request.why
        assert not +self.running
        views = {tuple(each.ring.eligible) for each in self.living()}
        assert len(views) <= 1, "they do not agree"
        for activator in self.living():
            assert not activator.ring.statistics().alone
            for queue in activator.queues.values():
                assert not queue._queue
                assert not queue._executing
                assert not queue._tickets
                assert not queue._stubs.items()
                assert not any(queue._balancer._in_use.values())
                assert (queue._foreign_queued, queue._foreign_bytes) == (0, 0)
                assert queue.is_open == queue.is_ours
