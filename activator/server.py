"""The activator: from a client's request to the queue of its Revision.

For: assembling the request path, and following the objects that steer it.
Must not know: how many replicas there should be, or who runs them.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from activator import catalog, leaving
from activator.company import Company
from activator.config import Settings
from activator.endpoints import Endpoints, Replica
from activator.errors import About, Fault
from activator.expecting import Lounge
from activator.holding import Holder
from activator.homing import Home, find_home
from activator.ledger import Ending, Ledger, Note
from activator.observing import Observer
from activator.payloads import Log
from activator.peers import Peers, PeerSettings
from activator.planning import Planner
from activator.plans import Plan
from activator.proxy import Passage
from activator.reporting import Reporter
from activator.routing import Router
from activator.sending import EventSender
from activator.statistics import RevisionStatistics, Statistics
from activator.targets import RevisionKey
from activator.throttler import Refusal
from activator.upgrading import UpgradePassage
from api import keys, kinds
from api.objects import Raw
from api.stats import Stat
from cluster.client import Client
from cluster.informer import Informer
from wire.exchange import Exchange
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol


class Activator:
    """Built once; `run` serves until it is cancelled. All of it belongs to one event loop."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        report: Callable[[Sequence[Stat]], None],
        rng: random.Random,
        clock: Callable[[], float] | None = None,
        peers: PeerSettings | None = None,
    ) -> None:
        """`report` receives stats and pokes, synchronously; it must not block.

        `clock` is wall time, for what is told to others; this machine's, unless given. `peers`:
        it is one of several, which share the queues of Revisions with a limit.
        """
        self.settings = settings
        self.ledger = Ledger(
            length_max=settings.ledger_length_max,
            notable_max=settings.ledger_notable_max,
            bytes_max=settings.ledger_bytes_max,
            slow_s=settings.ledger_slow_s,
            now=time.monotonic,  # as a loop's, but finer than uvloop's
        )
        self._client = client
        self._router = Router(domain=settings.domain, draw=rng.random)
        self._observer = Observer(self._router, self._changed)
        self._holders: dict[RevisionKey, Holder] = {}
        self._reporter = Reporter(settings, report, self._trim)
        self._endpoints = Endpoints(settings, self, self.ledger.now)
        self._company: Company | None = None
        if peers is not None:
            self._company = Company(client, peers, self._endpoints)
        self._limits = _limits(settings)
        self._roster = Roster(self._limits)
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()
        self._address = ("", 0)
        self._server: asyncio.Server | None = None
        self._is_leaving = False
        self._requests = 0
        self._strays = 0  # requests that got an id without being passed on
        self._id_prefix = b"%016x-" % rng.getrandbits(64)
        self._loop_time: Callable[[], float] = float
        self._version = 0  # of what plans are made from
        self._clock = clock or _wall_s
        self._senders: asyncio.TaskGroup | None = None  # outlives `_group` by a flush
        self._events = EventSender(settings, self._send, self._home_of)
        self._lounge = Lounge(
            count_max=settings.expect_depth_max, wait_s=settings.expect_s, give_up=self._gone
        )
        self._planner: Planner[Holder] = Planner(
            settings,
            self._router,
            holder_of=self._holders.get,
            statistics=self.statistics,
            fresh_id=self._fresh_id,
            told=self._turned_away,
        )

    # -- life -------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, once `started` returned."""
        return self._address

    async def started(self) -> None:
        """Wait until it listens, and knows the objects that exist."""
        await self._started.wait()

    @property
    def peers(self) -> Peers[Passage, Any] | None:
        """The other activators; None: it is the only one."""
        return None if self._company is None else self._company.peers

    @property
    def is_ready(self) -> bool:
        """Whether to be sent requests: it listens, and knows the objects and its peers."""
        is_member = self.peers is None or self.peers.is_member
        return self._started.is_set() and is_member and not self._is_leaving

    async def run(self) -> None:
        """Serve until cancelled. OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._loop_time = loop.time
        async with asyncio.TaskGroup() as group:
            self._group = self._senders = group
            try:
                await self._follow(group)
                if self.peers is not None:
                    group.create_task(self.peers.run())
                host, port = self.settings.host, self.settings.port
                self._server = server = await loop.create_server(self._make, host, port)
                async with server:
                    self._address = server.sockets[0].getsockname()[:2]
                    self._started.set()
                    await asyncio.Event().wait()
            finally:
                self._close()
                await self._events.close()
                self._senders = None

    async def leave(self, *, linger_s: float, end_s: float) -> None:
        """Hand on what is ours, and return when nothing runs here: `run` can be cancelled then.

        For `linger_s` requests are taken as ever, by who has not heard of our leaving yet; what
        is still held after `end_s` more is refused.
        """
        self._is_leaving = True
        if not self._started.is_set():
            return
        if self.peers is not None:
            self.peers.leave()
        await leaving.wind_down(self._roster, self._server, linger_s=linger_s, end_s=end_s)
        for holder in self._holders.values():
            holder.give_up(Refusal.SHUTTING_DOWN, retry_s=1)

    def _close(self) -> None:
        """Refuse what is held; what runs at a replica may still end well."""
        self._group = None
        self._endpoints.close()
        self._lounge.close()
        for holder in self._holders.values():
            holder.give_up(Refusal.SHUTTING_DOWN)
            holder.close()
        self._roster.retire()
        self._reporter.close()

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        revisions = Informer(self._client, kinds.REVISIONS)
        pods = Informer(self._client, kinds.PODS, label_selector=keys.REVISION)
        revisions.on_change(self._on_revision)
        pods.on_change(self._endpoints.on_pod)
        informers = [revisions, *self._observer.informers(self._client), pods]
        for informer in informers:
            group.create_task(informer.run())
        for informer in informers:
            await informer.synced()

    def _make(self) -> ServerProtocol:
        return ServerProtocol(self, self._limits, self._roster)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Run a task that ends with the activator at the latest; None when it has ended."""
        if self._group is None:
            coroutine.close()
            return None
        return self._group.create_task(coroutine)

    def _send(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if self._senders is None:
            coroutine.close()
            return None
        return self._senders.create_task(coroutine)

    def _home_of(self, url: str) -> Home | None:
        return find_home(url, self._address, self._router.is_served)

    async def release(self, namespace: str, pod_name: str) -> None:
        """Use a Pod no more; return when nothing runs there and no connection is open."""
        await self._endpoints.release(namespace, pod_name)

    def statistics(self) -> Statistics:
        """What is known and done, now."""
        revisions = {
            f"{key.namespace}/{key.name}": RevisionStatistics(
                queued=holder.queued,
                queued_bytes=holder.queued_bytes,
                executing=holder.executing,
                ready_replicas=sum(each.is_proven for each in self._endpoints.of(key)),
                pods=holder.pod_count,
                unreadable_loads=holder.loads.unreadable if holder.loads is not None else 0,
            )
            for key, holder in self._holders.items()
        }
        return Statistics(
            connections=len(self._roster),
            requests=self._requests,
            expected=len(self._lounge),
            events=self._events.statistics(),
            revisions=revisions,
        )

    def epoch_s(self) -> float:
        """What to add to the ledger's time to have wall time."""
        return self._clock() - self.ledger.now()

    def running(self, request_id: bytes) -> list[tuple[Note, int | None]]:
        """Requests of this id that are not over: so far, and how many wait before; None: runs."""
        now_s = self.ledger.now()
        return [
            (Note(*passage.note(0, now_s, Ending.RUNNING, 0)), place)
            for holder in self._holders.values()
            for passage, place in holder.running(request_id)
        ]

    # -- requests ---------------------------------------------------------------------------

    def on_request(self, exchange: Exchange) -> None:
        """Find the Revision of a request and hand it over."""
        self._requests = number = self._requests + 1
        plan: Plan[Holder] | None = exchange.head.memo  # type: ignore[assignment] # ours
        if plan is None or plan.version != self._version:
            plan = self._planner.plan(exchange, self._version)
            if plan is None:
                return
        holder = plan.holder or self._pick(exchange, plan)
        if holder is None:
            return
        request_id = plan.request_id or b"%b%x" % (self._id_prefix, number)
        now_s = self._loop_time()
        make = holder.passage if plan.is_plain else _carrier(plan, holder)
        exchange.receiver = passage = make(exchange, holder, plan, request_id, now_s)
        holder.admit(passage, now_s)

    def _pick(self, exchange: Exchange, plan: Plan[Holder]) -> Holder | None:
        """The Revision whose turn it is; None: the request is taken care of."""
        key = plan.target.pick()
        holder = self._holders.get(key) if key is not None else None
        if key is None:
            about = About(request_id=self._planner.request_id(exchange), retry_after_s=1)
            self._planner.refuse(exchange, Fault.ROUTE_NOT_READY, about)
        elif holder is None and not self._lounge.expect(exchange, key):
            self._gone(exchange, key)
        return holder

    def _gone(self, exchange: Exchange, key: RevisionKey) -> None:
        about = About(revision=key.name, request_id=self._planner.request_id(exchange))
        self._planner.refuse(exchange, Refusal.REVISION_GONE, about)

    def _fresh_id(self) -> bytes:
        self._strays += 1  # several may be refused in one tick
        return b"%b%x-%x" % (self._id_prefix, self._requests, self._strays)

    def _turned_away(self, request_id: bytes, why: str, status: int) -> None:
        self.ledger.turn_away(request_id, why, status)

    # -- what holders share -----------------------------------------------------------------

    def activate(self, holder: Holder, now_s: float) -> None:
        """Include a holder in reports."""
        self._reporter.activate(holder, now_s)

    def poke(self, holder: Holder, now_s: float) -> None:
        """Ask for a decision now."""
        self._reporter.poke(holder, now_s)

    def poke_again(self) -> None:
        """Tell of every queue that waits for replicas: whoever decides now was not told."""
        for holder in tuple(self._holders.values()):
            holder.poke_again(self._loop_time())

    def _trim(self, key: RevisionKey, now_s: float) -> bool:
        replicas = self._endpoints.of(key)
        for replica in replicas:
            replica.pool.close_idle(before_s=now_s - self.settings.upstream_idle_s)
            replica.streams.close_idle(before_s=now_s - self.settings.upstream_idle_s)
        return any(len(replica.pool) or len(replica.streams) for replica in replicas)

    # -- objects ----------------------------------------------------------------------------

    def _changed(self) -> None:
        """What plans are made from is about to change."""
        self._version += 1

    def _on_revision(self, old: Raw | None, new: Raw | None) -> None:
        self._changed()
        metadata = (new or old or {})["metadata"]
        key = RevisionKey(metadata.get("namespace", "default"), metadata["name"])
        if old is not None and new is not None and old["metadata"]["uid"] != metadata["uid"]:
            self._on_revision(old, None)  # another one of its name, seen by listing again
            old = None
        holder = self._holders.get(key)
        if new is None:
            self._router.remove_revision(*key)
            if holder is not None:
                del self._holders[key]
                if self._company is not None:
                    self._company.forget(key)
                holder.give_up(Refusal.REVISION_GONE)
                holder.close()
                self._lounge.departed(key)
            return
        terms = catalog.read_terms(new)
        if holder is None:
            service = catalog.read_model(new).service
            hold = Holder if self._company is None else self._company.hold
            self._holders[key] = hold(key, terms, self, service=service)
            self._log_requests(self._holders[key], new)
            self._endpoints.publish(key)
        elif terms != holder.terms:
            holder.change_terms(terms)
        if old is None or catalog.read_model(old) != catalog.read_model(new):
            self._router.set_revision(*key, catalog.read_model(new))
        if holder is None:
            self._lounge.arrived(key)

    def _log_requests(self, holder: Holder, revision: Raw) -> None:
        """Have a sink told of a Revision's requests, if its annotation asks for that."""
        logging = catalog.read_logging(revision)
        if logging is not None:
            log = Log(
                logging=logging,
                identity=catalog.read_identity(revision),
                sink=self._events,
                bytes_max=self.settings.event_body_bytes_max,
                clock=self._clock,
            )
            holder.log_requests(log)

    def replicas_changed(
        self, revision: RevisionKey, ready: Collection[Replica], pod_count: int
    ) -> None:
        """Which replicas of a Revision may be used."""
        holder = self._holders.get(revision)
        if holder is not None:
            holder.pod_count = pod_count
            holder.endpoints_changed(ready)


def _carrier(plan: Plan[Holder], holder: Holder) -> Callable[..., Passage]:
    """How a request is carried that is a call, or asks for another protocol."""
    if plan.is_call or holder.terms.is_h2c:
        return holder.call  # HTTP/2 has no upgrades: the wish is ignored
    return UpgradePassage


def _limits(settings: Settings) -> Limits:
    limits = settings.client
    return Limits(
        header_bytes_max=limits.header_bytes_max,
        header_count_max=limits.header_count_max,
        target_bytes_max=limits.target_bytes_max,
        body_bytes_max=settings.body_bytes_max,
        idle_s=limits.idle_s,
        head_s=limits.head_s,
        body_s=limits.body_s,
        linger_s=limits.linger_s,
    )


def _wall_s() -> float:
    return time.time()  # noqa: TID251 - told to others, never compared
