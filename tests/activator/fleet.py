"""Several real activators on loopback sockets, an API server between them, scripted replicas."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from activator.config import Settings
from activator.peers import PeerSettings
from activator.server import Activator
from api import keys, kinds
from api.stats import Stat
from tests.activator.world import Client, FakeCluster, Replica, eventually

SYSTEM = "relight-system"
_PEERS = {"join_s", "beat_s", "silence_s", "clock"}


class Cluster(FakeCluster):
    """One in which lists and watches heed namespace and labels: of activators, and of replicas."""

    async def list(self, resource: Any, namespace: Any = None, **more: Any) -> Any:
        found = await super().list(resource)
        found.items[:] = [each for each in found.items if _is_meant(each, namespace, more)]
        return found

    async def watch(self, resource: Any, namespace: Any = None, **more: Any) -> Any:
        async for event in super().watch(resource):
            if _is_meant(event.object, namespace, more):
                yield event

    def activator(self, name: str, port: int, host: str = "127.0.0.1", **meta: Any) -> None:
        metadata = {"namespace": SYSTEM, "labels": {"app.kubernetes.io/name": "activator"}, **meta}
        ports = [{"name": "peers", "containerPort": port}]
        self.put(
            kinds.PODS,
            name,
            metadata=metadata,
            spec={"containers": [{"image": "relight/activator", "ports": ports}]},
            status={"podIP": host, "phase": "Running"},
        )


def _is_meant(obj: dict[str, Any], namespace: Any, more: dict[str, Any]) -> bool:
    metadata = obj["metadata"]
    selector = more.get("label_selector", "")
    name, _, value = selector.partition("=")
    labels = metadata.get("labels") or {}
    if namespace and metadata["namespace"] != namespace:
        return False
    return not selector or (name in labels and labels[name] == (value or labels[name]))


def _only(said: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name in names}


def _but(said: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in names}


class Serving:
    """An activator that runs."""

    def __init__(self, activator: Activator, stats: list[Stat]) -> None:
        self.activator = activator
        self.stats = stats
        self.task: asyncio.Task[None] | None = None

    @property
    def ring(self) -> Any:
        assert self.activator.peers is not None
        return self.activator.peers.ring

    @property
    def now(self) -> Any:
        return self.activator.statistics().revisions["default/app-1"]

    def cut(self) -> None:
        """Every connection to a peer breaks."""
        assert self.activator.peers is not None
        for link in tuple(self.activator.peers._links.values()):
            link.end("a test cut it")

    async def kill(self) -> None:
        """As a process that is killed: its sockets are gone, and nobody was told."""
        assert self.activator.peers is not None
        self.cut()
        assert self.task is not None
        for member in tuple(self.activator._roster._members):
            member.transport.abort()  # type: ignore[attr-defined] # of sockets
        self.task.cancel()
        await asyncio.wait([self.task])


class Fleet:
    def __init__(self, folder: Path, group: asyncio.TaskGroup, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.group = group
        self.settings = settings
        self.cluster = Cluster()
        self.serving: dict[str, Serving] = {}
        self.replicas: dict[str, Replica] = {}
        self.clients: list[Client] = []

    async def start(self, name: str, **ours: Any) -> Serving:
        stats: list[Stat] = []
        said = self.settings | ours
        activator = Activator(
            self.cluster,  # type: ignore[arg-type] # it only reads
            Settings(**{"port": 0, "reporter": name, **_but(said, _PEERS)}),
            report=stats.extend,
            rng=random.Random(name),
            peers=PeerSettings(
                name=name, namespace=SYSTEM, host="127.0.0.1", port=0, **_only(said, _PEERS)
            ),
        )
        serving = self.serving[name] = Serving(activator, stats)
        serving.task = self.group.create_task(activator.run())
        peers = activator.peers
        assert peers is not None
        await eventually(lambda: peers.address[1] > 0)
        self.cluster.activator(name, peers.address[1])
        await peers.joined()
        await activator.started()
        return serving

    async def agreed(self) -> None:
        """All see one another, and wait for nobody."""
        names = sorted(self.serving)
        rings = [each.ring for each in self.serving.values()]
        await eventually(
            lambda: all(
                ring.eligible == names and not ring._unsettled() and not ring._opening
                for ring in rings
            )
        )

    def revision(self, name: str = "app-1", **spec: Any) -> None:
        self.cluster.put(
            kinds.REVISIONS,
            name,
            metadata={"labels": {keys.SERVICE: "app"}, "annotations": {}},
            spec={"timeoutSeconds": 10, **spec},
            status={"conditions": []},
        )
        self.cluster.put(
            kinds.ROUTES,
            "app",
            metadata={"labels": {}},
            status={"traffic": [{"revisionName": name, "percent": 100}]},
        )

    async def replica(self, name: str, revision: str = "app-1") -> Replica:
        replica = self.replicas[name] = Replica(self.folder / name)
        await replica.start()
        annotations = {keys.ENDPOINT: f"unix:{self.folder / name}"}
        self.cluster.put(
            kinds.PODS,
            name,
            metadata={"labels": {keys.REVISION: revision}, "annotations": annotations},
            spec={"containers": [{"image": "relight/predictor"}]},
        )
        return replica

    async def known(self, replicas: int) -> None:
        """Every activator has the Revision and its replicas."""
        await eventually(
            lambda: all(
                "default/app-1" in each.activator.statistics().revisions
                and each.now.ready_replicas == replicas
                for each in self.serving.values()
            )
        )

    @property
    def owner(self) -> str:
        (key,) = [key for key in self.any.ring._subjects if key.name == "app-1"]
        return str(self.any.ring._subjects[key].queue.owner)

    @property
    def waiting(self) -> int:
        """Requests in the owner's queue, whoever's they are."""
        (subject,) = self.serving[self.owner].ring._subjects.values()
        return len(subject.queue._queue)

    @property
    def any(self) -> Serving:
        return next(iter(self.serving.values()))

    async def connect(self, name: str) -> Client:
        address = self.serving[name].activator.address
        self.clients.append(Client(*await asyncio.open_connection(*address)))
        return self.clients[-1]


@asynccontextmanager
async def fleet(*names: str, **settings: Any) -> AsyncIterator[Fleet]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        async with asyncio.TaskGroup() as group:
            it = Fleet(folder, group, settings)
            try:
                for name in names:
                    await it.start(name)
                await it.agreed()
                yield it
            finally:
                for client in it.clients:
                    client.leave()
                for replica in it.replicas.values():
                    await replica.stop()
                for serving in it.serving.values():
                    assert serving.task is not None
                    serving.task.cancel()
    finally:
        shutil.rmtree(folder)
