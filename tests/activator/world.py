"""An activator with a small API server and scripted replicas around it, on real sockets."""

import asyncio
import json
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from activator.config import Settings
from activator.server import Activator
from api import keys, kinds
from api.kinds import Resource
from api.stats import Stat
from cluster.client import ObjectList, WatchEvent
from cluster.errors import NotFoundError

HOST = "app.default.localhost"


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


class FakeCluster:
    """Objects and watches: what the activator uses of a `cluster.client.Client`."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Resource, str, str], dict[str, Any]] = {}
        self.version = 0
        self.watches: list[tuple[Resource, asyncio.Queue[WatchEvent]]] = []
        self.absent: set[Resource] = set()  # kinds that are not served

    def put(self, resource: Resource, name: str, **parts: Any) -> None:
        self.version += 1
        metadata = {"name": name, "namespace": "default", "uid": name}
        metadata |= parts.pop("metadata", {})
        metadata["resourceVersion"] = str(self.version)
        raw = {"metadata": metadata, **parts}
        kind = "MODIFIED" if (resource, "default", name) in self.objects else "ADDED"
        self.objects[resource, "default", name] = raw
        self._tell(resource, kind, raw)

    def remove(self, resource: Resource, name: str) -> None:
        self.version += 1
        raw = self.objects.pop((resource, "default", name))
        metadata = {**raw["metadata"], "resourceVersion": str(self.version)}
        self._tell(resource, "DELETED", {**raw, "metadata": metadata})

    def _tell(self, resource: Resource, kind: Any, raw: dict[str, Any]) -> None:
        for watched, queue in self.watches:
            if watched == resource:
                queue.put_nowait(WatchEvent(type=kind, object=raw))

    async def list(self, resource: Resource, *_: object, **__: object) -> ObjectList:
        if resource in self.absent:
            raise NotFoundError("the server could not find the requested resource")
        items = [raw for (kind, _, _), raw in self.objects.items() if kind == resource]
        return ObjectList(items=items, resource_version=str(self.version))

    async def watch(
        self, resource: Resource, *_: object, **__: object
    ) -> AsyncIterator[WatchEvent]:
        queue: asyncio.Queue[WatchEvent] = asyncio.Queue()
        self.watches.append((resource, queue))
        while True:
            yield await queue.get()


class Call:
    """One request as a replica received it."""

    def __init__(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.body = body
        self.writer = writer

    @property
    def path(self) -> bytes:
        return self.head.split(b" ")[1]

    def header(self, name: str) -> str | None:
        for line in self.head.decode().split("\r\n")[1:]:
            if line.lower().startswith(name + ":"):
                return line.partition(":")[2].strip()
        return None

    def answer(self, body: bytes = b"done", *, status: str = "200 OK", headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    def die(self) -> None:
        self.writer.transport.abort()


class Replica:
    """A server on a Unix socket. Probes are answered by `ready`; other calls wait in `calls`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[Call] = []
        self.probes = 0
        self.ready: int | None = 200  # None: the probe is left unanswered
        self.auto = True  # answer at once
        self.running = 0
        self.running_max = 0
        self.connections: set[asyncio.StreamWriter] = set()
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        """As a process that ends: nothing listens, everything open breaks."""
        if self.server is not None:
            self.server.close()
            self.server = None
        for writer in tuple(self.connections):
            writer.transport.abort()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.connections.discard(writer)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        call = Call(head, b"", writer)
        if call.header("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                call.body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            call.body = await reader.readexactly(int(call.header("content-length") or 0))
        if call.path == b"/v2/health/ready":
            self.probes += 1
            await eventually(lambda: self.ready is not None)
            call.answer(b"", status=f"{self.ready} Whatever")
            return
        self.calls.append(call)
        if self.auto:
            call.answer(call.path + b" " + call.body)


class World:
    """The activator, its cluster, its replicas, and what it reported."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.cluster = FakeCluster()
        self.stats: list[Stat] = []
        self.replicas: dict[str, Replica] = {}
        self.clients: list[Client] = []
        self.activator = Activator(
            self.cluster,  # type: ignore[arg-type] # it only reads
            Settings(**{"port": 0, **settings}),
            report=self.stats.extend,
            rng=random.Random(1),
        )

    @property
    def pokes(self) -> list[int]:
        return [stat.queued for stat in self.stats if stat.is_poke]

    def revision(
        self,
        name: str = "app-1",
        *,
        conditions: Any = (),
        annotations: Any = None,
        service: str = "app",
        **spec: Any,
    ) -> None:
        self.cluster.put(
            kinds.REVISIONS,
            name,
            metadata={"labels": {keys.SERVICE: service}, "annotations": annotations or {}},
            spec={"timeoutSeconds": 10, **spec},
            status={"conditions": list(conditions)},
        )

    def route(
        self,
        *shares: tuple[str, int],
        name: str = "app",
        tag: str = "",
        labels: dict[str, str] | None = None,
    ) -> None:
        traffic = [
            {"revisionName": revision, "percent": percent, "tag": tag}
            for revision, percent in shares
        ]
        self.cluster.put(
            kinds.ROUTES, name, metadata={"labels": labels or {}}, status={"traffic": traffic}
        )

    def pod(
        self,
        name: str,
        revision: str = "app-1",
        *,
        image: str = "relight/predictor",
        containers: Any = None,
        **meta: Any,
    ) -> None:
        """A Pod whose endpoint is the socket of the replica of that name."""
        annotations = {keys.ENDPOINT: f"unix:{self.folder / name}"}
        self.cluster.put(
            kinds.PODS,
            name,
            metadata={"labels": {keys.REVISION: revision}, "annotations": annotations, **meta},
            spec={"containers": containers or [{"image": image}]},
        )

    async def replica(self, name: str = "p1", revision: str = "app-1", **more: Any) -> Replica:
        """A Pod with a replica that listens."""
        replica = self.replicas[name] = Replica(self.folder / name)
        await replica.start()
        self.pod(name, revision, **more)
        return replica

    async def ready(self, count: int = 1, revision: str = "default/app-1") -> None:
        await eventually(
            lambda: self.activator.statistics().revisions[revision].ready_replicas == count
        )

    def now(self, revision: str = "default/app-1") -> Any:
        return self.activator.statistics().revisions[revision]

    async def connect(self) -> "Client":
        self.clients.append(Client(*await asyncio.open_connection(*self.activator.address)))
        return self.clients[-1]


class Client:
    """A raw HTTP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(
        self, path: str = "/x", *, body: bytes = b"", host: str = HOST, headers: str = ""
    ) -> None:
        method = "POST" if body else "GET"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{headers}\r\n"
        self.writer.write(head.encode() + body)

    async def answer(self) -> "Answer":
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        found = Answer(head)
        if found.headers.get("transfer-encoding") == "chunked":
            while size := int(await asyncio.wait_for(self.reader.readline(), 10), 16):
                found.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        elif "content-length" in found.headers:
            size = int(found.headers["content-length"])
            found.body = await asyncio.wait_for(self.reader.readexactly(size), 10)
        return found

    async def call(self, path: str = "/x", **more: Any) -> "Answer":
        self.send(path, **more)
        return await self.answer()

    def leave(self) -> None:
        self.writer.transport.abort()


class Answer:
    def __init__(self, head: bytes) -> None:
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.lines = lines[1:-2]
        self.headers = {
            line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in self.lines
        }
        self.body = b""

    @property
    def reason(self) -> str:
        return json.loads(self.body)["reason"]


@asynccontextmanager
async def world(*, absent: set[Resource] | None = None, **settings: Any) -> AsyncIterator[World]:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    it = World(folder, settings)
    it.cluster.absent = absent or set()
    tasks = asyncio.TaskGroup()
    try:
        async with tasks as group:
            run = group.create_task(it.activator.run())
            await it.activator.started()
            try:
                yield it
            finally:
                for client in it.clients:
                    client.leave()
                for replica in it.replicas.values():
                    await replica.stop()
                run.cancel()
        await eventually(lambda: not it.activator.statistics().connections)
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[World, Replica, Client]]:
    """A Service with one ready replica, and a client."""
    async with world(**settings) as it:
        it.revision()
        it.route(("app-1", 100))
        replica = await it.replica()
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        await it.ready()
        client = await it.connect()
        yield it, replica, client
