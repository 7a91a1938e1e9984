"""A machine for tests: API server, zygote, kubelet and Deployment controller, without the rest."""

import asyncio
import contextlib
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.kinds import DEPLOYMENTS, PODS
from cluster.direct import DirectClient
from cluster.events import EventRecorder
from embedded.apiserver import ApiServer
from embedded.capabilities import Machine as Abilities
from embedded.config import inherited_environment, machine_capacity, owner
from embedded.deployments import DeploymentController
from embedded.freezing import Freezer
from embedded.frozen import Bounds, Memory
from embedded.kubelet import Kubelet
from embedded.libraries import LibraryZygotes
from embedded.memory import read as read_memory
from embedded.modelstore import ModelStore
from embedded.residence import Surroundings
from embedded.room import Room
from embedded.sources import Sources
from embedded.store import Store
from embedded.templates import Templates
from embedded.turns import Turns
from embedded.zygote import Zygote

ROOT = Path(__file__).parent.parent.parent
FAHRENHEIT = ROOT / "examples/models/fahrenheit.onnx"
DEADLINE_S = 20.0
IS_ROOT = os.geteuid() == 0


@dataclass
class Machine:
    folder: Path
    client: DirectClient
    kubelet: Kubelet
    zygote: Zygote
    released: list[str] = field(default_factory=list)
    freezer: Freezer | None = None
    templates: Templates | None = None
    libraries: LibraryZygotes | None = None

    async def create_pod(self, name: str, **container: Any) -> dict[str, Any]:
        return await self.client.create(PODS, pod(name, **container))

    async def pod(self, name: str) -> dict[str, Any]:
        return await self.client.get(PODS, "default", name)

    async def pods(self) -> list[dict[str, Any]]:
        return (await self.client.list(PODS, "default")).items

    async def until(self, condition: Callable[[], Any], what: str = "it") -> None:
        """Wait until an awaitable condition holds."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not await condition():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{what} never came true: {await self._state()}") from None

    async def _state(self) -> str:
        pods = {each["metadata"]["name"]: each.get("status") for each in await self.pods()}
        logs = {path.name: path.read_text()[-500:] for path in self.folder.glob("pods/*.log")}
        return f"{pods} {logs}"

    async def until_ready(self, name: str) -> dict[str, Any]:
        await self.until(lambda: self._is_ready(name))
        return await self.pod(name)

    async def _is_ready(self, name: str) -> bool:
        return container_status(await self.pod(name)).get("ready", False)

    async def _connected(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A program is ready when it runs, which may be before it listens."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    return await asyncio.open_connection(host, port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.005)

    async def ask(self, name: str, path: str = "/v2/health/ready") -> bytes:
        """One request to a Pod, on the address the kubelet wrote on it, once it listens."""
        endpoint = (await self.pod(name))["metadata"]["annotations"]["relight.dev/endpoint"]
        scheme, _, address = endpoint.partition(":")
        if scheme == "unix":
            reader, writer = await asyncio.open_unix_connection(address)
        else:
            host, _, port = address.partition(":")
            reader, writer = await self._connected(host, int(port))
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        async with asyncio.timeout(DEADLINE_S):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


def pod(name: str, **container: Any) -> dict[str, Any]:
    annotations, labels = container.pop("annotations", {}), container.pop("labels", {})
    spec = container.pop("spec", {})
    made = {
        "name": "user-container",
        "image": "relight/predictor",
        "args": ["--model", str(FAHRENHEIT), "--model-name", "m"],
        **container,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations}
        | ({"labels": labels} if labels else {}),
        "spec": {"containers": [made], **spec},
        "status": {"phase": "Pending"},
    }


def container_status(found: dict[str, Any]) -> dict[str, Any]:
    statuses = (found.get("status") or {}).get("containerStatuses") or [{}]
    return dict(statuses[0])


@contextlib.asynccontextmanager
async def running(
    *,
    max_pods: int = 10,
    spares: int = 1,
    strays: Sequence[str] = (),
    machine: Abilities | None = None,
    bounds: Bounds | None = None,
    memory: Callable[[], Memory] = read_memory,
    ahead: Sequence[str] = (),
) -> AsyncIterator[Machine]:
    """`strays` are uids of Pods that left their logs behind; `machine` what it can do.

    `bounds` of what may be frozen; nothing is without. `ahead` are sets of libraries.
    """
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        folder = Path(name)
        for part in ("run", "pods", "models"):
            (folder / part).mkdir()
        for uid in strays:
            (folder / "pods" / uid / "c").mkdir(parents=True)
            (folder / "pods" / f"{uid}.c.log").write_bytes(b"gone")
        store = Store(folder / "db")
        client = DirectClient(ApiServer(store, clock=time.time, rng=random.Random(1)))
        zygote = Zygote(env=inherited_environment(), spares=spares)
        await zygote.start()
        released: list[str] = []

        async def release(namespace: str, pod_name: str) -> None:
            released.append(pod_name)

        events = EventRecorder(client, "kubelet", clock=time.time)
        freezer = None
        if bounds is not None:
            freezer = Freezer(client, bounds, clock=time.time, read_memory=memory)
        templates = Templates(zygote, events)
        libraries = LibraryZygotes(zygote, sets_max=2, ahead=ahead)
        around = Surroundings(
            client=client,
            zygote=zygote,
            models=ModelStore(folder / "models", model_root=ROOT),
            turns=Turns(at_once_max=4, longest_s=5.0),
            events=events,
            sources=Sources(client),
            machine=lambda: machine or Abilities(owner=owner()),
            run_dir=folder / "run",
            work_dir=ROOT,
            base_env=inherited_environment(),
            clock=time.time,
            release=release,
            freezer=freezer,
            templates=templates,
            libraries=libraries,
        )
        room = Room(pods_max=max_pods, capacity=machine_capacity(folder))
        kubelet = Kubelet(around, pods_dir=folder / "pods", room=room)
        deployments = DeploymentController(
            client, events=events, rng=random.Random(2), clock=time.time
        )
        async with asyncio.TaskGroup() as tasks:
            parts = [
                tasks.create_task(part)
                for part in (
                    events.run(),
                    deployments.run(),
                    zygote.wait(),
                    templates.run(),
                    libraries.run(),
                )
            ]
            running_kubelet = tasks.create_task(kubelet.run())
            yield Machine(folder, client, kubelet, zygote, released, freezer, templates, libraries)
            kubelet.stop()
            await asyncio.wait([running_kubelet], timeout=DEADLINE_S)
            assert running_kubelet.done(), "a life did not end"
            await zygote.stop()
            for part in parts:
                part.cancel()
        store.close()


def deployment(replicas: int, **container: Any) -> dict[str, Any]:
    template = pod("ignored", **container)
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": template["spec"]},
        },
    }
