"""Work only while leading: hold a Lease, renew it, end the process when it is lost.

For: components of which several run and one works: `Election.run`.
Must not know: what the work is.

Whoever is stopped in good order lets go of the Lease after its work has ended, and the next one
begins at its next look. A lost Lease ends the process: its state is no longer worth anything,
and whoever started it starts it again. A write that was decided before and is sent after is
refused by `fence`.
"""

import asyncio
import logging
import os
import random
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from api.kinds import LEASES
from cluster import candidacy
from cluster.candidacy import NOBODY, Candidacy, Post, Terms
from cluster.client import Client
from cluster.errors import ApiError, ConflictError, NotFoundError, UnavailableError
from cluster.running import EndedError

_LOG = logging.getLogger(__name__)
_END_S: Final = 1.5  # after a lost Lease the process ends within so long, whatever hangs
_RELEASE_S: Final = 2.0
Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How the election stands."""

    is_leading: bool
    holder: str
    address: str  # of whoever holds it
    changes: int  # of the holder, since the Lease was made
    failures: int  # of looking and writing, since the start
    heard_s: float  # since the API server answered last


class Election:
    """One candidate for one Lease. `clock` is wall time, for the Lease's readers."""

    def __init__(
        self,
        client: Client,
        post: Post,
        terms: Terms,
        *,
        rng: random.Random,
        clock: Callable[[], float],
        end: Callable[[int], None] = os._exit,
    ) -> None:
        """`client` must not share connections with the work, which may take all there are."""
        self._client = client
        self._post = post
        self._terms = terms
        self._clock = clock
        self._end = end
        self._candidacy = Candidacy(post.identity, terms, rng=rng)
        self._stored: dict[str, Any] | None = None
        self._failures = 0
        self._heard_s = float("-inf")

    @property
    def identity(self) -> str:
        """Who this candidate is."""
        return self._post.identity

    def statistics(self) -> Statistics:
        """How things stand."""
        now_s = _now_s()
        seen = self._candidacy.seen
        return Statistics(
            is_leading=self._candidacy.leads(now_s=now_s),
            holder=seen.holder,
            address=seen.address,
            changes=seen.transitions,
            failures=self._failures,
            heard_s=now_s - self._heard_s,
        )

    def fence(self) -> None:
        """Raise UnavailableError unless we lead now: what was decided before counts no more."""
        if not self._candidacy.leads(now_s=_now_s()):
            raise UnavailableError(f"the Lease {self._post.name} is not ours any more")

    async def run(self, stop: asyncio.Event, work: Work) -> None:
        """Wait to lead, then work until `stop` is set; EndedError when the Lease is lost."""
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(stop.wait())
            try:
                if await self._until_leading(stopping):
                    _LOG.info("%s leads as %s", self._post.identity, self._post.name)
                    await self._lead(group, stopping, work)
            finally:
                stopping.cancel()

    async def _until_leading(self, stopping: "asyncio.Task[Any]") -> bool:
        """False: it is to stop."""
        told = ""
        while not stopping.done():
            await self._try()
            if self._candidacy.leads(now_s=_now_s()):
                return True
            holder = self._candidacy.seen.holder
            if holder and holder != told:
                told = holder
                _LOG.info("%s leads as %s; standing by", holder, self._post.name)
            await _wait(stopping, self._candidacy.due_s)
        return False

    async def _lead(
        self, group: asyncio.TaskGroup, stopping: "asyncio.Task[Any]", work: Work
    ) -> None:
        working = group.create_task(work())
        renewing = group.create_task(self._renew())
        try:
            await asyncio.wait({working, renewing, stopping}, return_when="FIRST_COMPLETED")
            if renewing.done() and not working.done():
                self._lose()
        finally:
            working.cancel()
            # The Lease is renewed until the work has ended, and let go of then, however often
            # and in whichever order we are told to end.
            is_cancelled = await _outlast(working)
            renewing.cancel()
            is_cancelled |= await _outlast(renewing)
            self._candidacy.resign()
            await self._release()
            if is_cancelled:
                raise asyncio.CancelledError

    async def _renew(self) -> None:
        """Return when the Lease is lost."""
        while True:
            now_s = _now_s()
            if not self._candidacy.leads(now_s=now_s):
                return
            await asyncio.sleep(min(self._candidacy.due_s, self._candidacy.until_s) - now_s)
            try:
                async with asyncio.timeout_at(self._candidacy.until_s):
                    await self._try()
            except TimeoutError:
                return

    def _lose(self) -> None:
        self._candidacy.resign()
        said = f"the Lease {self._post.namespace}/{self._post.name} is lost"
        # Others may begin soon: whatever hangs while the work is ended, the process ends before.
        ending = threading.Timer(_END_S, self._end, (1,))
        ending.daemon = True
        ending.start()
        raise EndedError(said)

    async def _try(self) -> None:
        """Look at the Lease, and write into it if that is due."""
        candidacy_ = self._candidacy
        try:
            async with asyncio.timeout(self._terms.answer_s):
                if not candidacy_.leads(now_s=_now_s()) or self._stored is None:
                    await self._look()
                if candidacy_.may_write(now_s=_now_s()):
                    await self._write()
        except (ApiError, TimeoutError) as error:
            self._failures += 1
            self._stored = None  # look again before the next write
            candidacy_.failed(now_s=_now_s())
            if not isinstance(error, ConflictError):  # which says that another one was quicker
                _LOG.warning("Lease %s: %s", self._post.name, str(error) or "no answer in time")

    async def _look(self) -> None:
        try:
            self._stored = await self._client.get(LEASES, self._post.namespace, self._post.name)
        except NotFoundError:
            self._stored = None
        self._heard_s = _now_s()
        seen = NOBODY if self._stored is None else candidacy.read(self._stored)
        self._candidacy.observe(seen, now_s=_now_s())

    async def _write(self) -> None:
        wanted = candidacy.claimed(
            self._stored,
            self._post,
            lease_s=self._terms.lease_s,
            epoch_s=self._clock(),
        )
        sent_s = _now_s()
        if self._stored is None:
            self._stored = await self._client.create(LEASES, wanted)
        else:
            self._stored = await self._client.replace(LEASES, wanted)
        now_s = self._heard_s = _now_s()
        self._candidacy.wrote(candidacy.read(self._stored), sent_s=sent_s, now_s=now_s)

    async def _release(self) -> None:
        """Let the next one begin at once, if the Lease still says that it is ours."""
        if self._candidacy.seen.holder != self._post.identity:
            return
        try:
            async with asyncio.timeout(_RELEASE_S):
                await self._let_go()
        except (ApiError, TimeoutError) as error:
            _LOG.warning("Lease %s not released: %s", self._post.name, error)

    async def _let_go(self) -> None:
        try:
            if self._stored is not None:
                await self._free(self._stored)
                return
        except ConflictError:
            pass  # a renewal of ours may have worked when nobody waited for its answer any more
        stored = await self._client.get(LEASES, self._post.namespace, self._post.name)
        if candidacy.read(stored).holder == self._post.identity:
            await self._free(stored)

    async def _free(self, stored: dict[str, Any]) -> None:
        lease = candidacy.released(stored, epoch_s=self._clock())
        await self._client.replace(LEASES, lease)
        _LOG.info("let go of the Lease %s", self._post.name)


async def _outlast(task: "asyncio.Task[None]") -> bool:
    """Wait until a task has ended; whether we were cancelled meanwhile."""
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
    return is_cancelled


async def _wait(stopping: "asyncio.Task[Any]", until_s: float) -> None:
    await asyncio.wait({stopping}, timeout=max(0.0, until_s - _now_s()))


def _now_s() -> float:
    return asyncio.get_running_loop().time()
