"""One Pod's life on this machine: its volumes, what runs first, what runs for good.

For: the order of things between a Pod's appearance and its removal.
Must not know: which Pods exist beside it, or how a container is run.
"""

import asyncio
from collections.abc import Callable, Sequence

from api.objects import Raw
from embedded.acceptance import Acceptance
from embedded.containerlife import ContainerLife
from embedded.podfiles import VolumeError
from embedded.podlog import PodLog
from embedded.podstatus import ContainerFate, waiting
from embedded.residence import Residence


class PodLife:
    """Runs one Pod until it is stopped."""

    def __init__(
        self, home: Residence, log_of: Callable[[str], PodLog], acceptance: Acceptance
    ) -> None:
        """`log_of` gives a container's log by its name."""
        self._home = home
        self._acceptance = acceptance
        self._log_of = log_of
        self._stopping = asyncio.Event()
        self._present: list[ContainerLife] = []
        home.is_vanished = self.stop

    def stop(self) -> None:
        """Ask the life to end; `run` returns when nothing of it is left."""
        self._home.is_stopping = True
        self._stopping.set()
        self._home.poke()
        for life in self._present:
            life.stop()

    async def run(self) -> None:
        """Live until stopped."""
        if await self._is_refused():
            await self._stopping.wait()
            return
        self._home.around.sources.listen(self._home.changed)
        try:
            if not await self._is_furnished() or not await self._is_initialized():
                await self._stopping.wait()
                return
            containers: Sequence[Raw] = self._home.spec["containers"]
            self._present = [self._life(each) for each in containers]
            if self._stopping.is_set():
                self.stop()
            refills = self._home.refers and bool(self._home.spec.get("volumes"))
            if len(self._present) == 1 and not refills:
                await self._present[0].run()  # the usual one, from zero: at once, in this task
            else:
                await self._run_together(refills=refills)
            await self._stopping.wait()  # a Pod whose containers all ended stays
        finally:
            self._home.around.sources.unlisten(self._home.changed)
            # As when a node starts anew: what is in memory is lost, and held by nobody.
            self._home.files.forget(self._home.uid)

    async def _run_together(self, *, refills: bool) -> None:
        """All containers beside each other, and what keeps their files up to date."""
        async with asyncio.TaskGroup() as tasks:
            refill = tasks.create_task(self._refill()) if refills else None
            await asyncio.wait([tasks.create_task(life.run()) for life in self._present])
            if refill is not None:
                refill.cancel()

    def _life(self, container: Raw, *, is_init: bool = False) -> ContainerLife:
        log = self._log_of(container["name"])
        return ContainerLife(container, self._home, log, is_init=is_init)

    async def _is_refused(self) -> bool:
        """Whether it asks for what this machine can not do; its containers then say so."""
        found = self._acceptance.refused(self._home.spec)
        containers: Sequence[Raw] = self._home.spec.get("containers") or ()
        if not found:
            return not containers
        message = "; ".join(f"{', '.join(each.paths)}: {each.details}" for each in found)
        self._home.event("InvalidPod", message, is_warning=True)
        for container in containers:
            fate = ContainerFate(state=waiting("InvalidPod", message))
            await self._home.report(container["name"], fate)
        return True

    async def _is_furnished(self) -> bool:
        """Set up its volumes, once all that they need is there; False once stopped."""
        if self._home.refers:
            await self._known()
        while not self._stopping.is_set():
            change = self._home.change
            try:
                self._home.fill()
            except (VolumeError, OSError) as error:
                message = str(error)
                self._home.event("FailedMount", message, is_warning=True)
                for container in self._home.spec["containers"]:
                    fate = ContainerFate(state=waiting("ContainerCreating", message))
                    await self._home.report(container["name"], fate)
                await change.wait()
                continue
            return True
        return False

    async def _known(self) -> None:
        """Wait for what it refers to, unless stopped before."""
        async with asyncio.TaskGroup() as tasks:
            both = [
                tasks.create_task(self._home.around.sources.known()),
                tasks.create_task(self._stopped()),
            ]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()

    async def _stopped(self) -> None:
        await self._stopping.wait()

    async def _is_initialized(self) -> bool:
        """Run what comes first, in order; False once stopped, or if one of them failed for good."""
        for container in self._home.spec.get("initContainers") or ():
            life = self._life(container, is_init=True)
            self._present = [life]
            if self._stopping.is_set() or not await life.run():
                return False
        return True

    async def _refill(self) -> None:
        """Files follow the objects they come from. What is gone keeps its last content."""
        while True:
            await self._home.change.wait()
            try:
                self._home.fill()
            except (VolumeError, OSError) as error:
                self._home.event("FailedMount", str(error), is_warning=True)
