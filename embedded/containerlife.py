"""One container's life on this machine: start, watch, probe, start again, stop.

For: the sequence of steps between a container's first start and its end.
Must not know: which containers stand beside it, or what its volumes hold.
"""

import asyncio
import logging
import pwd
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
from embedded import probing, security
from embedded.environment import MissingError, environment, expanded
from embedded.launching import (
    CommandLaunch,
    Launch,
    PredictorLaunch,
    Refusal,
    backoff_s,
    has_default_readiness,
    is_mounted,
    launch_of,
    with_model,
)
from embedded.modelstore import ModelError
from embedded.mounts import Mount, MountError
from embedded.podfiles import VolumeError, write_confinement
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
from embedded.room import limits_of
from embedded.turns import Turn

log = logging.getLogger(__name__)

_BESIDE_S = 0.01
_GRACE_S = 30.0  # Kubernetes' default for terminationGracePeriodSeconds
_MODELS_AT = "/mnt/relight-model"  # where another user reads what our folder keeps to ourselves
_MESSAGE_BYTES_MAX = 4096


class ContainerLife:
    """Runs one container until it is stopped, or for good ended."""

    def __init__(
        self, container: Raw, home: Residence, pod_log: PodLog, *, is_init: bool = False
    ) -> None:
        """`is_init`: it runs once, to its end, before the Pod's containers."""
        self._container = container
        self._name = str(container["name"])
        self._home = home
        self._around = home.around
        self._log = pod_log
        self._is_init = is_init
        containers = home.spec.get("containers") or ()
        self._is_serving = not is_init and container is containers[home.serving]
        self._folder = home.folder / self._name
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._listener: socket.socket | None = None
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
        self._copy = ("", "")  # where the model is read from, and what its owner calls it
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
        prepared = await self._prepared()
        if prepared is None:
            return None
        launch, confinement, port = prepared
        news: asyncio.Queue[News] = asyncio.Queue()
        self._news = news
        self._starts += 1
        name = f"{self._home.uid}/{self._name}/{self._starts}"
        limits = limits_of(self._container)
        process = ReplicaProcess(name, self._around.zygote, news, limits=limits)
        self._turn = await self._around.turns.take()
        try:
            if self._stopping.is_set():
                return None
            self._has_said_ready = False
            return await self._run(process, launch, confinement, port, news)
        finally:
            self._turn.end()

    async def _prepared(self) -> "tuple[PredictorLaunch | CommandLaunch, str, int] | None":
        """What to start, once all it refers to is there; None once stopped."""
        while not self._stopping.is_set():
            change = self._home.change
            try:
                launch, confinement, port = self._plan()
            except (MissingError, MountError, VolumeError) as error:
                self._home.event("Failed", f"Error: {error}", is_warning=True)
                await self._report(waiting("CreateContainerConfigError", str(error)))
                await change.wait()
                continue
            if not isinstance(launch, Refusal):
                return launch, confinement, port
            self._home.event(launch.reason, launch.message, is_warning=True)
            await self._report(waiting(launch.reason, launch.message))
            await self._stopping.wait()
        return None

    def _plan(self) -> tuple[Launch, str, int]:
        has_port = bool(self._container.get("command")) and not self._is_init
        port = self._home.port_of(self._container) if has_port else 0
        env = environment(
            self._container, self._home.about, self._home.lookup, port=port if has_port else None
        )
        launch = launch_of(self._home.pod, self._container, env)
        if isinstance(launch, Refusal):
            return launch, "", port
        return launch, self._confinement(env), port

    def _confinement(self, env: Mapping[str, str], *also: Mount) -> str:
        """The file that says where the process belongs; "" for nowhere else."""
        expand = partial(expanded, env=env)
        mounts = self._home.files.mounts(self._home.spec, self._container, expand=expand)
        path = self._container.get("terminationMessagePath")
        if path:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._last_words.write_bytes(b"")
            self._last_words.chmod(0o666)
            source = str(self._last_words.resolve())
            mounts.append(Mount(source=source, target=str(Path(path).resolve()), is_dir=False))
        owner = self._around.machine().owner
        who = security.credentials(self._home.spec, self._container, owner, group_of=_group_of)
        mounts += also
        file = self._folder / "confinement.json"
        return write_confinement(file, mounts, who, is_root=owner.is_root)

    @property
    def _last_words(self) -> Path:
        return self._folder / "termination-log"

    async def _run(
        self,
        process: ReplicaProcess,
        launch: PredictorLaunch | CommandLaunch,
        confinement: str,
        port: int,
        news: "asyncio.Queue[News]",
    ) -> dict[str, Any] | None:
        ended: Ended | None = None
        self._log.failure = ""
        async with asyncio.TaskGroup() as tasks:
            if isinstance(launch, CommandLaunch):
                address = f"tcp:127.0.0.1:{port}"
                request = {"kind": "exec", "argv": launch.argv}
                beside: list[asyncio.Task[None]] = []
                self._launch(process, {**request, **self._rest(launch.env, confinement)}, ())
                if self._is_default and self._is_serving:
                    beside.append(tasks.create_task(until_listening(port, news)))
                else:
                    self._has_said_ready = True
            else:
                address = f"unix:{self._socket_path}"
                beside = []
                failed = await self._start_predictor(process, launch, confinement)
                if failed is not None:
                    return failed
            if self._is_serving:
                await self._home.announce(address)
            probes = [] if self._is_init else self._probes()
            self._probed = Probed(is_ready=not probes, is_started=not probes)
            if probes:
                rest = self._rest(launch.env, confinement)
                prober = Prober(
                    self._container,
                    address,
                    execute=partial(self._execute, rest),
                    output=self._folder / "probe.out",
                )
                beside.append(tasks.create_task(self._probe(prober, probes, news)))
            try:
                ended = await self._follow(process, news)
            finally:
                for task in beside:
                    task.cancel()
        return None if ended is None else self._end(ended)

    @property
    def _is_default(self) -> bool:
        return has_default_readiness(self._container, is_knative=self._home.is_knative)

    def _probes(self) -> list[probing.Probe]:
        found = probing.probes_of(self._container, is_knative=self._home.is_knative)
        return [each for each in found if each.kind != "readiness" or not self._is_default]

    def _rest(self, env: Mapping[str, str], confinement: str) -> dict[str, Any]:
        """What of a start request is the same for whatever runs in the container."""
        cwd = self._container.get("workingDir") or str(self._around.work_dir)
        rest = {"env": {**self._home.base_env, **env}, "cwd": expanded(cwd, env)}
        return {**rest, "confinement": confinement} if confinement else rest

    def _launch(
        self, process: ReplicaProcess, request: Mapping[str, Any], fds: tuple[int, ...]
    ) -> None:
        with self._log.open() as output:
            process.launch(request, (*fds, output.fileno()))

    async def _start_predictor(
        self, process: ReplicaProcess, launch: PredictorLaunch, confinement: str
    ) -> dict[str, Any] | None:
        """The state it ended in, where it could not even start."""
        args = launch.args
        try:
            if launch.model and not is_mounted(launch.model, self._container):
                path = await self._around.models.prepare(launch.model, launch.digest)
                if self._has_other_user:
                    folder = Path(path).parent.resolve()
                    seen = f"{_MODELS_AT}/{Path(path).name}"
                    mount = Mount(source=str(folder), target=_MODELS_AT, is_read_only=True)
                    confinement, path = self._confinement(launch.env, mount), seen
                args = with_model(args, path)
                self._copy = (path, launch.model)
            elif launch.code:
                await self._around.models.check(launch.code.rpartition(":")[0], launch.digest)
        except (ModelError, MountError, VolumeError) as error:
            self._log.failure = str(error)
            return terminated(1, None, str(error), self._home.now())
        if self._listener is None:
            self._listener = listen(self._socket_path)
        request = {"kind": "predictor", "args": args, **self._rest(launch.env, confinement)}
        self._launch(process, request, (self._listener.fileno(),))
        return None

    @property
    def _has_other_user(self) -> bool:
        owner = self._around.machine().owner
        who = security.credentials(self._home.spec, self._container, owner, group_of=_group_of)
        return who.uid not in (None, owner.uid)

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
                    self._log.failure = self._in_their_words(str(facts.get("failed", "")))
                case Probed() as probed:
                    self._probed = probed
                    await self._report_running()
                case Condemned(kind, grace_s):
                    words = f"Container {self._name} failed {kind} probe, will be restarted"
                    self._home.event("Killing", words)
                    return await self._kill(process, news, self._grace_s(grace_s))
                case Ended() as ended:
                    return ended

    def _in_their_words(self, message: str) -> str:
        """The same message about the user's own file, not about our copy of it."""
        ours, theirs = self._copy
        return message.replace(ours, theirs) if ours else message

    async def _ready(self, facts: Mapping[str, Any]) -> None:
        self._end_turn()
        self._has_said_ready = True
        await self._report_running()
        timing = {name: facts[name] for name in ("fork_ms", "load_ms", "provider") if name in facts}
        if timing:
            text = orjson.dumps(timing).decode()
            await self._home.write({"metadata": {"annotations": {START_TIMING: text}}})
        self._home.event("Started", "Started the replica")

    async def _probe(
        self, prober: Prober, probes: list[probing.Probe], news: "asyncio.Queue[News]"
    ) -> None:
        loop = asyncio.get_running_loop()
        watches = probing.Watches(probes, now_s=loop.time())
        known = Probed(is_ready=watches.is_ready, is_started=watches.is_started)
        while (watch := watches.next_due()) is not None:
            await asyncio.sleep(max(0.0, watch.due_s - loop.time()))
            failure = await prober.attempt(watch.probe)
            if failure and not (watch.probe.is_hurried and watch.verdict is None):
                words = f"{watch.probe.kind.capitalize()} probe failed: {failure}"
                self._home.event("Unhealthy", words, is_warning=True)
            if watches.observe(watch, not failure, now_s=loop.time()):
                news.put_nowait(Condemned(watch.probe.kind, watch.probe.grace_s))
                return
            probed = Probed(is_ready=watches.is_ready, is_started=watches.is_started)
            if probed != known:
                known = probed
                news.put_nowait(probed)

    async def _execute(
        self, rest: Mapping[str, Any], command: tuple[str, ...], output: Path
    ) -> "tuple[ReplicaProcess, asyncio.Queue[News]]":
        """Run a command where the container runs."""
        self._attempts += 1
        news: asyncio.Queue[News] = asyncio.Queue()
        name = f"{self._home.uid}/{self._name}/probe-{self._attempts}"
        process = ReplicaProcess(name, self._around.zygote, news)
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("wb") as file:
            process.launch({"kind": "exec", "argv": command, **rest}, (file.fileno(),))
        return process, news

    # -- its end -----------------------------------------------------------------------------

    def _end(self, ended: Ended) -> dict[str, Any]:
        """The state of a process that ended by itself or for a probe."""
        message = self._message(is_error=ended.code != 0)
        now = self._home.now()
        return terminated(ended.code, ended.signal, message, now, started_at=self._started_at)

    def _message(self, *, is_error: bool) -> str:
        """Its last words: what it wrote for us, else what it said of itself or wrote last."""
        if self._container.get("terminationMessagePath"):
            with suppress(OSError):
                written = self._last_words.read_bytes()[:_MESSAGE_BYTES_MAX]
                if written:
                    return written.decode(errors="replace")
        if self._log.failure:
            return self._log.failure
        is_file_only = self._container.get("terminationMessagePolicy") == "File"
        if is_file_only or (self._is_init and not is_error):
            return ""
        return self._log.tail()

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
        """SIGTERM once no request runs there; SIGKILL when the grace period is over."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._grace_s()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(ends_s):
                await self._home.release()
        await self._kill(process, news, ends_s - loop.time())

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
        assert self._turn is not None
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


def _group_of(uid: int) -> int:
    """A user's own group; the superuser's for one that this machine does not know."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return 0


async def _ended(news: "asyncio.Queue[News]") -> Ended:
    while True:
        match await news.get():
            case Ended() as ended:
                return ended
            case _:
                continue
