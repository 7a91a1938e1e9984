"""One container's life on this machine: start, watch, probe, start again, stop.

For: the sequence of steps between a container's first start and its end.
Must not know: which containers stand beside it, or what its volumes hold.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from api.keys import START_TIMING
from api.objects import Raw
from embedded import fetchedmodels, probation
from embedded.containerplan import ContainerPlan, Start
from embedded.environment import MissingError
from embedded.launching import CommandLaunch, PredictorLaunch, Refusal, backoff_s
from embedded.modelstore import ModelError
from embedded.mounts import MountError
from embedded.podfiles import VolumeError
from embedded.podlog import PodLog
from embedded.podstatus import ContainerFate, running, terminated, waiting
from embedded.probers import Prober
from embedded.process import (
    Condemned,
    Ended,
    News,
    Probed,
    ReplicaProcess,
    Said,
    Stop,
    listen,
    until_listening,
)
from embedded.residence import Residence
from embedded.resting import Resting
from embedded.room import limits_of, requested_bytes
from embedded.turns import Turn

log = logging.getLogger(__name__)

_BESIDE_S = 0.01
_TIMINGS = ("fork_ms", "load_ms", "resumed_ms", "provider", "prepared")
_GRACE_S = 30.0  # Kubernetes' default for terminationGracePeriodSeconds


class ContainerLife:
    """Runs one container until it is stopped, or for good ended."""

    def __init__(
        self, container: Raw, home: Residence, pod_log: PodLog, *, is_init: bool = False
    ) -> None:
        """`is_init`: it runs once, to its end, before the Pod's containers."""
        self._plan = ContainerPlan(container, home, is_init=is_init)
        self._name = str(container["name"])
        self._home = home
        self._around = home.around
        self._log = pod_log
        self._is_init = is_init
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._listener: socket.socket | None = None
        freezer = home.around.freezer
        self._resting = Resting(self._plan, home, freezer) if freezer and not is_init else None
        self._is_resumed = False
        self._turn: Turn | None = None
        self._starts = 0
        self._attempts = 0  # of exec probes
        status = home.pod.get("status") or {}
        told = status.get("initContainerStatuses" if is_init else "containerStatuses") or ()
        # A Pod that already ran was lost with the platform's last life: this is a restart.
        self._restarts = sum(
            s["restartCount"] + ("running" in s["state"]) for s in told if s["name"] == self._name
        )
        self._last_state: dict[str, Any] = {}
        self._has_said_ready = False
        self._probed = Probed(is_ready=True, is_started=True)
        self._started_at = ""

    def stop(self) -> None:
        """Ask the life to end; `run` returns when nothing of it is left."""
        self._stopping.set()
        self._news.put_nowait(Stop())
        self._home.poke()

    async def run(self) -> bool:
        """Live until stopped or for good ended; whether it ended well."""
        try:
            while not self._stopping.is_set():
                ended = await self._live_once()
                if ended is None:
                    return False
                if self._is_resumed and not self._has_said_ready:
                    continue  # it did not survive the frost: another is started at once
                if self._is_last(ended["terminated"]["exitCode"]):
                    await self._report(ended)
                    return bool(ended["terminated"]["exitCode"] == 0)
                await self._back_off(ended)
        finally:
            if self._listener is not None:
                self._listener.close()
                self._socket_path.unlink(missing_ok=True)
        return False

    def _is_last(self, code: int) -> bool:
        policy = self._home.spec.get("restartPolicy") or "Always"
        if self._is_init or policy == "OnFailure":
            return code == 0 or policy == "Never"
        return policy == "Never"

    @property
    def _socket_path(self) -> Path:
        return self._home.socket_path(self._name)

    # -- one run -----------------------------------------------------------------------------

    async def _live_once(self) -> dict[str, Any] | None:
        """Start the process once and follow it to its end; None once stopped."""
        start = await self._prepared()
        if start is None:
            return None
        around = (self._plan.container, self._home, self._report, self._stopping)
        if (failed := await fetchedmodels.missed(start.launch, *around)) is not None:
            return failed
        news: asyncio.Queue[News] = asyncio.Queue()
        self._news = news
        self._starts += 1
        self._has_said_ready = False
        process = await self._resumed(start, news)
        if process is not None:
            return await self._run(process, start, news)
        name = f"{self._home.uid}/{self._name}/{self._starts}"
        limits = limits_of(self._plan.container)
        process = ReplicaProcess(name, self._around.zygote, news, limits=limits)
        self._turn = await self._around.turns.take()
        try:
            if self._stopping.is_set():
                return None
            if self._around.freezer is not None:
                self._around.freezer.make_way(requested_bytes(self._plan.container))
            return await self._run(process, start, news)
        finally:
            self._turn.end()

    async def _resumed(self, start: Start, news: "asyncio.Queue[News]") -> ReplicaProcess | None:
        """A frozen process that is what this one would be, running again for this Pod."""
        self._is_resumed = False
        if self._resting is None or self._listener is not None:
            return None
        parked = await self._resting.resumed(start, news, self._log, self._socket_path)
        if parked is None:
            return None
        self._is_resumed, self._listener = True, parked.listener
        return parked.process

    async def _prepared(self) -> Start | None:
        """What to start, once all it refers to is there; None once stopped."""
        while not self._stopping.is_set():
            change = self._home.change
            try:
                start = self._plan.next()
            except (MissingError, MountError, VolumeError) as error:
                self._home.event("Failed", f"Error: {error}", is_warning=True)
                await self._report(waiting("CreateContainerConfigError", str(error)))
                await change.wait()
                continue
            if not isinstance(start, Refusal):
                return start
            self._home.event(start.reason, start.message, is_warning=True)
            await self._report(waiting(start.reason, start.message))
            await self._stopping.wait()
        return None

    async def _run(
        self, process: ReplicaProcess, start: Start, news: "asyncio.Queue[News]"
    ) -> dict[str, Any] | None:
        ended: Ended | None = None
        self._log.failure = ""
        plan = self._plan
        if isinstance(start.launch, CommandLaunch):
            address = f"tcp:127.0.0.1:{start.port}"
            self._launch(process, plan.request(start, start.launch.argv), ())
        else:
            address = f"unix:{self._socket_path}"
            if not self._is_resumed:
                failed = await self._start_predictor(process, start.launch, start.confinement)
                if failed is not None:
                    return failed
        if plan.is_serving:
            await self._home.announce(address)
        async with asyncio.TaskGroup() as tasks:
            beside: list[asyncio.Task[None]] = []
            if isinstance(start.launch, CommandLaunch):
                if plan.is_ready_when_listening:
                    beside.append(tasks.create_task(until_listening(start.port, news)))
                else:
                    self._has_said_ready = not self._is_init
            probes = plan.probes()
            kinds = {probe.kind for probe in probes}
            self._probed = Probed(
                is_ready=not kinds & {"startup", "readiness"}, is_started="startup" not in kinds
            )
            if self._is_resumed and self._resting is not None:
                beside.append(tasks.create_task(self._resting.hurry(process)))
            if probes:
                prober = Prober(
                    plan.container,
                    address,
                    execute=partial(self._execute, start),
                    output=plan.folder / "probe.out",
                )
                beside.append(tasks.create_task(probation.run(prober, probes, news, self._home)))
            try:
                ended = await self._follow(process, news)
            finally:
                for task in beside:
                    task.cancel()
        return None if ended is None else self._end(ended)

    def _launch(
        self, process: ReplicaProcess, request: Mapping[str, Any], fds: tuple[int, ...]
    ) -> None:
        with self._log.open() as output:
            process.launch(request, (*fds, output.fileno()))

    async def _start_predictor(
        self, process: ReplicaProcess, launch: PredictorLaunch, confinement: str
    ) -> dict[str, Any] | None:
        """The state it ended in, where it could not even start."""
        try:
            request = await self._plan.predictor_request(launch, confinement)
        except (ModelError, MountError, VolumeError) as error:
            return terminated(1, None, str(error), self._home.now())
        if self._resting is not None:
            self._resting.made_of(request)
        process.born_of(await self._plan.parent(launch, request))
        if self._listener is None:
            self._listener = listen(self._socket_path)
        self._launch(process, request, (self._listener.fileno(),))
        return None

    # -- while it runs -----------------------------------------------------------------------

    async def _follow(self, process: ReplicaProcess, news: "asyncio.Queue[News]") -> Ended | None:
        """Report what becomes of the process: how it ended by itself, or None once stopped."""
        # The requests that wait for this replica go first, then what is told of it.
        await asyncio.sleep(_BESIDE_S)
        self._started_at = self._home.now()
        await self._report_running()
        if self._has_said_ready:
            self._end_turn()
        while True:
            match await news.get():
                case Stop():
                    await self._terminate(process, news)
                    return None
                case Said(facts) if facts.get("ready"):
                    await self._ready(facts)
                case Said(facts):
                    self._log.failure = self._plan.in_their_words(str(facts.get("failed", "")))
                case Probed() as probed:
                    self._probed = probed
                    await self._report_running()
                case Condemned(kind, grace_s):
                    words = f"Container {self._name} failed {kind} probe, will be restarted"
                    self._home.event("Killing", words)
                    return await self._kill(process, news, self._grace_s(grace_s))
                case Ended() as ended:
                    return ended

    async def _ready(self, facts: Mapping[str, Any]) -> None:
        self._end_turn()
        self._has_said_ready = True
        if self._resting is not None:
            self._resting.told(facts)
        await self._report_running()
        timing = {name: facts[name] for name in _TIMINGS if name in facts}
        if timing:
            text = orjson.dumps(timing).decode()
            await self._home.write({"metadata": {"annotations": {START_TIMING: text}}})
        how = "Went on with a frozen replica" if self._is_resumed else "Started the replica"
        self._home.event("Started", how)

    async def _execute(
        self, start: Start, command: tuple[str, ...], output: Path
    ) -> "tuple[ReplicaProcess, asyncio.Queue[News]]":
        """Run a command where the container runs."""
        self._attempts += 1
        news: asyncio.Queue[News] = asyncio.Queue()
        name = f"{self._home.uid}/{self._name}/probe-{self._attempts}"
        process = ReplicaProcess(name, self._around.zygote, news)
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("wb") as file:
            process.launch(self._plan.request(start, command), (file.fileno(),))
        return process, news

    # -- its end -----------------------------------------------------------------------------

    def _end(self, ended: Ended) -> dict[str, Any]:
        """The state of a process that ended by itself or for a probe."""
        message = self._plan.message(self._log, is_error=ended.code != 0)
        now = self._home.now()
        return terminated(ended.code, ended.signal, message, now, started_at=self._started_at)

    async def _back_off(self, ended: dict[str, Any]) -> None:
        """Report an end that nobody asked for, and wait before the next start."""
        self._end_turn()
        self._restarts += 1
        self._last_state = ended
        wait_s = backoff_s(self._restarts)
        message = ended["terminated"].get("message") or "The replica ended"
        self._home.event("BackOff", message, is_warning=True)
        who = f"container={self._name} pod={self._home.key[1]}_{self._home.key[0]}"
        words = f"back-off {wait_s:.0f}s restarting failed {who}({self._home.uid})"
        await self._report(waiting("CrashLoopBackOff", words))
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            self._log.rotate()

    def _grace_s(self, own_s: float | None = None) -> float:
        given = self._home.spec.get("terminationGracePeriodSeconds")
        pods_s = _GRACE_S if given is None else float(given)
        return max(1.0, pods_s if own_s is None else own_s)

    async def _terminate(self, process: ReplicaProcess, news: "asyncio.Queue[News]") -> None:
        """SIGTERM once no request runs there; SIGKILL when the grace period is over.

        Or none of them, where it may be wanted again.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._grace_s()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(ends_s):
                await self._home.release()
                if await self._is_kept(process, news):
                    return
        await self._kill(process, news, ends_s - loop.time())

    async def _is_kept(self, process: ReplicaProcess, news: "asyncio.Queue[News]") -> bool:
        is_well = self._has_said_ready and self._probed.is_ready
        if self._resting is None or self._listener is None or not is_well:
            return False
        if await self._resting.is_kept(process, news, self._listener, self._socket_path):
            self._listener = None  # it went along
            return True
        return False

    async def _kill(
        self, process: ReplicaProcess, news: "asyncio.Queue[News]", grace_s: float
    ) -> Ended:
        try:
            async with asyncio.timeout(max(0.0, grace_s)):
                process.signal(signal.SIGTERM)
                return await _ended(news)
        except TimeoutError:
            log.warning("pod %s/%s outlived its grace period: killing it", *self._home.key)
            process.signal(signal.SIGKILL)
            return await _ended(news)

    # -- what is told ------------------------------------------------------------------------

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.end()

    async def _report_running(self) -> None:
        await self._home.report(
            self._name,
            ContainerFate(
                state=running(self._started_at),
                last_state=self._last_state,
                restarts=self._restarts,
                is_ready=self._has_said_ready and self._probed.is_ready,
                is_started=self._probed.is_started,
            ),
        )

    async def _report(self, state: Mapping[str, Any]) -> None:
        fate = ContainerFate(state=state, last_state=self._last_state, restarts=self._restarts)
        await self._home.report(self._name, fate)


async def _ended(news: "asyncio.Queue[News]") -> Ended:
    while True:
        match await news.get():
            case Ended() as ended:
                return ended
            case _:
                continue
