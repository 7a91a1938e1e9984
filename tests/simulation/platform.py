"""The production platform, its parts started and killed by name.

For: wiring as `embedded/up.py` does it, but so that each part can die alone.
Must not know: what is tested with it.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from activator.config import Settings as ActivatorSettings
from activator.server import Activator
from api import keys
from api.model_reports import MODEL_MISSING
from api.objects import Raw
from autoscaler.config import Settings as AutoscalerSettings
from autoscaler.server import Autoscaler
from cluster.events import EventRecorder
from controller.config import Settings as ControllerSettings
from controller.pinning import Digest, Problem, serving_container
from controller.server import Controller
from embedded.deployments import DeploymentController
from embedded.freezing import Freezer
from embedded.frozen import Bounds, Memory
from embedded.kubelet import Kubelet
from embedded.residence import Surroundings
from embedded.room import Room
from embedded.sources import Sources
from embedded.turns import Turns
from tests.simulation.faults import FaultyClient, Weather
from tests.simulation.network import Listener
from tests.simulation.replicas import Log, Machine, Process
from tests.simulation.server import SwitchedServer
from tests.simulation.throttling import WatchedThrottler
from tests.simulation.trace import Trace

HOST, PORT = "127.0.0.1", 8080
ADDRESS = f"{HOST}:{PORT}"
DOMAIN = "localhost"
_PLENTY = Memory(total_bytes=16 << 30, available_bytes=12 << 30)
PARTS = ("deployments", "kubelet", "autoscaler", "activator", "controller")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What differs from seed to seed."""

    queue_depth_max: int
    pods_max: int
    frozen_max: int = 4


@dataclass(slots=True)
class _Part:
    client: FaultyClient
    task: "asyncio.Task[None]"
    object: Any
    since_s: float
    died: asyncio.Event = field(default_factory=asyncio.Event)


class Platform:
    """Everything but users, clients and weather."""

    def __init__(
        self,
        server: SwitchedServer,
        machine: Machine,
        weather: Weather,
        trace: Trace,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        sizes: Sizes,
    ) -> None:
        self.server = server
        self.machine = machine
        self._weather = weather
        self._trace = trace
        self._clock = clock
        self._rng = rng
        self._sizes = sizes
        self._parts: dict[str, _Part] = {}
        self._group: asyncio.TaskGroup | None = None
        self.activator_settings = ActivatorSettings(
            host=HOST,
            port=PORT,
            domain=DOMAIN,
            queue_depth_max=sizes.queue_depth_max,
            deadline_grain_s=0.2,
        )

    async def run(self) -> None:
        """Start every part, and keep them until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for name in PARTS:
                self.start(name)
            await asyncio.Event().wait()

    def start(self, name: str) -> None:
        assert self._group is not None
        assert name not in self._parts
        rng = random.Random(self._rng.getrandbits(64))
        client = FaultyClient(self.server, self._weather, rng, user=name)
        part, runs = getattr(self, f"_{name}")(client, rng)
        task = self._group.create_task(self._guard(name, runs))
        self._parts[name] = _Part(client, task, part, asyncio.get_running_loop().time())
        self._trace.note(f"start {name}")

    async def kill(self, *names: str) -> None:
        """They write nothing more, and what they knew is gone."""
        parts = [self._parts.pop(name) for name in names]
        self._trace.note(f"kill {', '.join(names)}")
        for part in parts:
            part.client.cut_off()
        if "activator" in names:  # every connection there is begins or ends at it
            loop: Any = asyncio.get_running_loop()
            loop.network.kill_connections()
        if "kubelet" in names:
            self.machine.kill_all()
        for part in parts:
            part.died.set()
            part.task.cancel()
        for part in parts:
            await asyncio.wait([part.task])

    def up_since_s(self, name: str) -> float | None:
        """None while it is down."""
        part = self._parts.get(name)
        return None if part is None else part.since_s

    @property
    def activator(self) -> Activator | None:
        part = self._parts.get("activator")
        return None if part is None else part.object

    # -- parts ----------------------------------------------------------------------------------

    def _controller(self, client: FaultyClient, rng: random.Random) -> tuple[Any, Any]:
        async def resolve(revision: Raw) -> Digest | Problem:
            await asyncio.sleep(rng.choice((0.0, 0.01, 0.2)))
            words = list(serving_container(revision)["args"])
            model = self.machine.models[words[words.index("--model") + 1]]
            if model.fate == "missing":
                return Problem(reason=MODEL_MISSING, message=model.message)
            return Digest(text="sha256:" + "5" * 64)

        controller = Controller(
            client,
            ControllerSettings(domain=DOMAIN, external_port=PORT),
            clock=self._clock,
            resolve_digest=resolve,
        )
        return controller, controller.run()

    def _autoscaler(self, client: FaultyClient, _rng: random.Random) -> tuple[Any, Any]:
        autoscaler = Autoscaler(client, AutoscalerSettings(), clock=self._clock)
        return autoscaler, autoscaler.run()

    def _activator(self, client: FaultyClient, rng: random.Random) -> tuple[Any, Any]:
        activator = Activator(client, self.activator_settings, report=self._report, rng=rng)
        return activator, activator.run()

    def _deployments(self, client: FaultyClient, rng: random.Random) -> tuple[Any, Any]:
        events = EventRecorder(client, "deployments", clock=self._clock)
        controller = DeploymentController(client, events=events, rng=rng, clock=self._clock)
        return controller, _together(events.run(), controller.run())

    def _kubelet(self, client: FaultyClient, _rng: random.Random) -> tuple[Any, Any]:
        events = EventRecorder(client, "kubelet", clock=self._clock)
        machine: Any = self.machine
        around = Surroundings(
            client=client,
            zygote=machine,
            models=machine,
            turns=Turns(at_once_max=4, longest_s=1.0),
            events=events,
            sources=Sources(client),
            run_dir=Path("/simulated/run"),
            work_dir=Path("/simulated/work"),
            base_env={},
            clock=self._clock,
            release=self._release,
            freezer=Freezer(
                client,
                Bounds(replicas_max=self._sizes.frozen_max),
                clock=self._clock,
                read_memory=lambda: _PLENTY,
                size_of=_size_of,
            ),
        )
        room = Room(pods_max=self._sizes.pods_max, capacity={})
        kubelet = Kubelet(around, pods_dir=Path("/simulated/pods"), room=room)
        return kubelet, _together(events.run(), kubelet.run())

    def _report(self, stats: Any) -> None:
        part = self._parts.get("autoscaler")
        if part is not None:
            part.object.receive(stats)

    async def _release(self, namespace: str, pod: str) -> None:
        """The activator's hook, as long as the activator lives."""
        part = self._parts.get("activator")
        if part is None:
            return
        async with asyncio.TaskGroup() as tasks:
            died = tasks.create_task(_until(part.died))
            release = tasks.create_task(part.object.release(namespace, pod))
            await asyncio.wait([died, release], return_when=asyncio.FIRST_COMPLETED)
            died.cancel()
            release.cancel()

    async def _guard(self, name: str, runs: Coroutine[Any, Any, None]) -> None:
        try:
            await runs
        except Exception as error:  # noqa: BLE001 - told as a violation, which ends the run
            self._trace.violate(f"the {name} crashed: {_innermost(error)!r}")
        else:
            self._trace.violate(f"the {name} ended by itself")


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _together(*runs: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for each in runs:
            tasks.create_task(each)


def _listen(path: Path) -> Listener:
    loop: Any = asyncio.get_running_loop()
    found: Listener = loop.network.listen(str(path))
    return found


def _move(path: Path, target: Path) -> None:
    loop: Any = asyncio.get_running_loop()
    loop.network.move(str(path), str(target))


async def _size_of(_pid: int) -> int | None:
    await asyncio.sleep(0.001)
    return 1 << 20


def _free_port() -> int:
    loop: Any = asyncio.get_running_loop()
    return int(loop.network.free_port())


@contextmanager
def simulated_machine() -> Iterator[None]:
    """Under this the kubelet's processes, sockets and logs are simulated ones."""
    with (
        patch("embedded.containerlife.ReplicaProcess", Process),
        patch("embedded.containerlife.listen", _listen),
        patch("embedded.resting.move", _move),
        patch("embedded.residence.free_port", _free_port),
        patch("embedded.kubelet.PodLog", Log),
        patch("activator.holding.Throttler", WatchedThrottler),
    ):
        yield


def terms_of(revision: Raw) -> tuple[int, float]:
    """Container concurrency and timeout of a Revision."""
    spec = revision["spec"]
    return int(spec.get("containerConcurrency") or 0), float(spec["timeoutSeconds"])


def annotation(revision: Raw, key: str, default: int) -> int:
    return int((revision["metadata"].get("annotations") or {}).get(key, default))


def bounds_of(revision: Raw) -> tuple[int, int]:
    """Min and max scale; max 0 is unlimited."""
    return annotation(revision, keys.MIN_SCALE, 0), annotation(revision, keys.MAX_SCALE, 0)
