"""The activator: from a client's request to the queue of its Revision.

For: assembling the request path, and following the objects that steer it.
Must not know: how many replicas there should be, or who runs them.
"""

import asyncio
import ipaddress
import random
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from activator import catalog, errors, pages
from activator.config import Settings
from activator.endpoints import Endpoints, Replica
from activator.errors import About, Fault
from activator.holding import Holder
from activator.plans import Plan, client_request_id
from activator.proxy import Passage
from activator.reporting import Reporter
from activator.routing import RevisionKey, Router, Target
from activator.throttler import Refusal
from api import keys, kinds
from api.objects import Raw
from api.stats import Stat
from cluster.client import Client
from cluster.informer import Informer
from wire.exchange import Exchange
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

_TAG = keys.HEADER_TAG.encode()
_TIMEOUT = keys.HEADER_TIMEOUT.encode()
_DEBUG_PATH = b"/relight/debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionStatistics:
    """One Revision with its replicas, now."""

    queued: int
    queued_bytes: int
    executing: int
    ready_replicas: int
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What the activator knows and does, now. `revisions` is by "namespace/name"."""

    connections: int
    requests: int  # since the start
    revisions: dict[str, RevisionStatistics]


class Activator:
    """Built once; `run` serves until it is cancelled. All of it belongs to one event loop."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        report: Callable[[Sequence[Stat]], None],
        rng: random.Random,
    ) -> None:
        """`report` receives stats and pokes, synchronously; it must not block."""
        self.settings = settings
        self._client = client
        self._router = Router(domain=settings.domain, draw=rng.random)
        self._holders: dict[RevisionKey, Holder] = {}
        self._reporter = Reporter(settings, report, self._trim)
        self._endpoints = Endpoints(settings, self)
        self._limits = _limits(settings)
        self._roster = Roster(self._limits)
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()
        self._address = ("", 0)
        self._requests = 0
        self._id_prefix = b"%016x-" % rng.getrandbits(64)
        self._loop_time: Callable[[], float] = float
        self._version = 0  # of what plans are made from

    # -- life -------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, once `started` returned."""
        return self._address

    async def started(self) -> None:
        """Wait until it listens, and knows the objects that exist."""
        await self._started.wait()

    async def run(self) -> None:
        """Serve until cancelled. OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._loop_time = loop.time
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await self._follow(group)
                host, port = self.settings.host, self.settings.port
                server = await loop.create_server(self._make, host, port)
                async with server:
                    self._address = server.sockets[0].getsockname()[:2]
                    self._started.set()
                    await asyncio.Event().wait()
            finally:
                self._close()

    def _close(self) -> None:
        """Refuse what is held; what runs at a replica may still end well."""
        self._group = None
        self._endpoints.close()
        for holder in self._holders.values():
            holder.give_up(Refusal.SHUTTING_DOWN)
            holder.close()
        self._roster.retire()
        self._reporter.close()

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        routes = Informer(self._client, kinds.ROUTES)
        revisions = Informer(self._client, kinds.REVISIONS)
        pods = Informer(self._client, kinds.PODS, label_selector=keys.REVISION)
        revisions.on_change(self._on_revision)
        routes.on_change(self._on_route)
        pods.on_change(self._endpoints.on_pod)
        for informer in (revisions, routes, pods):
            group.create_task(informer.run())
        for informer in (revisions, routes, pods):
            await informer.synced()

    def _make(self) -> ServerProtocol:
        return ServerProtocol(self, self._limits, self._roster)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Run a task that ends with the activator at the latest; None when it has ended."""
        if self._group is None:
            coroutine.close()
            return None
        return self._group.create_task(coroutine)

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
            )
            for key, holder in self._holders.items()
        }
        return Statistics(
            connections=len(self._roster), requests=self._requests, revisions=revisions
        )

    # -- requests ---------------------------------------------------------------------------

    def on_request(self, exchange: Exchange) -> None:
        """Find the Revision of a request and hand it over."""
        self._requests = number = self._requests + 1
        plan: Plan[Holder] | None = exchange.head.memo  # type: ignore[assignment] # ours
        if plan is None or plan.version != self._version:
            plan = self._plan(exchange)
            if plan is None:
                return
        request_id = plan.request_id or b"%b%x" % (self._id_prefix, number)
        holder = plan.holder or self._pick(exchange, plan.target, request_id)
        if holder is None:
            return
        now_s = self._loop_time()
        exchange.receiver = passage = Passage(exchange, holder, plan, request_id, now_s)
        holder.admit(passage, now_s)

    def _plan(self, exchange: Exchange) -> Plan[Holder] | None:
        """Work out what follows from a head; None: the request has been answered."""
        index = exchange.index
        target = self._router.find(index.get(b"host", b""), exchange.target, index.get(_TAG))
        if target is None:
            self._answer_self(exchange, self._request_id(exchange))
            return None
        asked_s = None
        if _TIMEOUT in index:
            asked_s = _timeout_s(index[_TIMEOUT], self.settings.timeout_s_max)
            if asked_s is None:
                detail = f"a number of seconds over 0, at most {self.settings.timeout_s_max:g}"
                about = About(request_id=self._request_id(exchange), detail=detail)
                _refuse(exchange, Fault.BAD_TIMEOUT, about)
                return None
        only = target.only
        exchange.head.memo = plan = Plan(
            exchange,
            version=self._version,
            target=target,
            holder=self._holders.get(only) if only is not None else None,
            asked_s=asked_s,
        )
        return plan

    def _pick(self, exchange: Exchange, target: Target, request_id: bytes) -> Holder | None:
        """The Revision whose turn it is; None: the request has been answered."""
        key = target.pick()
        holder = self._holders.get(key) if key is not None else None
        if key is None:
            about = About(request_id=request_id, retry_after_s=1)
            _refuse(exchange, Fault.ROUTE_NOT_READY, about)
        elif holder is None:
            about = About(revision=key.name, request_id=request_id)
            _refuse(exchange, Refusal.REVISION_GONE, about)
        return holder

    def _request_id(self, exchange: Exchange) -> bytes:
        return client_request_id(exchange) or b"%b%x" % (self._id_prefix, self._requests)

    def _answer_self(self, exchange: Exchange, request_id: bytes) -> None:
        """Requests that no Route serves: our own paths on the bare host, else 404."""
        is_bare = self._router.is_bare(exchange.index.get(b"host", b""))
        is_local = _is_local(exchange.peer)
        own = pages.page(exchange.path, self._router.models()) if is_bare else None
        if own is not None:
            exchange.respond(200, *own)
        elif is_bare and exchange.path == _DEBUG_PATH and is_local:
            body = orjson.dumps(asdict(self.statistics()))
            exchange.respond(200, b"content-type: application/json\r\n", body)
        elif is_bare and exchange.path == _DEBUG_PATH:
            _refuse(exchange, Fault.LOCAL_ONLY, About(request_id=request_id))
        else:
            fault = Fault.UNKNOWN_MODEL if is_bare else Fault.UNKNOWN_HOST
            hosts = self._router.hosts() if is_local else ()
            _refuse(exchange, fault, About(request_id=request_id, hosts=hosts))

    # -- what holders share -----------------------------------------------------------------

    def activate(self, holder: Holder, now_s: float) -> None:
        """Include a holder in reports."""
        self._reporter.activate(holder, now_s)

    def poke(self, holder: Holder, now_s: float) -> None:
        """Ask for a decision now."""
        self._reporter.poke(holder, now_s)

    def _trim(self, key: RevisionKey, now_s: float) -> bool:
        replicas = self._endpoints.of(key)
        for replica in replicas:
            replica.pool.close_idle(before_s=now_s - self.settings.upstream_idle_s)
        return any(len(replica.pool) for replica in replicas)

    # -- objects ----------------------------------------------------------------------------

    def _on_route(self, old: Raw | None, new: Raw | None) -> None:
        self._version += 1
        metadata = (new or old or {})["metadata"]
        namespace, name = metadata.get("namespace", "default"), metadata["name"]
        if new is None:
            self._router.remove_route(namespace, name)
        elif old is None or catalog.read_shares(old) != catalog.read_shares(new):
            self._router.set_route(namespace, name, catalog.read_shares(new))

    def _on_revision(self, old: Raw | None, new: Raw | None) -> None:
        self._version += 1
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
                holder.give_up(Refusal.REVISION_GONE)
                holder.close()
            return
        terms = catalog.read_terms(new)
        if holder is None:
            self._holders[key] = Holder(key, terms, self)
            self._endpoints.publish(key)
        elif terms != holder.terms:
            holder.change_terms(terms)
        if old is None or catalog.read_model(old) != catalog.read_model(new):
            self._router.set_revision(*key, catalog.read_model(new))

    def replicas_changed(
        self, revision: RevisionKey, ready: Collection[Replica], pod_count: int
    ) -> None:
        """Which replicas of a Revision may be used."""
        holder = self._holders.get(revision)
        if holder is not None:
            holder.pod_count = pod_count
            holder.endpoints_changed(ready)


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


def _refuse(exchange: Exchange, why: Fault | Refusal, about: About) -> None:
    answer = errors.answer(why, about)
    exchange.respond(answer.status, answer.headers, answer.body)


def _timeout_s(value: bytes, most_s: float) -> float | None:
    try:
        asked_s = float(value)
    except ValueError:
        return None
    return asked_s if 0 < asked_s <= most_s else None  # not NaN either


def _is_local(peer: str) -> bool:
    if not peer:
        return True  # a Unix socket
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
