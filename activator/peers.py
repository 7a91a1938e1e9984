"""The other activators: one connection with each, and the ring that all of them form.

For: finding them, connecting to each and again after a failure, and the ring's clock.
Must not know: what is shared over the connections, or how requests are carried.

Of two activators the one whose name comes first connects to the other. A connection that ended
is made anew at once; where that fails, the other one is gone.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from activator.astray import Patiences
from activator.membership import PeerFacts, read_peer
from activator.peer_link import PeerLink
from activator.peer_messages import VERSION, Hello, Message, Ping, Place
from activator.ring import Ring
from api import kinds
from api.objects import Raw
from cluster.client import Client
from cluster.informer import Informer

R = TypeVar("R")
E = TypeVar("E")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """Who we are among the activators, and where the others are."""

    name: str  # of our Pod
    namespace: str
    selector: str = "app.kubernetes.io/name=activator"
    host: str = "0.0.0.0"  # noqa: S104 - the others are on other machines
    port: int = 8082  # 0: a free one
    connect_s: float = 0.5  # to connect, and to say hello
    redial_s: float = 0.25  # for the other one to connect again
    join_s: float = 5.0  # for connections to all, before we go on with those there are
    beat_s: float = 0.5  # between pings
    silence_s: float = 3.0  # a peer unheard for so long is gone
    back_off_max_s: float = 1.0
    clock: Callable[[], float] = time.monotonic  # a loop's time stands still within an event
    patiences: Patiences = field(default_factory=Patiences)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name: must be that of this Pod")
        for name in ("connect_s", "redial_s", "join_s", "beat_s", "silence_s", "back_off_max_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be over 0 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming(Generic[E]):
    """How replicas are named between activators."""

    place_of: Callable[[E], Place]
    find: Callable[[Place], E]
    suspect: Callable[[E], None]


class Peers(Generic[R, E]):
    """`run` until cancelled. All of it belongs to one event loop."""

    def __init__(self, client: Client, settings: PeerSettings, naming: Naming[E]) -> None:
        self._client = client
        self._settings = settings
        self._naming = naming
        self._life = secrets.token_hex(8)
        self._facts: dict[str, PeerFacts] = {}
        self._links: dict[str, PeerLink] = {}  # on which both sides have said hello
        self._accepted: set[PeerLink] = set()
        self._dials: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._joined = asyncio.Event()
        self._awake_s = settings.clock()
        self._is_waking = False
        self._patient_until_s = 0.0  # others are not taken for gone before
        self._is_closed = False
        self.address = ("", 0)
        self.ring: Ring[R, E] = Ring(settings.name, self, settings.patiences)

    @property
    def is_member(self) -> bool:
        """Whether we have joined."""
        return self._joined.is_set()

    async def joined(self) -> None:
        """Wait until we reach the others, or have tried for long enough."""
        await self._joined.wait()

    async def run(self) -> None:
        """Listen, connect and take part. OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        settings = self._settings
        pods = Informer(
            self._client, kinds.PODS, settings.namespace, label_selector=settings.selector
        )
        pods.on_change(self._on_pod)
        server = await loop.create_server(self._accept, settings.host, settings.port)
        self._awake_s = settings.clock()  # what was before is nobody's
        async with server, asyncio.TaskGroup() as group:
            self._group = group
            self.address = server.sockets[0].getsockname()[:2]
            try:
                group.create_task(pods.run())
                group.create_task(self._beat())
                await pods.synced()
                await self._join()
                await asyncio.Event().wait()
            finally:
                self._close()

    def leave(self) -> None:
        """Own nothing any more; go on asking the others."""
        self.ring.leave(self._now())
        self._arm()

    def _close(self) -> None:
        self._is_closed = True
        self._group = None
        if self._timer is not None:
            self._timer.cancel()
        for link in (*self._links.values(), *self._accepted):
            link.close()

    async def _join(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._settings.join_s
        while missing := self._missing():
            if loop.time() >= until_s:
                _LOG.warning("activators %s can not be reached: going on without", missing)
                break
            await asyncio.sleep(self._settings.connect_s / 25)
        self.ring.join(self._now())
        self._arm()
        self._joined.set()

    def _missing(self) -> list[str]:
        known = self.ring.peers
        facts = self._facts.values()
        return [each.name for each in facts if each.name not in known and not each.is_leaving]

    # -- who there is -----------------------------------------------------------------------

    def _on_pod(self, _old: Raw | None, new: Raw | None) -> None:
        raw = new or _old or {}
        name = raw["metadata"]["name"]
        facts = read_peer(new) if new is not None else None
        before = self._facts.get(name)
        if name == self._settings.name or facts == before:
            return
        if facts is None:
            del self._facts[name]
        else:
            self._facts[name] = facts
        address = None if facts is None else (facts.host, facts.port)
        if before is not None and address == (before.host, before.port):
            return
        dial = self._dials.pop(name, None)
        if dial is not None:
            dial.cancel()  # who is connected stays so, until the connection ends
            self._look_after(name)  # and who was not is missed by nobody else
        if facts is not None and self._settings.name < name and self._group is not None:
            self._dials[name] = self._group.create_task(self._dial(facts))

    # -- connections ------------------------------------------------------------------------

    def _accept(self) -> PeerLink:
        link = PeerLink(self._heard, self._ended)
        self._accepted.add(link)
        asyncio.get_running_loop().call_later(self._settings.connect_s, self._expect, link)
        return link

    def _expect(self, link: PeerLink) -> None:
        if not link.greeted.done():
            link.end("it did not say who it is")

    async def _dial(self, facts: PeerFacts) -> None:
        """Keep a connection to it, as long as there is its Pod."""
        wait_s = first_s = self._settings.back_off_max_s / 32
        while True:
            link = await self._connect(facts)
            if link is None:
                self._gone(facts.name)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, self._settings.back_off_max_s)
                continue
            began_s = self._now()
            await asyncio.wait([link.ended])
            if self._now() - began_s > self._settings.back_off_max_s:
                wait_s = first_s
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, self._settings.back_off_max_s)

    async def _connect(self, facts: PeerFacts) -> PeerLink | None:
        loop = asyncio.get_running_loop()
        link = PeerLink(self._heard, self._ended)
        link.name = facts.name
        try:
            async with asyncio.timeout(self._settings.connect_s):
                await loop.create_connection(lambda: link, facts.host, facts.port)
                link.send(self._hello())
                await asyncio.wait([link.greeted])
        except OSError:  # TimeoutError is one
            link.end("it did not say hello")
            return None
        except asyncio.CancelledError:
            if not link.greeted.done():
                link.end("its Pod changed")
            raise
        return None if link.greeted.cancelled() else link

    def _hello(self) -> Hello:
        return Hello(self._settings.name, self._life, VERSION)

    def _heard(self, link: PeerLink, message: Message) -> None:
        self.ring.look()
        if link.is_over:
            return
        if link.greeted.done():
            if self._links.get(link.name) is link and not isinstance(message, Ping):
                self.ring.received(link.name, message, self._now())
                self._arm()
            return
        why = self._objection(link, message)
        if why:
            link.end(why)
            return
        assert isinstance(message, Hello)
        if not link.name:
            link.name = message.name
            link.send(self._hello())
        before = self._links.get(link.name)
        self._links[link.name] = link
        if before is not None:
            before.end("it connected anew")
        link.greeted.set_result(message)
        self.ring.linked(link.name, message.life, self._now())
        self._arm()

    def _objection(self, link: PeerLink, message: Message) -> str:
        """Why a connection is not the one of a peer; "" for a good one."""
        if not isinstance(message, Hello):
            return "it did not say who it is first"
        if message.version != VERSION:
            return f"it speaks version {message.version} of the protocol, we speak {VERSION}"
        if link.name:
            return "" if message.name == link.name else f"it is {message.name!r}"
        facts = self._facts.get(message.name)
        if facts is None or link.host not in {facts.host, f"::ffff:{facts.host}"}:
            return f"no Pod of activators is named {message.name!r} and at {link.host}"
        return ""

    def _ended(self, link: PeerLink) -> None:
        self.ring.look()
        self._accepted.discard(link)
        if self._links.get(link.name) is not link:
            if not link.greeted.done() or link.greeted.cancelled():
                _LOG.debug("activator %s at %s: %s", link.name or "unknown", link.host, link.why)
            return
        del self._links[link.name]
        if self._is_closed:
            return
        _LOG.info("activator %s: %s", link.name, link.why)
        if link.name not in self._dials:
            self._look_after(link.name)

    def _look_after(self, name: str) -> None:
        """It is gone, unless there is a connection to it soon."""
        loop = asyncio.get_running_loop()
        if self._is_waking:
            loop.call_soon(self._look_after, name)
            return
        wait_s = max(self._settings.redial_s, self._patient_until_s - loop.time())
        loop.call_later(wait_s, self._gone, name)

    def _gone(self, name: str) -> None:
        if name in self._links or self._is_closed or not self.ring.reaches(name):
            return
        _LOG.warning("activator %s can not be reached: what it owned is owned by others", name)
        self.ring.gone(name, self._now())
        self._arm()

    async def _beat(self) -> None:
        """Say now and then that we are there; a peer that does not is gone."""
        while True:
            await asyncio.sleep(self._settings.beat_s)
            self.ring.look()
            self._awake_s = self._settings.clock()
            silent_s = self._now() - self._settings.silence_s
            for link in tuple(self._links.values()):
                if link.heard_s < silent_s:
                    link.end("it is silent")
                else:
                    link.send(Ping())

    # -- what the ring needs ----------------------------------------------------------------

    def stood_still(self) -> float | None:
        """After a stop, a freeze, a starved processor: others may take us for gone by now.

        What is said on all connections is old, so they are made anew.
        """
        settings = self._settings
        awake_s = settings.clock()
        still_s = awake_s - self._awake_s
        if still_s < settings.silence_s - 2 * settings.beat_s:
            return None
        self._awake_s = awake_s
        self._is_waking = True
        _LOG.warning("stood still for %.1f s: peers say again what they use", still_s)
        for link in tuple(self._links.values()):
            link.end("this process stood still")
        asyncio.get_running_loop().call_soon(self._woken)
        return self._now() + still_s + self._redialed_s

    def _woken(self) -> None:
        """Here the loop knows what time it is."""
        self._is_waking = False
        self._patient_until_s = self._now() + self._redialed_s
        self._arm()

    @property
    def _redialed_s(self) -> float:
        """Within so long everybody who is there has tried to connect to us again."""
        return self._settings.connect_s + self._settings.back_off_max_s

    def send(self, peer: str, message: Message) -> None:
        """To a peer; lost without a connection."""
        link = self._links.get(peer)
        if link is not None:
            link.send(message)

    def place_of(self, endpoint: E) -> Place:
        """A replica, named for others."""
        return self._naming.place_of(endpoint)

    def find(self, place: Place) -> E:
        """The replica that another activator names."""
        return self._naming.find(place)

    def suspect(self, endpoint: E) -> None:
        """Somebody could not reach it."""
        self._naming.suspect(endpoint)

    def say(self, text: str) -> None:
        """An operator should know."""
        _LOG.warning("%s", text)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _arm(self) -> None:
        due_s: Any = self.ring.next_deadline_s()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due_s is not None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_at(due_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.ring.tick(self._now() + 0.002)  # a loop may call a little early
        self._arm()
