"""What the containers of one Pod share on this machine: its files, its ports, its one status.

For: everything that is the Pod's and not one container's, and the writes that tell of it.
Must not know: how a container is started, or when it ends.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from api.keys import ENDPOINT, REVISION
from api.kinds import PODS
from api.objects import Raw, rfc3339
from api.pods import serving_index
from cluster.client import Client
from cluster.errors import ApiError, NotFoundError
from cluster.events import EventRecorder
from embedded import volumes
from embedded.capabilities import Machine
from embedded.environment import Downward, Lookup, MissingError, SourceKind, references
from embedded.fetching import Fetcher
from embedded.freezing import Freezer
from embedded.launching import has_default_readiness, sidecar_ports
from embedded.libraries import LibraryZygotes
from embedded.modelstore import ModelStore
from embedded.podfiles import PodFiles, VolumeError
from embedded.podstatus import ContainerFate, pod_status
from embedded.process import free_port
from embedded.sources import Sources
from embedded.templates import Templates
from embedded.turns import Turns
from embedded.zygote import Zygote

log = logging.getLogger(__name__)

_WRITE_RETRY_S = 0.5
_CUDA = "CUDA_VISIBLE_DEVICES"
_PORT_OF = "RELIGHT_PORT_"  # and the name of a container beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every Pod's life needs of the machine."""

    client: Client
    zygote: Zygote
    models: ModelStore
    turns: Turns
    events: EventRecorder
    sources: Sources
    run_dir: Path
    work_dir: Path
    base_env: Mapping[str, str]
    clock: Callable[[], float]  # wall time, seconds since the epoch
    release: Callable[[str, str], Awaitable[None]]  # the activator lets go of a Pod
    machine: Callable[[], Machine] = Machine  # what its kernel lets us do
    capacity: Mapping[str, Decimal] = field(default_factory=dict)
    fetcher: Fetcher | None = None  # None: only what lies here is served
    freezer: Freezer | None = None  # None: nothing is frozen
    templates: Templates | None = None  # None: no Revision has one
    libraries: LibraryZygotes | None = None  # None: all are forked by `zygote`


class Residence:
    """One Pod's."""

    def __init__(
        self, pod: Raw, around: Surroundings, folder: Path, *, devices: Sequence[int] = ()
    ) -> None:
        """`folder` is the Pod's own; `devices` are its GPUs, by index."""
        self.pod = pod
        self.around = around
        self.folder = folder
        self.key: tuple[str, str] = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.uid = str(pod["metadata"]["uid"])
        self.spec: Raw = pod["spec"]
        self.is_knative = REVISION in (pod["metadata"].get("labels") or {})
        self.serving = serving_index(self.spec.get("containers") or ())
        self.base_env = {**around.base_env, **_visible(devices, around.base_env)}
        self.fetched: dict[str, str] = {}  # digests of models that nothing pins, by URI
        self.is_vanished: Callable[[], None] = lambda: None  # called when the object is gone
        group = (self.spec.get("securityContext") or {}).get("fsGroup")
        self.is_stopping = False
        self.files = PodFiles(folder, self.uid, group=None if group is None else int(group))
        self.change = asyncio.Event()  # the next one of what it refers to; then another event
        self._references = references(self.spec)
        self._fates: dict[str, ContainerFate] = {}
        self._address = ""
        self._announced = ""
        self._writing = asyncio.Lock()
        self._releasing = asyncio.Lock()
        self._is_released = False
        self._ports = self._fixed_ports()
        for name, port in self._ports.items():
            self.base_env[_PORT_OF + name.upper().replace("-", "_")] = str(port)

    # -- ports and addresses -----------------------------------------------------------------

    def _fixed_ports(self) -> dict[str, int]:
        """Beside each other, containers must know each other's ports: for as long as they live."""
        containers: Sequence[Raw] = self.spec.get("containers") or ()
        if len(containers) < 2:
            return {}
        said = sidecar_ports(self.spec)
        return {
            str(each["name"]): said.get(each["name"]) or free_port()
            for each in containers
            if each.get("command")
        }

    def socket_path(self, container: str) -> Path:
        """Where one of its predictors listens: short, as a socket's path has little room."""
        name = hashlib.sha256(f"{self.uid}/{container}".encode()).hexdigest()[:12]
        return self.around.run_dir / f"{name}.sock"

    def port_of(self, container: Raw) -> int:
        """The port a container is given."""
        return self._ports.get(container["name"]) or free_port()

    @property
    def is_told_early(self) -> bool:
        """Whether the address of its process may be told before it is ready: requests wait there.

        Not where something else than the process itself decides whether it takes any.
        """
        containers = self.spec["containers"]
        return (
            len(containers) == 1
            and not containers[0].get("startupProbe")
            and has_default_readiness(containers[0], is_knative=self.is_knative)
        )

    async def announce(self, address: str) -> None:
        """The serving container listens there, now or soon."""
        self._address = address
        if self.is_told_early and self._announced != address:
            self._announced = address
            await self.write({"metadata": {"annotations": {ENDPOINT: address}}})

    # -- status ------------------------------------------------------------------------------

    def now(self) -> str:
        """The wall time, as Kubernetes writes it."""
        return rfc3339(self.around.clock())

    async def report(self, name: str, fate: ContainerFate) -> None:
        """Tell how a container is."""
        if self._fates.get(name) == fate:
            return
        self._fates[name] = fate
        async with self._writing:
            status = pod_status(self.pod, self._fates, now=self.now())
            patch: dict[str, Any] = {"status": status}
            if not self.is_told_early:
                self._tell_address(patch)
            await self.write(patch, subresource="status")

    def _tell_address(self, patch: dict[str, Any]) -> None:
        """Requests come while all of its containers are ready, and then only."""
        fates = [self._fates.get(each["name"]) for each in self.spec["containers"]]
        is_ready = all(fate is not None and fate.is_ready for fate in fates)
        address = self._address if is_ready else ""
        if address != self._announced:
            self._announced = address
            patch["metadata"] = {"annotations": {ENDPOINT: address or None}}

    async def write(self, patch: Mapping[str, Any], *, subresource: str = "") -> None:
        """Write until it holds: a status that is lost would never be written again."""
        while True:
            try:
                self.pod = await self.around.client.patch(
                    PODS, *self.key, patch, subresource=subresource
                )
            except NotFoundError:
                self.is_vanished()
            except ApiError as error:
                log.warning("pod %s/%s: %s; trying again", *self.key, error)
                await asyncio.sleep(_WRITE_RETRY_S)
                if not self.is_stopping:
                    continue
            return

    async def release(self) -> None:
        """The activator sends nothing more: once, for all of its containers."""
        async with self._releasing:
            if not self._is_released:
                await self.around.release(*self.key)
                self._is_released = True

    def event(self, reason: str, message: str, *, is_warning: bool = False) -> None:
        """Tell people."""
        tell = self.around.events.warning if is_warning else self.around.events.normal
        tell(self.pod, reason, message)

    # -- what it refers to -------------------------------------------------------------------

    @property
    def refers(self) -> bool:
        """Whether any ConfigMap or Secret has a part in it."""
        return bool(self._references)

    @property
    def about(self) -> Downward:
        """What its containers may learn of it."""
        return Downward(pod=self.pod, capacity=self.around.capacity)

    @property
    def lookup(self) -> Lookup:
        """How it finds what it refers to."""
        return self.around.sources.lookup(self.key[0])

    def changed(self, kind: SourceKind, namespace: str, name: str) -> None:
        """A ConfigMap or Secret changed, maybe one of its own."""
        if namespace == self.key[0] and (kind, name) in self._references:
            self.poke()

    def poke(self) -> None:
        """Whoever waits for a change looks again."""
        event, self.change = self.change, asyncio.Event()
        event.set()

    def fill(self) -> None:
        """Write all volumes as they are now; VolumeError."""
        for volume in self.spec.get("volumes") or ():
            if not volumes.is_filled(volume):
                self.files.place(volume)
                continue
            try:
                content = volumes.content(volume, self.about, self.lookup)
            except MissingError as error:
                raise VolumeError(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                ) from error
            self.files.fill(volume, content)


def _visible(devices: Sequence[int], base_env: Mapping[str, str]) -> dict[str, str]:
    """CUDA's own variable; a Pod that asks for no GPU sees what the platform sees.

    Devices are counted among those that the platform sees, which it may call anything.
    """
    if not devices:
        return {}
    ours = base_env.get(_CUDA, "")
    names = ours.split(",") if ours else []
    named = (names[device].strip() if names else str(device) for device in devices)
    return {_CUDA: ",".join(named)}
