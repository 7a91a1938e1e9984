"""One Pod's life on this machine: prepare, start, watch, start again, stop.

For: the sequence of steps between a Pod's appearance and its removal.
Must not know: which Pods exist beside it, or what the process answers.
"""

import asyncio
import hashlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from api.keys import ENDPOINT, START_TIMING
from api.kinds import PODS
from api.objects import Raw, rfc3339
from cluster.client import Client
from cluster.errors import ApiError, NotFoundError
from cluster.events import EventRecorder
from embedded.launching import (
    CommandLaunch,
    ContainerFate,
    PredictorLaunch,
    Refusal,
    backoff_s,
    launch_of,
    pod_status,
    running,
    terminated,
    waiting,
    with_model,
    with_port,
)
from embedded.modelstore import ModelError, ModelStore
from embedded.podlog import PodLog
from embedded.process import (
    Ended,
    News,
    ReplicaProcess,
    Said,
    Stop,
    free_port,
    listen,
    until_listening,
)
from embedded.room import limits_of
from embedded.turns import Turn, Turns
from embedded.zygote import Zygote

log = logging.getLogger(__name__)

_WRITE_RETRY_S = 0.5
_BESIDE_S = 0.01
_GRACE_S = 30.0  # Kubernetes' default for terminationGracePeriodSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every Pod's life needs of the machine."""

    client: Client
    zygote: Zygote
    models: ModelStore
    turns: Turns
    events: EventRecorder
    run_dir: Path
    work_dir: Path
    base_env: Mapping[str, str]
    clock: Callable[[], float]  # wall time, seconds since the epoch
    release: Callable[[str, str], Awaitable[None]]  # the activator lets go of a Pod


class PodLife:
    """Runs one Pod until it is stopped."""

    def __init__(
        self, pod: Raw, around: Surroundings, pod_log: PodLog, *, devices: Sequence[int] = ()
    ) -> None:
        """`devices` are the GPUs that are this Pod's own, by index."""
        self._pod = pod
        self._env = {**around.base_env, **_visible(devices)}
        self._around = around
        self._log = pod_log
        self._key: tuple[str, str] = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._listener: socket.socket | None = None
        self._turn: Turn | None = None
        self._starts = 0
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        # A Pod that already ran was lost with the platform's last life: this is a restart.
        self._restarts = sum(s["restartCount"] + ("running" in s["state"]) for s in statuses)
        self._last_state: dict[str, Any] = {}
        self._copy = ("", "")  # where the model is read from, and what its owner calls it

    def stop(self) -> None:
        """Ask the life to end; `run` returns when nothing of it is left."""
        self._stopping.set()
        self._news.put_nowait(Stop())

    async def run(self) -> None:
        """Live until stopped."""
        try:
            while not self._stopping.is_set():
                await self._live_once()
        finally:
            if self._listener is not None:
                self._listener.close()
                self._socket_path.unlink(missing_ok=True)

    @property
    def _socket_path(self) -> Path:
        # Short whatever the Pod's name: a socket's path has little room.
        name = hashlib.sha256(self._pod["metadata"]["uid"].encode()).hexdigest()[:12]
        return self._around.run_dir / f"{name}.sock"

    async def _live_once(self) -> None:
        """Start the process once and follow it to its end."""
        launch = launch_of(self._pod)
        if isinstance(launch, Refusal):
            self._around.events.warning(self._pod, launch.reason, launch.message)
            await self._report(waiting(launch.reason, launch.message))
            await self._stopping.wait()
            return
        news: asyncio.Queue[News] = asyncio.Queue()
        self._news = news
        self._starts += 1
        name = f"{self._pod['metadata']['uid']}/{self._starts}"
        process = ReplicaProcess(name, self._around.zygote, news, limits=limits_of(self._pod))
        self._turn = await self._around.turns.take()
        try:
            if not self._stopping.is_set():
                await self._run(process, launch, news)
        finally:
            self._turn.end()

    async def _run(
        self,
        process: ReplicaProcess,
        launch: PredictorLaunch | CommandLaunch,
        news: "asyncio.Queue[News]",
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            if isinstance(launch, CommandLaunch):
                port = await self._start_command(process, launch)
                probe = tasks.create_task(until_listening(port, news))
                ended = await self._follow(process, news)
                probe.cancel()
            else:
                is_started = await self._start_predictor(process, launch)
                ended = await self._follow(process, news) if is_started else None
        if ended is not None:
            message = self._log.failure or self._log.tail()
            state = terminated(ended.code, ended.signal, message, self._now())
            await self._failed(state, message)

    async def _start_predictor(self, process: ReplicaProcess, launch: PredictorLaunch) -> bool:
        args = launch.args
        try:
            if launch.model:
                path = await self._around.models.prepare(launch.model, launch.digest)
                args = with_model(args, path)
                self._copy = (path, launch.model)
            elif launch.code:
                await self._around.models.check(launch.code.rpartition(":")[0], launch.digest)
        except ModelError as error:
            await self._failed(terminated(1, None, str(error), self._now()), str(error))
            return False
        if self._listener is None:
            self._listener = listen(self._socket_path)
        request = {
            "kind": "predictor",
            "args": args,
            "env": {**self._env, **launch.env},
            "cwd": str(self._around.work_dir),
        }
        with self._log.open() as output:
            process.launch(request, (self._listener.fileno(), output.fileno()))
        await self._started(f"unix:{self._socket_path}")
        return True

    async def _start_command(self, process: ReplicaProcess, launch: CommandLaunch) -> int:
        port = free_port()
        launch = with_port(launch, port)
        request = {
            "kind": "exec",
            "argv": launch.argv,
            "env": {**self._env, **launch.env},
            "cwd": str(self._around.work_dir),
        }
        with self._log.open() as output:
            process.launch(request, (output.fileno(),))
        await self._started(f"tcp:127.0.0.1:{port}")
        return port

    async def _started(self, address: str) -> None:
        """Tell where it listens before anything else: requests may be waiting for that."""
        await self._write({"metadata": {"annotations": {ENDPOINT: address}}})

    async def _follow(self, process: ReplicaProcess, news: "asyncio.Queue[News]") -> Ended | None:
        """Report what becomes of the process: how it ended by itself, or None once stopped."""
        # The requests that wait for this replica go first, then what is told of it.
        await asyncio.sleep(_BESIDE_S)
        await self._report(running(self._now()))
        while True:
            match await news.get():
                case Stop():
                    await self._terminate(process, news)
                    return None
                case Said(facts) if facts.get("ready"):
                    await self._ready(facts)
                case Said(facts):
                    self._log.failure = self._in_their_words(str(facts.get("failed", "")))
                case Ended() as ended:
                    return ended

    def _in_their_words(self, message: str) -> str:
        """The same message about the user's own file, not about our copy of it."""
        ours, theirs = self._copy
        return message.replace(ours, theirs) if ours else message

    async def _ready(self, facts: Mapping[str, Any]) -> None:
        assert self._turn is not None
        self._turn.end()
        await self._report(running(self._now()), is_ready=True)
        timing = {name: facts[name] for name in ("fork_ms", "load_ms", "provider") if name in facts}
        if timing:
            text = orjson.dumps(timing).decode()
            await self._write({"metadata": {"annotations": {START_TIMING: text}}})
        self._around.events.normal(self._pod, "Started", "Started the replica")

    async def _failed(self, state: dict[str, Any], message: str) -> None:
        """Report an end that nobody asked for, and wait before the next start."""
        assert self._turn is not None
        self._turn.end()
        self._log.failure = ""
        self._restarts += 1
        self._last_state = state
        wait_s = backoff_s(self._restarts)
        self._around.events.warning(self._pod, "BackOff", message or "The replica ended")
        await self._report(waiting("CrashLoopBackOff", f"back-off {wait_s:.0f}s restarting"))
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            self._log.rotate()

    async def _terminate(self, process: ReplicaProcess, news: "asyncio.Queue[News]") -> None:
        """SIGTERM once no request runs there; SIGKILL when the grace period is over."""
        grace_s = float(self._pod["spec"].get("terminationGracePeriodSeconds", _GRACE_S))
        try:
            async with asyncio.timeout(max(1.0, grace_s)):
                await self._around.release(*self._key)
                process.signal(signal.SIGTERM)
                await _ended(news)
        except TimeoutError:
            log.warning("pod %s/%s outlived its grace period: killing it", *self._key)
            process.signal(signal.SIGKILL)
            await _ended(news)

    def _now(self) -> str:
        return rfc3339(self._around.clock())

    async def _report(self, state: Mapping[str, Any], *, is_ready: bool = False) -> None:
        fate = ContainerFate(
            state=state, last_state=self._last_state, restarts=self._restarts, is_ready=is_ready
        )
        await self._write(
            {"status": pod_status(self._pod, fate, now=self._now())}, subresource="status"
        )

    async def _write(self, patch: Mapping[str, Any], *, subresource: str = "") -> None:
        """Write until it holds: a status that is lost would never be written again."""
        while True:
            try:
                self._pod = await self._around.client.patch(
                    PODS, *self._key, patch, subresource=subresource
                )
            except NotFoundError:
                self.stop()
            except ApiError as error:
                log.warning("pod %s/%s: %s; trying again", *self._key, error)
                await asyncio.sleep(_WRITE_RETRY_S)
                if not self._stopping.is_set():
                    continue
            return


def _visible(devices: Sequence[int]) -> dict[str, str]:
    """CUDA's own variable; a Pod that asks for no GPU sees what the platform sees."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, devices))} if devices else {}


async def _ended(news: "asyncio.Queue[News]") -> None:
    while not isinstance(await news.get(), Ended):
        continue
