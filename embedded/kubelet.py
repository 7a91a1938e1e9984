"""Pods → processes: one life for each Pod of this machine.

For: starting and ending Pod lives as Pods come and go, within the machine's room.
Must not know: how one Pod is started, or why it exists.
"""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from api.kinds import PODS
from api.objects import Raw, rfc3339
from cluster.errors import ApiError, BadRequestError, ConflictError, NotFoundError
from cluster.informer import Informer
from embedded import podlog
from embedded.acceptance import Acceptance
from embedded.podfiles import PodFiles
from embedded.podlife import PodLife
from embedded.podlog import PodLog
from embedded.podstatus import unschedulable_status
from embedded.residence import Residence, Surroundings
from embedded.room import Room

log = logging.getLogger(__name__)

_WHOLE = podlog.Wanted()
_LOG_CHECK_S = 1.0  # also how exact the times of a log's lines are
_RETRY_S = 0.5
Key = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class _Resident:
    pod: Raw
    folder: Path  # named by its uid, and there only when something is kept in it
    logs: dict[str, PodLog] = field(default_factory=dict)  # by container, from its first start
    life: PodLife | None = None  # None: no room yet
    is_leaving: bool = False

    def log_of(self, container: str) -> PodLog:
        """A container's log."""
        if container not in self.logs:
            uid = self.pod["metadata"]["uid"]
            self.logs[container] = PodLog(self.folder.parent, uid, container)
        return self.logs[container]

    def forget(self) -> None:
        """Remove all that its containers wrote."""
        spec = self.pod["spec"]
        for container in (*spec["containers"], *(spec.get("initContainers") or ())):
            self.log_of(container["name"]).remove()
        PodFiles.forget(self.folder.name)
        shutil.rmtree(self.folder, ignore_errors=True)


class Kubelet:
    """Runs the Pods of this machine until stopped."""

    def __init__(self, around: Surroundings, *, pods_dir: Path, room: Room) -> None:
        self._around = around
        self._pods_dir = pods_dir
        self._room = room
        self._acceptance = Acceptance(around.machine)
        self._informer = Informer(around.client, PODS)
        self._informer.on_change(self._changed)
        self._residents: dict[str, _Resident] = {}  # by uid, in order of arrival
        self._tasks: asyncio.TaskGroup | None = None
        self._is_stopping = False
        self._all_gone = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop` has ended every life."""
        async with asyncio.TaskGroup() as self._tasks:
            watch = self._tasks.create_task(self._informer.run())
            await self._informer.synced()
            self._sweep()
            sources = self._tasks.create_task(self._around.sources.run())
            logs = self._tasks.create_task(self._bound_logs())
            beside = [watch, logs, sources]
            if self._around.freezer is not None:
                beside.append(self._tasks.create_task(self._around.freezer.run()))
            await self._all_gone.wait()
            for task in beside:
                task.cancel()

    def _sweep(self) -> None:
        """Remove what Pods wrote that went while no kubelet ran."""
        for path in self._pods_dir.glob("*"):
            if path.name not in self._residents and path.is_dir():
                PodFiles.forget(path.name)
                shutil.rmtree(path, ignore_errors=True)
        PodLog.sweep(self._pods_dir, self._residents)

    def stop(self) -> None:
        """End every life; the Pods stay, and start again with the platform."""
        self._is_stopping = True
        if self._around.freezer is not None:
            self._around.freezer.close()
        for resident in self._residents.values():
            if resident.life is not None:
                resident.life.stop()
        self._check_gone()

    def _check_gone(self) -> None:
        if self._is_stopping and not any(r.life for r in self._residents.values()):
            self._all_gone.set()

    def _changed(self, old: Raw | None, new: Raw | None) -> None:
        if old is not None and (new is None or new["metadata"]["uid"] != old["metadata"]["uid"]):
            gone = self._residents.get(old["metadata"]["uid"])
            if gone is not None:
                self._leave(old["metadata"]["uid"], gone)
        if new is None:
            return
        uid = new["metadata"]["uid"]
        resident = self._residents.get(uid)
        if resident is None:
            resident = _Resident(pod=new, folder=self._pods_dir / uid)
            self._residents[uid] = resident
            self._admit(uid, resident)
        resident.pod = new
        if new["metadata"].get("deletionTimestamp"):
            self._leave(uid, resident)

    def _admit(self, uid: str, resident: _Resident) -> None:
        """Start the Pod's life if there is room for one more."""
        assert self._tasks is not None
        if self._is_stopping:
            return
        lacking = self._room.enter(uid, resident.pod)
        if lacking:
            self._tasks.create_task(self._report_full(resident, lacking))
            return
        devices = self._room.devices(uid)
        home = Residence(resident.pod, self._around, resident.folder, devices=devices)
        resident.life = PodLife(home, resident.log_of, self._acceptance)
        self._tasks.create_task(self._live(uid, resident, resident.life))

    def _leave(self, uid: str, resident: _Resident) -> None:
        if resident.is_leaving:
            return
        resident.is_leaving = True
        if resident.life is not None:
            resident.life.stop()
        else:
            assert self._tasks is not None
            self._tasks.create_task(self._remove(uid, resident))

    async def _live(self, uid: str, resident: _Resident, life: PodLife) -> None:
        try:
            await life.run()
        finally:
            resident.life = None
            self._room.leave(uid)
            self._check_gone()
        if not self._is_stopping:
            # A life ends by itself when its Pod is no more, maybe before the watch says so.
            resident.is_leaving = True
        self._admit_next()
        if resident.is_leaving:
            await self._remove(uid, resident)

    def _admit_next(self) -> None:
        """Room was given back: whoever waits may try, the first to come first."""
        for uid, resident in self._residents.items():
            if resident.life is None and not resident.is_leaving:
                self._admit(uid, resident)

    async def _remove(self, uid: str, resident: _Resident) -> None:
        """The process is gone: the object and what it wrote may go too.

        Nobody else ever deletes it for good, so this is tried until it holds.
        """
        while not self._is_stopping:
            if await self._is_removed(uid, resident.pod["metadata"]):
                break
            await asyncio.sleep(_RETRY_S)
        self._residents.pop(uid, None)
        resident.forget()

    async def _is_removed(self, uid: str, metadata: Raw) -> bool:
        try:
            await self._around.client.delete(
                PODS, metadata["namespace"], metadata["name"], uid=uid, grace_period_s=0
            )
        except (NotFoundError, ConflictError):
            return True  # the name is nobody's, or another Pod's by now
        except ApiError as error:
            log.warning("pod %s could not be removed: %s; trying again", metadata["name"], error)
            return False
        return True

    async def _report_full(self, resident: _Resident, message: str) -> None:
        self._around.events.warning(resident.pod, "FailedScheduling", message)
        while resident.life is None and not (resident.is_leaving or self._is_stopping):
            if await self._is_told(resident.pod, message):
                break
            await asyncio.sleep(_RETRY_S)

    async def _is_told(self, pod: Raw, message: str) -> bool:
        metadata = pod["metadata"]
        status = unschedulable_status(pod, message, now=rfc3339(self._around.clock()))
        try:
            await self._around.client.patch(
                PODS,
                metadata["namespace"],
                metadata["name"],
                {"status": status},
                subresource="status",
            )
        except NotFoundError:
            return True  # nobody waits any more
        except ApiError as error:
            log.warning("pod %s: %s; trying again", metadata["name"], error)
            return False
        return True

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_S)
            for resident in self._residents.values():
                for pod_log in tuple(resident.logs.values()):
                    pod_log.note(self._around.clock())
                    pod_log.bound()

    def logs(
        self,
        namespace: str,
        name: str,
        *,
        wanted: podlog.Wanted = _WHOLE,
        follow: bool = False,
        container: str = "",
    ) -> AsyncIterator[bytes]:
        """What a container of a Pod wrote; the newest bytes as they come with `follow`.

        Without a name, the first one.
        """
        for uid, resident in self._residents.items():
            metadata = resident.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                container = container or str(resident.pod["spec"]["containers"][0]["name"])
                pod_log = resident.log_of(container)
                if wanted.previous and not pod_log.previous_path.exists():
                    raise BadRequestError(
                        f'previous terminated container "{container}" in pod "{name}" not found'
                    )
                is_following = partial(self._is_following, follow, uid)
                clock = self._around.clock
                return pod_log.read(wanted, is_following=is_following, clock=clock)
        raise NotFoundError(f'pods "{name}" not found')

    def _is_following(self, follow: bool, uid: str) -> bool:
        return follow and uid in self._residents
