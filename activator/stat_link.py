"""The way of reports and pokes to the autoscaler that leads, wherever it runs.

For: a cluster, where the autoscaler is another process, and another one tomorrow.
Must not know: what is reported, or what is decided from it.

While there is no connection nothing is kept: a report would be old when it arrived, and as soon as
somebody listens again, every queue that still waits pokes anew. So nothing of a poke is lost, and
nothing grows. To a leader that reads too slowly, the newest report and poke of each Revision wait.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
from typing_extensions import override

from api import stats as wire
from api.kinds import LEASES
from api.stats import MessageError, Stat
from cluster.candidacy import read
from cluster.client import Client
from cluster.informer import Informer

_LOG = logging.getLogger(__name__)
LEASE: Final = "autoscaler"
_CONNECT_S: Final = 1.0
_BACK_OFF_S: Final = (0.05, 1.0)  # first wait after a failure, longest wait
_WAITING_MAX: Final = 20_000  # Revisions; of more, reports are dropped until the leader reads on


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How the link stands, and counts since the start."""

    is_up: bool
    address: str  # of the leader, as its Lease says
    connects: int
    reports: int
    pokes: int
    dropped: int  # reports that nobody was there for, or that a newer one replaced


class StatLink:
    """`report` at any time; `run` keeps the connection to whoever leads."""

    def __init__(
        self,
        client: Client,
        reporter: str,
        *,
        namespace: str,
        rng: random.Random,
    ) -> None:
        """`namespace` is the Lease's."""
        self.on_up: Callable[[], None] = _nothing  # called when somebody begins to listen
        self._reporter = reporter
        self._rng = rng
        self._lease = Informer(client, LEASES, namespace, field_selector=f"metadata.name={LEASE}")
        self._lease.on_change(self._follow)
        self._address = ""
        self._news = asyncio.Event()  # another leads, or the connection has ended
        self._peer: _Peer | None = None
        self._connects = self._reports = self._pokes = self._dropped = 0

    def report(self, stats: Sequence[Stat]) -> None:
        """Tell of load, at once; without a connection to anybody, to nobody."""
        peer = self._peer
        if peer is None:
            self._dropped += len(stats)
            return
        self._reports += len(stats)
        self._pokes += sum(stat.is_poke for stat in stats)
        self._dropped += peer.tell(stats)

    def statistics(self) -> Statistics:
        """How things stand."""
        return Statistics(
            is_up=self._peer is not None,
            address=self._address,
            connects=self._connects,
            reports=self._reports,
            pokes=self._pokes,
            dropped=self._dropped,
        )

    async def run(self) -> None:
        """Follow the leader until cancelled, then take leave."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lease.run())
            failures = 0
            while True:
                address = await self._leader()
                # A leader that was met is looked for again at once, anyone else after a while.
                failures = 0 if await self._keep(address) else failures + 1
                await self._rest(failures)

    def _follow(self, _old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        if new is not None and new["metadata"]["name"] != LEASE:
            return
        address = "" if new is None else read(new).address
        if address != self._address:
            self._address = address
            self._news.set()

    async def _leader(self) -> str:
        while not self._address:
            self._news.clear()
            await self._news.wait()
        return self._address

    async def _rest(self, failures: int) -> None:
        first_s, longest_s = _BACK_OFF_S
        rest_s = min(longest_s, first_s * 2.0 ** min(failures, 10)) * self._rng.uniform(0.5, 1.0)
        self._news.clear()
        try:
            async with asyncio.timeout(rest_s):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _keep(self, address: str) -> bool:
        """Stay connected while it lasts; whether there was anybody."""
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        self._news.clear()
        peer = _Peer(self._reporter, self._news.set)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: peer, host.strip("[]"), int(port))
                await peer.greeted.wait()
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            _LOG.debug("the autoscaler at %s does not answer: %r", address, error)
            peer.close()
            return False
        if peer.has_ended:
            return False
        self._peer = peer
        self._connects += 1
        _LOG.info("reporting to %s at %s", peer.name, address)
        try:
            self.on_up()
            await self._beat(peer, address)
        except asyncio.CancelledError:
            peer.send(wire.LEAVING)
            raise
        finally:
            self._peer = None
            peer.close()
        _LOG.warning("the autoscaler at %s is gone: looking for who leads now", address)
        return True

    async def _beat(self, peer: "_Peer", address: str) -> None:
        """Until it is silent, has ended, or another one leads.

        Silence is counted in beats that went unanswered, each for as long as a beat at most:
        while this process itself was stopped, or waited for a core, nobody can be blamed.
        """
        now_s = asyncio.get_running_loop().time
        heard_s, silent_s = peer.heard_s, 0.0
        while True:
            self._news.clear()
            if peer.has_ended or self._address != address or silent_s > wire.SILENCE_S:
                return
            peer.send(wire.BEAT)
            since_s = now_s()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wire.BEAT_S):
                    await self._news.wait()
            silent_s += min(now_s() - since_s, wire.BEAT_S)
            if peer.heard_s != heard_s:
                heard_s, silent_s = peer.heard_s, 0.0


class _Peer(asyncio.Protocol):
    """One connection to an autoscaler."""

    def __init__(self, reporter: str, on_end: Callable[[], None]) -> None:
        self._reporter = reporter
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._is_paused = False
        self._waiting: dict[tuple[str, str, bool], Stat] = {}
        self.greeted = asyncio.Event()
        self.name = ""
        self.has_ended = False
        self.heard_s = 0.0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._transport.set_write_buffer_limits(high=wire.LINE_BYTES_MAX)
        self.send(wire.hello(self._reporter))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    @override
    def data_received(self, data: bytes) -> None:
        self.heard_s = asyncio.get_running_loop().time()
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > wire.LINE_BYTES_MAX:
            self.close()
        for line in lines:
            if not self.name:
                self._greet(line)

    def _greet(self, line: bytes) -> None:
        try:
            self.name = wire.read_hello(orjson.loads(line))
        except (MessageError, orjson.JSONDecodeError) as error:
            _LOG.warning("the autoscaler can not be reported to: %s", error)
            self.close()
        self.greeted.set()

    @override
    def pause_writing(self) -> None:
        self._is_paused = True

    @override
    def resume_writing(self) -> None:
        self._is_paused = False
        waiting = sorted(self._waiting.values(), key=lambda stat: not stat.is_poke)
        self._waiting.clear()
        self._write(waiting)

    def tell(self, stats: Sequence[Stat]) -> int:
        """Send reports, or keep the newest of each Revision; how many were not kept."""
        if not self._is_paused:
            self._write(stats)
            return 0
        dropped = 0
        for stat in stats:
            key = (stat.namespace, stat.revision, stat.is_poke)
            if key in self._waiting or len(self._waiting) >= _WAITING_MAX:
                dropped += 1
            if key in self._waiting or len(self._waiting) < _WAITING_MAX:
                self._waiting[key] = stat
        return dropped

    def _write(self, stats: Sequence[Stat]) -> None:
        for start in range(0, len(stats), wire.ROWS_MAX):
            self.send(wire.message_of(stats[start : start + wire.ROWS_MAX]))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message, if there is still somebody."""
        if self._transport is not None and not self.has_ended:
            self._transport.write(orjson.dumps(message) + b"\n")

    def close(self) -> None:
        """End the connection; what was sent before still arrives."""
        if self._transport is not None:
            self._transport.close()
        self._end()

    def _end(self) -> None:
        self.has_ended = True
        self.greeted.set()
        self._on_end()


def _nothing() -> None:
    pass
