"""The machine: processes that load a model, answer requests, crash, or never come up.

For: standing in for the zygote and the predictors behind the production kubelet.
Must not know: Kubernetes objects, the activator, or who sends requests.
"""

import asyncio
import random
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api import keys
from embedded.modelstore import ModelError
from embedded.process import Ended, Said
from tests.simulation.network import Listener, Transport

_EXIT_S = 0.01  # from SIGTERM to the end
_FROSTBITE = 0.03  # probability that a frozen process does not go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """How replicas of a model behave. `fate`: good | bad | missing | never."""

    fate: str
    start_s: tuple[float, float] = (0.0, 0.0)
    service_s: tuple[float, float] = (0.0, 0.0)
    crash: float = 0.0  # probability that a request kills its replica
    hang: float = 0.0  # and that it is never answered

    @property
    def message(self) -> str:
        return f"the model is {self.fate}"


@dataclass(slots=True)
class Execution:
    """One request in one replica."""

    request: str
    revision: str
    replica: str
    started_s: float
    ended_s: float | None = None
    has_died: bool = False  # the replica went under it


@dataclass(frozen=True, slots=True)
class Executing:
    """Who is told what happens in the machine."""

    began: Callable[[Execution, int, int], None]  # with in flight and limit
    note: Callable[[str], None]
    violate: Callable[[str], None]


class Machine:
    """All processes, and the models they load. Stands where the zygote stands."""

    def __init__(self, rng: random.Random, told: Executing) -> None:
        self.rng = rng
        self.told = told
        self.models: dict[str, Model] = {}
        self.limits: dict[str, int] = {}  # container concurrency by Revision
        self.timeouts: dict[str, list[float]] = {}  # of all that had the name
        self.processes: dict[str, Process] = {}
        self.crashes: dict[str, list[float]] = {}  # when, by Revision

    async def prepare(self, model: str, _digest: str) -> str:
        """As `embedded.modelstore.ModelStore`: a model pinned once is there for good."""
        if self.models[model].fate == "missing":
            raise ModelError(self.models[model].message)
        return model

    def ready(self, revision: str) -> list["Process"]:
        """The processes of a Revision that can serve, and are to."""
        return [
            each
            for each in self.processes.values()
            if each.revision == revision and each.ready_s is not None and not each.is_ending
        ]

    def kill_all(self) -> None:
        """Power cut: nobody hears of it."""
        for process in list(self.processes.values()):
            process.die(tell=False)

    def now_s(self) -> float:
        return asyncio.get_running_loop().time()


class Process:
    """Stands where `embedded.process.ReplicaProcess` stands."""

    def __init__(self, name: str, zygote: Machine, news: "asyncio.Queue[Any]", **_: Any) -> None:
        self.name = name
        self.pid = 1
        self.pod = name.partition("/")[0]  # the uid of the one it serves, or served last
        self.is_frozen = False
        self.revision = ""
        self.limit = 0
        self.timeout_s = 0.0
        self.ready_s: float | None = None
        self.room_since_s: float | None = None  # when it last came to have room
        self.is_ending = False
        self.in_flight: dict[Connection, Execution] = {}
        self.model = Model(fate="never")
        self._machine = zygote
        self._news = news
        self._connections: dict[Connection, None] = {}
        self._listener: Listener | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_dead = self._is_asked_to_end = False

    def born_of(self, zygote: object) -> None:
        """Which zygote forks it makes no difference here."""

    def launch(self, request: Mapping[str, Any], fds: tuple[int, ...]) -> None:
        machine, env = self._machine, request["env"]
        loop: Any = asyncio.get_running_loop()
        words = list(request.get("args") or request["argv"])
        self.model = machine.models[words[words.index("--model") + 1]]
        self.revision = env[keys.ENV_REVISION]
        if request["kind"] == "predictor":
            self.limit = int(env[keys.ENV_CONCURRENCY])
            self.timeout_s = float(env[keys.ENV_TIMEOUT_S])
            self._listener = loop.network.listener(fds[0])
            self._address = ""
        else:
            self.limit = machine.limits[self.revision]
            self.timeout_s = machine.timeouts[self.revision][-1]
            self._address = f"127.0.0.1:{env['PORT']}"
        machine.processes[self.name] = self
        machine.told.note(f"process {self.name[:8]} of {self.revision} starts")
        if self.model.fate != "never":
            self._timer = loop.call_later(machine.rng.uniform(*self.model.start_s), self._load)

    def _load(self) -> None:
        if self.model.fate != "good":
            self._news.put_nowait(Said({"failed": self.model.message}))
            self.die(code=1)
            return
        self.ready_s = self.room_since_s = self._machine.now_s()
        self._machine.told.note(f"process {self.name[:8]} of {self.revision} is ready")
        if self._listener is None:
            loop: Any = asyncio.get_running_loop()
            self._listener = loop.network.listen(self._address)
        else:
            self._news.put_nowait(Said({"ready": True, "fork_ms": 4.0, "load_ms": 8.0}))
        self._listener.accept(self._make)

    @property
    def is_over(self) -> bool:
        return self._is_dead

    def hear(self, news: Any) -> None:
        self._news = news

    def settle(self) -> None:
        """Say so once nothing runs, all connections closed."""
        if self._is_dead or self.is_ending:
            return
        if self.in_flight:
            asyncio.get_running_loop().call_later(0.01, self.settle)
            return
        for connection in list(self._connections):
            connection.transport.close()
        self._news.put_nowait(Said({"settled": True}))

    def freeze(self) -> None:
        """What connects from now on waits."""
        assert self._listener is not None
        if self.in_flight:
            self._machine.told.violate(f"{self.name} is stopped while requests run there")
        self.is_frozen, self.ready_s = True, None
        self._listener.accept(None)
        self._machine.told.note(f"process {self.name[:8]} of {self.revision} is frozen")

    def resume(self, log_fd: int) -> None:
        """For the Pod whose log it is; a few do not survive it."""
        self.is_frozen = False
        self.pod = Log.whose(log_fd)
        self._machine.told.note(f"process {self.name[:8]} of {self.revision} goes on")
        if self._machine.rng.random() > _FROSTBITE:
            self._timer = asyncio.get_running_loop().call_later(0.001, self._wake)

    def _wake(self) -> None:
        assert self._listener is not None
        self.ready_s = self.room_since_s = self._machine.now_s()
        self._news.put_nowait(Said({"ready": True, "resumed_ms": 1.0}))
        self._listener.accept(self._make)

    def signal(self, number: int) -> None:
        """SIGTERM and SIGKILL come once no request runs any more; else one was cut off."""
        if self._is_dead or self.is_ending or number == signal.SIGCONT:
            return
        self.is_ending = self._is_asked_to_end = True
        # A request may run until its deadline, of which the activator is told a little late.
        young_s = self._machine.now_s() - self.timeout_s + 0.5
        cut = [each.request for each in self.in_flight.values() if each.started_s > young_s]
        if cut:
            self._machine.told.violate(f"signal {number} to {self.name} while {cut} run there")
        if self._timer is not None:
            self._timer.cancel()
        code = {"code": 0} if number == signal.SIGTERM else {"number": int(number)}
        self._timer = asyncio.get_running_loop().call_later(_EXIT_S, lambda: self.die(**code))

    def die(self, *, code: int | None = None, number: int | None = None, tell: bool = True) -> None:
        if self._is_dead:
            return
        self._is_dead = self.is_ending = True
        machine = self._machine
        del machine.processes[self.name]
        if number is not None and not self._is_asked_to_end:
            machine.crashes.setdefault(self.revision, []).append(machine.now_s())
        machine.told.note(f"process {self.name[:8]} of {self.revision} ends: {code or number}")
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._listener.accept(None)
            if self._address:
                self._listener.close()
        for execution in list(self.in_flight.values()):
            execution.has_died = True
        for connection in list(self._connections):
            connection.end()
            connection.transport.kill()
        if tell:
            self._news.put_nowait(Ended(code, number))

    def _make(self) -> "Connection":
        connection = Connection(self)
        self._connections[connection] = None
        return connection

    # -- what its connections tell ------------------------------------------------------------

    def begin(self, connection: "Connection", request: str) -> None:
        machine = self._machine
        execution = Execution(request, self.revision, self.name, machine.now_s())
        self.in_flight[connection] = execution
        if self.limit and len(self.in_flight) >= self.limit:
            self.room_since_s = None
        machine.told.began(execution, len(self.in_flight), self.limit)
        number = machine.rng.random()
        if number < self.model.hang:
            return
        takes_s = machine.rng.uniform(*self.model.service_s)
        if number < self.model.hang + self.model.crash:
            self._timer = asyncio.get_running_loop().call_later(
                takes_s, lambda: self.die(number=int(signal.SIGSEGV))
            )
        else:
            connection.answer_in(takes_s)

    def end(self, connection: "Connection") -> None:
        execution = self.in_flight.pop(connection, None)
        if execution is not None:
            execution.ended_s = self._machine.now_s()
            if self.room_since_s is None:
                self.room_since_s = execution.ended_s

    def forget(self, connection: "Connection") -> None:
        self._connections.pop(connection, None)


class Connection(asyncio.Protocol):
    """HTTP as far as it is needed: heads in one piece, one request at a time, bodies by length."""

    transport: Transport

    def __init__(self, process: Process) -> None:
        self._process = process
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, gap, body = self._data.partition(b"\r\n\r\n")
        if not gap:
            return
        line, *lines = head.split(b"\r\n")
        fields = dict(each.lower().split(b": ", 1) for each in lines)
        if len(body) < int(fields.get(b"content-length", b"0")):
            return
        self._data = b""
        if line.startswith(b"GET /v2/health/ready "):
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        else:
            self._process.begin(self, fields[b"x-request-id"].decode())

    def answer_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._answer)

    def _answer(self) -> None:
        self._process.end(self)
        revision = self._process.revision.encode()
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nrelight-revision: %b\r\ncontent-length: 2\r\n\r\nok" % revision
        )

    def eof_received(self) -> bool:
        self.end()
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self.end()
        self._process.forget(self)

    def end(self) -> None:
        """Nobody waits for the answer any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._process.end(self)


class Log:
    """Stands where `embedded.podlog.PodLog` stands, and keeps nothing."""

    @staticmethod
    def sweep(root: object, kept: object) -> None:
        """There is nothing to remove."""

    failure = ""

    def __init__(self, _folder: object, pod: str, _container: str) -> None:
        self.path = self.previous_path = None
        self._pod = pod

    def open(self) -> "Log":
        return self

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def fileno(self) -> int:
        """A number that tells whose log it is."""
        return int.from_bytes(self._pod.encode())

    @staticmethod
    def whose(number: int) -> str:
        return number.to_bytes((number.bit_length() + 7) // 8).decode()

    def note(self, _now_s: float) -> None:
        """There is nothing of which to remember when it was written."""

    def tail(self) -> str:
        return ""

    def rotate(self) -> None:
        """Nothing was kept."""

    def bound(self) -> None:
        """Nothing was kept."""

    def remove(self) -> None:
        """Nothing was kept."""
