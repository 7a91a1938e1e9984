"""The replicas of all Revisions, and which of them may be used.

For: following Pods, proving each replica once before it is used and again after it failed,
and letting go of a replica that is about to be stopped.
Must not know: routes, queues, how a request is carried.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol

from activator.config import Settings
from activator.ledger import Marks
from activator.replicas import PodFacts, PodKey, read_pod
from activator.targets import RevisionKey
from api import keys
from api.objects import Raw
from wire.client import Connection
from wire.h2pool import H2Pool
from wire.pool import Pool

# What a replica says about itself and only the activator may say to a client.
_REVISION = keys.HEADER_REVISION.encode()
_STRIPPED = frozenset({b"x-request-id"})
_STRIPPED_OF_OTHERS = _STRIPPED | {_REVISION}  # of programs that are not our predictor
_PROBE = (
    b"GET /v2/health/ready HTTP/1.1\r\nhost: localhost\r\n"
    b"user-agent: Relight-Activator-Probe\r\nk-network-probe: activator\r\n\r\n"
)
# gRPC's health service, with an empty message.
_CALL_PROBE = (
    b"POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: localhost\r\n"
    b"content-type: application/grpc\r\nuser-agent: Relight-Activator-Probe\r\n"
    b"k-network-probe: activator\r\n\r\n\0\0\0\0\0"
)
_GUESTS_MAX = 256  # named by others, on which nothing of ours runs
_RELEASED_MAX = 1024  # names of Pods let go of before they were seen to leave


class Watcher(Protocol):
    """Who is told about replicas."""

    def replicas_changed(
        self, revision: RevisionKey, ready: Collection["Replica"], pod_count: int
    ) -> None:
        """Which replicas of a Revision may be used, and how many Pods it has in any state."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None] | None":
        """Run a task; None when it is too late for that."""
        ...


class Replica:
    """One replica at one address. Its identity survives doubt: slots in use stay counted."""

    __slots__ = (
        "_drained",
        "_on_drained",
        "_on_suspect",
        "facts",
        "is_guest",
        "is_leaving",
        "is_proven",
        "marks",
        "pool",
        "running",
        "signature",
        "streams",
        "task",
    )

    def __init__(
        self,
        facts: PodFacts,
        *,
        seen_s: float,
        on_suspect: Callable[["Replica"], None],
        on_drained: Callable[["Replica"], None],
    ) -> None:
        assert facts.address is not None
        self.facts = facts
        self.marks = Marks(facts.pod[1], seen_s, seen_s)
        self.is_proven = False
        self.is_leaving = False
        self.is_guest = False  # another activator named it, before its Pod was seen here or after
        self.running = 0  # requests that occupy a slot
        name = facts.revision.name.encode()
        self.signature = b"" if facts.is_predictor else b"%b: %b\r\n" % (_REVISION, name)
        self._drained: asyncio.Event | None = None  # someone waits for its last request
        self.task: asyncio.Task[None] | None = None  # the probe that runs
        self._on_suspect = on_suspect
        self._on_drained = on_drained
        # A predictor never closes an idle connection of ours: when one ends, it has ended.
        # Other servers close as they like.
        stripped = _STRIPPED if facts.is_predictor else _STRIPPED_OF_OTHERS
        on_idle_end = self.suspect if facts.is_predictor else None
        self.pool = Pool(facts.address, stripped=stripped, on_idle_end=on_idle_end)
        self.streams = H2Pool(facts.address, stripped=stripped, on_idle_end=on_idle_end)

    def drained(self) -> None:
        """The last request of a leaving replica is over."""
        self._on_drained(self)
        if self._drained is not None:
            self._drained.set()

    async def drain(self) -> None:
        """Wait until nothing runs here. Nothing new must come: it is leaving."""
        assert self.is_leaving, "a replica in use never drains"
        if self.running:
            self._drained = self._drained or asyncio.Event()
            await self._drained.wait()

    def suspect(self) -> None:
        """It failed in a way that working replicas do not: send nothing until it is probed."""
        self._on_suspect(self)


class Endpoints:
    """All replicas. `on_pod` follows the informer; calls never block."""

    def __init__(self, settings: Settings, watcher: Watcher, now: Callable[[], float]) -> None:
        """`now` is the ledger's clock."""
        self._settings = settings
        self._now = now
        self._watcher = watcher
        self._replicas: dict[PodKey, Replica] = {}
        self._pods: dict[RevisionKey, dict[PodKey, None]] = {}  # that are not leaving, in order
        self._leaving: dict[PodKey, set[Replica]] = {}  # on which requests still run
        self._released: OrderedDict[PodKey, None] = OrderedDict()
        self._guests: dict[Replica, None] = {}

    def on_pod(self, old: Raw | None, new: Raw | None) -> None:
        """A Pod appeared, changed or is gone."""
        before = read_pod(old) if old is not None else None
        after = read_pod(new) if new is not None else None
        facts = after or before
        if facts is None:
            return
        if after is None:
            self._released.pop(facts.pod, None)
        if after is None or after.is_leaving or after.pod in self._released:
            self._leave(facts)
        else:
            self._stay(after)

    def of(self, revision: RevisionKey) -> list[Replica]:
        """The replicas of a Revision that are not leaving."""
        found = (self._replicas.get(pod) for pod in self._pods.get(revision, ()))
        return [replica for replica in found if replica is not None]

    def publish(self, revision: RevisionKey) -> None:
        """Tell the watcher what is known of a Revision's replicas."""
        ready = [replica for replica in self.of(revision) if replica.is_proven]
        self._watcher.replicas_changed(revision, ready, len(self._pods.get(revision, ())))

    def introduce(self, facts: PodFacts) -> Replica:
        """The replica that another activator names. Its Pod may not be seen here yet, or no more.

        Such a guest is used as one that leaves: for what others say runs there, and no longer;
        unless its Pod turns up.
        """
        known = self._replicas.get(facts.pod)
        if known is not None and known.facts.address == facts.address:
            return known
        for leaving in self._leaving.get(facts.pod, ()):
            if leaving.facts.address == facts.address:
                return leaving
        replica = self._make(facts)
        replica.is_leaving = replica.is_guest = True
        self._leaving.setdefault(facts.pod, set()).add(replica)
        self._guests[replica] = None
        for guest in [each for each in self._guests if not each.running][:-_GUESTS_MAX]:
            self._drained(guest)
        return replica

    async def release(self, namespace: str, pod_name: str) -> None:
        """Use a Pod's replica no more; return when nothing runs there and nothing is open."""
        key = (namespace, pod_name)
        replica = self._replicas.get(key)
        self._released[key] = None
        if len(self._released) > _RELEASED_MAX:
            self._released.popitem(last=False)
        if replica is not None:
            self._leave(replica.facts)
        for leaving in tuple(self._leaving.get(key, ())):
            await leaving.drain()

    def close(self) -> None:
        """Use nothing any more."""
        for replica in tuple(self._replicas.values()):
            self._retire(replica)

    def _stay(self, facts: PodFacts) -> None:
        pods = self._pods.setdefault(facts.revision, {})
        is_new = facts.pod not in pods
        pods[facts.pod] = None
        known = self._replicas.get(facts.pod)
        if known is not None and known.facts.address != facts.address:
            # Another socket is another process: what runs on the old one may still end well.
            self._retire(known)
            known = None
            is_new = True
        if known is None and facts.address is not None:
            replica = self._adopt(facts) or self._make(facts)
            self._replicas[facts.pod] = replica
            self._start_probe(replica)
        elif known is not None and facts.is_down:
            # Without a connection to it nothing else tells: its socket stays, and would take
            # requests that nobody reads until the process is started again.
            known.suspect()
        if is_new:
            self.publish(facts.revision)

    def _make(self, facts: PodFacts) -> Replica:
        return Replica(
            facts, seen_s=self._now(), on_suspect=self._suspected, on_drained=self._drained
        )

    def _adopt(self, facts: PodFacts) -> Replica | None:
        """A guest whose Pod is seen now: what runs there stays counted."""
        for guest in self._leaving.get(facts.pod, ()):
            if guest.is_guest and guest.facts == facts:
                self._forget_leaving(guest)
                guest.is_leaving = guest.is_guest = False
                return guest
        return None

    def _leave(self, facts: PodFacts) -> None:
        pods = self._pods.get(facts.revision, {})
        replica = self._replicas.pop(facts.pod, None)
        if facts.pod not in pods and replica is None:
            return
        pods.pop(facts.pod, None)
        if not pods:
            self._pods.pop(facts.revision, None)
        if replica is not None:
            self._retire(replica)
        self.publish(facts.revision)

    def _retire(self, replica: Replica) -> None:
        replica.is_leaving = True
        replica.is_proven = False
        self._replicas.pop(replica.facts.pod, None)
        if replica.task is not None:
            replica.task.cancel()
        replica.pool.close()
        replica.streams.close()
        if replica.running:
            self._leaving.setdefault(replica.facts.pod, set()).add(replica)

    def _drained(self, replica: Replica) -> None:
        self._forget_leaving(replica)
        if replica.is_guest:
            replica.pool.close()
            replica.streams.close()

    def _forget_leaving(self, replica: Replica) -> None:
        self._guests.pop(replica, None)
        leaving = self._leaving.get(replica.facts.pod, set())
        leaving.discard(replica)
        if not leaving:
            self._leaving.pop(replica.facts.pod, None)

    def _suspected(self, replica: Replica) -> None:
        if replica.is_leaving or not replica.is_proven:
            return
        replica.is_proven = False
        replica.pool.close_idle()
        replica.streams.close_idle()
        self.publish(replica.facts.revision)
        self._start_probe(replica)

    def _start_probe(self, replica: Replica) -> None:
        replica.task = self._watcher.spawn(self._prove(replica))

    async def _prove(self, replica: Replica) -> None:
        """Probe until it answers. A booting replica's socket holds the probe: no polling."""
        wait_s = self._settings.probe_back_off_s
        while not await self._probe(replica):
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._settings.probe_back_off_max_s)
        replica.task = None
        replica.marks = replica.marks._replace(ready_s=self._now())
        replica.is_proven = True
        self.publish(replica.facts.revision)

    async def _probe(self, replica: Replica) -> bool:
        facts = replica.facts
        is_h2c = facts.is_h2c and not facts.is_predictor
        pool: Pool | H2Pool = replica.streams if is_h2c else replica.pool
        connection: Any
        try:
            async with asyncio.timeout(self._settings.connect_s):
                connection = await pool.connect()
        except OSError:  # TimeoutError is one
            return False
        loop = asyncio.get_running_loop()
        if not facts.is_predictor and not is_h2c:
            replica.pool.give_back(connection, now_s=loop.time())
            return True
        probe = _Probe(loop.create_future())
        connection.send(probe, _CALL_PROBE if is_h2c else _PROBE)
        try:
            async with asyncio.timeout(self._settings.probe_s):
                status = await probe.status
        except TimeoutError:
            status = 0
        finally:
            # The first request will go on the connection that the probe has opened.
            pool.give_back(connection, now_s=loop.time())
        # Any answer at all shows that it speaks HTTP/2: it need not have gRPC's health service.
        return status > 0 if is_h2c else status == 200


class _Probe:
    """Receives the answer of one probe. `status` 0: none came."""

    def __init__(self, status: "asyncio.Future[int]") -> None:
        self.status = status
        self._seen = 0

    def on_answer(self, connection: Connection) -> None:
        self._seen = connection.status
        if connection.is_answer_complete:
            self._settle(self._seen)

    def on_answer_body(self, data: bytes) -> None:
        """What it says beside the status is not of interest."""

    def on_answer_end(self) -> None:
        self._settle(self._seen)

    def on_answer_lost(self, _why: str) -> None:
        self._settle(0)

    def on_upstream_writable(self, is_writable: bool) -> None:
        """A probe is small: it is written at once."""

    def _settle(self, status: int) -> None:
        if not self.status.done():
            self.status.set_result(status)
