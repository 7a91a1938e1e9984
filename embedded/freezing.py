"""Keep stopped processes for the Pods that will want them, while there is memory to spare.

For: the frozen tier's shell: who is held, watching memory, ending those that must go.
Must not know: Pods' lives, how a process comes to rest, or what is decided about memory.
"""

import asyncio
import logging
import signal
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from api.keys import FROZEN, REVISION, REVISION_UID
from api.kinds import DEPLOYMENTS, NODES, PODS
from api.objects import Raw, rfc3339
from cluster.client import Client
from cluster.errors import ApiError
from cluster.informer import Informer
from embedded import memory
from embedded.frozen import Bounds, Held, Memory, Shelf
from embedded.process import Ended, News, ReplicaProcess
from embedded.workloads import TEMPLATE_HASH, is_going, template_hash

log = logging.getLogger(__name__)

_LOOK_S = 1.0  # between looks at memory while anything is frozen
_TELL_S = 1.0  # between writes to the Node
_GRACE_S = 5.0  # nothing runs there, so its end takes milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A process at rest, and the socket it accepts on, under a name that nobody is told."""

    process: ReplicaProcess
    listener: socket.socket
    path: Path

    def close(self) -> None:
        """Let go of the socket."""
        self.listener.close()
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Listening:
    """Hears of a process nothing but its end."""

    on_end: Callable[[], None]

    def put_nowait(self, news: News, /) -> None:
        if isinstance(news, Ended):
            self.on_end()


class Freezer:
    """Holds what is frozen. Calls never block, but for `run` and `is_wanted`."""

    def __init__(
        self,
        client: Client,
        bounds: Bounds,
        *,
        clock: Callable[[], float],
        node: str = "localhost",
        read_memory: Callable[[], Memory] = memory.read,
        size_of: Callable[[int], Awaitable[int | None]] | None = None,
    ) -> None:
        """`clock` is wall time; `node` is the Node on which figures are written."""
        self._client = client
        self._bounds = bounds
        self._clock = clock
        self._node = node
        self._read_memory = read_memory
        self._size_of = size_of or _size_of
        self._shelf = Shelf(bounds)
        self._seen: Memory | None = None  # by the last look
        self._parked: dict[str, Parked] = {}
        self._going_bytes: dict[str, int] = {}  # what those hold that were told to end
        self._deployments = Informer(client, DEPLOYMENTS)
        self._deployments.on_change(self._deployment_changed)
        self._resumed = 0
        self._ended: Counter[str] = Counter()  # by reason
        self._is_closed = bounds.is_off
        self._is_occupied = asyncio.Event()
        self._has_news = asyncio.Event()

    async def run(self) -> None:
        """Watch memory and Deployments, and tell, until cancelled."""
        if self._bounds.is_off:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deployments.run())
            tasks.create_task(self._tell())
            while True:
                await self._is_occupied.wait()
                await asyncio.sleep(_LOOK_S)
                self._look()

    def close(self) -> None:
        """End all that is held, and hold nothing more."""
        self._is_closed = True
        for held in tuple(self._shelf):
            self._end(held.name, "the platform stops")

    # -- in ------------------------------------------------------------------------------------

    async def is_wanted(self, pod: Raw) -> bool:
        """Whether a Pod that ends was scaled away, so that its like may be wanted again.

        Not where its Deployment asks for another in its place: then somebody wants it gone.
        """
        deployment = self._owner(pod)
        if self._is_closed or deployment is None:
            return False
        uid, namespace = deployment["metadata"]["uid"], pod["metadata"]["namespace"]
        try:
            found = (await self._client.list(PODS, namespace)).items
        except ApiError as error:
            log.warning("a replica is not frozen: %s", error)
            return False
        staying = [each for each in found if _owner_uid(each) == uid and not is_going(each)]
        return int(deployment["spec"].get("replicas", 1)) <= len(staying)

    async def hold(self, parked: Parked, pod: Raw, key: str) -> bool:
        """Stop a process that came to rest and keep it; False where it can not be kept."""
        size_bytes = await self._size_of(parked.process.pid)
        deployment = self._owner(pod)
        if size_bytes is None or deployment is None or self._is_closed or parked.process.is_over:
            return False
        name = parked.process.name
        metadata = pod["metadata"]
        held = Held(
            name=name,
            key=key,
            revision=f"{metadata['namespace']}/{metadata['labels'][REVISION]}",
            owner=deployment["metadata"]["uid"],
            size_bytes=size_bytes,
            since_s=self._now_s(),
        )
        self._shelf.put(held)
        self._seen = self._read_memory()
        excess = self._excess(self._seen)
        if name in excess:
            self._shelf.remove(name, now_s=self._now_s())
            log.info("a replica of %s is not frozen: %s", held.revision, excess[name])
            return False
        self._parked[name] = parked
        parked.process.hear(_Listening(lambda: self._lost(name)))
        parked.process.freeze()
        for other, why in excess.items():
            self._end(other, why)
        self._changed()
        return True

    def _owner(self, pod: Raw) -> Raw | None:
        """The Deployment of a Pod, if it would make such a Pod again."""
        metadata = pod["metadata"]
        owner: Raw = (metadata.get("ownerReferences") or ({},))[0]
        found = self._deployments.objects.get((metadata["namespace"], str(owner.get("name"))))
        if found is None or found["metadata"]["uid"] != owner["uid"] or is_going(found):
            return None
        is_same = (metadata.get("labels") or {}).get(TEMPLATE_HASH) == template_hash(found)
        return found if is_same else None

    # -- out -----------------------------------------------------------------------------------

    def may_have(self, pod: Raw) -> bool:
        """Whether it is worth asking for a replica of this Pod's Revision."""
        metadata = pod["metadata"]
        labels = metadata.get("labels") or {}
        if not self._parked or REVISION_UID not in labels:
            return False
        revision = f"{metadata['namespace']}/{labels.get(REVISION)}"
        return any(each.revision == revision for each in self._shelf)

    def take(self, key: str) -> Parked | None:
        """A process that is like this, and no longer ours; it is still stopped."""
        name = self._shelf.find(key)
        if name is None:
            return None
        self._shelf.remove(name, now_s=self._now_s())
        self._resumed += 1
        self._changed()
        return self._parked.pop(name)

    def make_way(self, coming_bytes: int) -> None:
        """A replica starts, which must not lack memory for those that are frozen.

        Where the last look showed plenty, none is taken: a start is not to wait for it.
        """
        if self._parked and not (self._seen and self._seen.is_ample(coming_bytes)):
            self._look(coming_bytes)

    def _look(self, coming_bytes: int = 0) -> None:
        if not self._parked:
            return
        self._seen = self._read_memory()
        for name, why in self._excess(self._seen, coming_bytes).items():
            self._end(name, why)

    def _excess(self, memory: Memory, coming_bytes: int = 0) -> dict[str, str]:
        return self._shelf.excess(
            memory,
            now_s=self._now_s(),
            coming_bytes=coming_bytes,
            going_bytes=sum(self._going_bytes.values()),
        )

    def _end(self, name: str, why: str) -> None:
        """SIGTERM as any replica, for which it must run again; SIGKILL when it does not go."""
        parked = self._parked.pop(name)
        held = self._shelf.remove(name, now_s=self._now_s())
        assert held is not None
        self._going_bytes[name] = held.size_bytes
        self._ended[why] += 1
        self._changed()
        log.info("a frozen replica is ended: %s", why)
        process, loop = parked.process, asyncio.get_running_loop()
        patience = loop.call_later(_GRACE_S, process.signal, signal.SIGKILL)
        process.hear(_Listening(lambda: self._gone(name, patience)))
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)
        parked.close()

    def _gone(self, name: str, patience: asyncio.TimerHandle) -> None:
        patience.cancel()
        self._going_bytes.pop(name, None)

    def _lost(self, name: str) -> None:
        """It ended by itself, or the zygote did and took it along."""
        self._parked.pop(name).close()
        self._shelf.remove(name, now_s=self._now_s())
        self._ended["it ended by itself"] += 1
        self._changed()

    def _deployment_changed(self, old: Raw | None, new: Raw | None) -> None:
        """Nobody goes on with a replica whose Deployment is gone or makes others now."""
        if old is None:
            return
        uid = old["metadata"]["uid"]
        mine = [each.name for each in self._shelf if each.owner == uid]
        if not mine:
            return
        if new is None or is_going(new) or new["metadata"]["uid"] != uid:
            why = "its Revision is gone"
        elif template_hash(old) != template_hash(new):
            why = "its template changed"
        else:
            return
        for name in mine:
            self._end(name, why)

    # -- what is told --------------------------------------------------------------------------

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _changed(self) -> None:
        self._has_news.set()
        if self._parked:
            self._is_occupied.set()
        else:
            self._is_occupied.clear()

    def figures(self) -> Mapping[str, Any]:
        """What is frozen and what became of it, in words for the Node."""
        return {
            **self._shelf.told(now_s=self._now_s()),
            "resumed": self._resumed,
            "ended": dict(self._ended),
            "time": rfc3339(self._clock()),
        }

    async def _tell(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            patch = {"metadata": {"annotations": {FROZEN: orjson.dumps(self.figures()).decode()}}}
            try:
                await self._client.patch(NODES, None, self._node, patch)
            except ApiError as error:
                log.debug("the Node is not told what is frozen: %s", error)
            await asyncio.sleep(_TELL_S)


async def _size_of(pid: int) -> int | None:
    return await asyncio.to_thread(memory.of_process, pid)


def _owner_uid(pod: Raw) -> str:
    owner: Raw = (pod["metadata"].get("ownerReferences") or ({},))[0]
    return str(owner.get("uid", ""))
