"""One container's dealings with the frozen tier: go on with a replica, or leave one there.

For: the steps between a live replica and a frozen one, both ways, losing no request.
Must not know: which replicas are frozen, memory, or a container's other steps.
"""

import asyncio
import hashlib
import logging
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embedded.containerplan import ContainerPlan, Start
from embedded.freezing import Freezer, Parked
from embedded.frozen import key_of, tied
from embedded.launching import PredictorLaunch
from embedded.modelstore import ModelError
from embedded.mounts import MountError
from embedded.podfiles import VolumeError
from embedded.podlog import PodLog
from embedded.process import Ended, News, ReplicaProcess, Said, Sink, move
from embedded.residence import Residence
from embedded.room import GPU, limits_of

_LOG = logging.getLogger(__name__)
_RESUME_S = 2.0  # one that was frozen and says nothing for so long is replaced


class Resting:
    """One container's."""

    def __init__(self, plan: ContainerPlan, home: Residence, freezer: Freezer) -> None:
        self._plan = plan
        self._home = home
        self._freezer = freezer
        self._request: Mapping[str, Any] = {}  # what the present process was made of
        self._provider = ""
        self._is_ready = False

    def made_of(self, request: Mapping[str, Any]) -> None:
        """A process is started."""
        self._request = request

    def told(self, facts: Mapping[str, Any]) -> None:
        """It is ready, and said what it is."""
        self._provider = str(facts.get("provider", ""))
        self._is_ready = True

    @property
    def _key(self) -> str:
        return key_of(self._home.pod, self._request, limits_of(self._plan.container))

    async def resumed(self, start: Start, news: Sink, log: PodLog, path: Path) -> Parked | None:
        """A frozen replica that is what this would be, running again, at that path."""
        parked = await self._found(start)
        if parked is not None:
            self._is_ready = False
            parked.process.hear(news)
            with log.open() as output:
                parked.process.resume(output.fileno())
            move(parked.path, path)  # nobody is told of it before we return
        return parked

    async def hurry(self, process: ReplicaProcess) -> None:
        """Requests may wait for it: one that does not wake is given up."""
        await asyncio.sleep(_RESUME_S)
        if not self._is_ready:
            _LOG.warning("%s was frozen and does not wake", process.name)
            process.signal(signal.SIGKILL)

    async def _found(self, start: Start) -> Parked | None:
        launch = start.launch
        if not isinstance(launch, PredictorLaunch) or not self._freezer.may_have(self._home.pod):
            return None
        try:
            self._request = await self._plan.predictor_request(launch, start.confinement)
        except (ModelError, MountError, VolumeError):
            return None  # the usual way says why
        return self._freezer.take(self._key)

    async def is_kept(
        self,
        process: ReplicaProcess,
        news: "asyncio.Queue[News]",
        listener: socket.socket,
        path: Path,
    ) -> bool:
        """Leave a replica that nobody sends anything to; False: it must be ended."""
        has_gpus = bool(self._home.around.capacity.get(GPU))
        why = tied(self._home.pod, self._request, provider=self._provider, has_gpus=has_gpus)
        if why or not await self._freezer.is_wanted(self._home.pod):
            return False
        hidden = path.with_name(f"{hashlib.sha256(process.name.encode()).hexdigest()[:12]}.sock")
        move(path, hidden)  # from here on a connection is refused, or it is heard to its end
        is_held = False
        try:
            process.settle()
            parked = Parked(process=process, listener=listener, path=hidden)
            if await _is_settled(news):
                is_held = await self._freezer.hold(parked, self._home.pod, self._key)
        finally:
            if not is_held:
                hidden.unlink(missing_ok=True)
        return is_held


async def _is_settled(news: "asyncio.Queue[News]") -> bool:
    while True:
        match await news.get():
            case Said(facts) if facts.get("settled"):
                return True
            case Ended() as ended:
                news.put_nowait(ended)  # for whoever waits for it next
                return False
            case _:
                continue
