"""One run: a platform, users, clients and faults from one seed; then calm, and a last look.

For: the order of a run, and the list of faults.
Must not know: what is checked.
"""

import asyncio
import gc
import logging
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.direct import DirectClient
from tests.simulation.book import Book
from tests.simulation.clients import Clients
from tests.simulation.faults import Weather
from tests.simulation.judging import Judge
from tests.simulation.platform import PARTS, Platform, Sizes, simulated_machine
from tests.simulation.replicas import Executing, Machine
from tests.simulation.server import SwitchedServer
from tests.simulation.settled import Rest, shares_of
from tests.simulation.trace import Trace
from tests.simulation.users import Users
from tests.simulation.virtual import StuckError, VirtualLoop

EPOCH_S = 1_800_000_000.0
STORM_S = 200.0
CALM_S_MAX = 400.0  # by then everything is at rest, or never
_LOOK_S = 1.0
_NEVER_S = 1e9
_REQUESTS_MAX = 250
_SPLIT_REQUESTS = 40
_SPLIT_ERROR = 3  # requests; the activator's sequence errs by less than chance would


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one seed. `violation` is empty when all held."""

    seed: int
    hash: str
    lines: int
    last: tuple[str, ...]
    violation: str
    fates: dict[str, int]
    virtual_s: float


def run(seed: int, *, echo: Callable[[str], None] | None = None) -> Result:
    """Run one seed to its end. The same seed on the same code is the same run."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        simulated_machine(),
        asyncio.Runner(loop_factory=lambda: _loop(seed)) as runner,
    ):
        gc.disable()  # what a collection finds, and when, differs from run to run
        try:
            return runner.run(_run(seed, Path(folder), echo))
        finally:
            gc.enable()


def _loop(seed: int) -> VirtualLoop:
    return VirtualLoop(start_s=1000.0 + random.Random(seed).random())


async def _run(seed: int, folder: Path, echo: Callable[[str], None] | None) -> Result:
    loop = asyncio.get_running_loop()
    trace = Trace(loop.time, echo=echo)
    watch = _Errors(trace)
    loop.set_exception_handler(watch.of_loop)
    logging.getLogger().addHandler(watch)
    simulation = _Simulation(seed, folder, trace)
    try:
        await simulation.run()
    except StuckError as error:
        trace.violate(str(error))
    finally:
        logging.getLogger().removeHandler(watch)
        simulation.server.close()
    return Result(
        seed=seed,
        hash=trace.hash,
        lines=trace.lines,
        last=tuple(trace.last),
        violation=trace.violation,
        fates=simulation.clients.fates,
        virtual_s=loop.time() - simulation.start_s,
    )


class _Errors(logging.Handler):
    """An error in a log is our own fault, and so is an exception in a callback."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(logging.ERROR)
        self._trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self._trace.violate(f"logged by {record.name}: {record.getMessage()} {error!r}")

    def of_loop(self, _loop: Any, context: dict[str, Any]) -> None:
        # The message names a callback by its address, which differs from run to run.
        error = context.get("exception")
        self._trace.violate(f"in a callback: {error!r}" if error else context["message"])


class _Simulation:
    """Everything of one run."""

    def __init__(self, seed: int, folder: Path, trace: Trace) -> None:
        rng = self._rng = random.Random(seed)
        loop: Any = asyncio.get_running_loop()
        self.start_s = loop.time()
        self.trace = trace
        self._now_s = loop.time

        def fork() -> random.Random:
            return random.Random(rng.getrandbits(64))

        def clock() -> float:
            return EPOCH_S + float(loop.time())

        self._weather = Weather()
        told = Executing(self._began, trace.note, trace.violate)
        self.machine = Machine(fork(), told)
        self.book = Book(self.machine, trace, loop.time)
        self.judge = Judge(self.book, self.machine, trace, loop.time)
        self.server = SwitchedServer(folder, clock=clock, rng=fork(), observe=self.book.observe)
        sizes = self._sizes = Sizes(
            queue_depth_max=rng.choice((5, 25, 1000)), pods_max=rng.choice((3, 12, 50, 50))
        )
        self.platform = Platform(
            self.server, self.machine, self._weather, trace, clock=clock, rng=fork(), sizes=sizes
        )
        self.users = Users(
            DirectClient(self.server, user="somebody"),
            self.machine.models,
            fork(),
            note=trace.note,
            names=("alpha", "beta", "gamma")[: rng.choice((1, 2, 3))],
        )
        self.clients = Clients(
            loop.network,
            fork(),
            judge=self.judge.judge,
            note=trace.note,
            max_requests=_REQUESTS_MAX,
        )

    def _began(self, *facts: Any) -> None:
        self.judge.began(*facts)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.platform.run())
            await self._storm()
            await self._calm()
            await self._prove()
            running.cancel()

    async def _pass(self, seconds: float) -> bool:
        """Let time pass, looking all the while; False once something is wrong."""
        end_s = self._now_s() + seconds
        while self._now_s() < end_s and not self.trace.violation:
            await asyncio.sleep(min(_LOOK_S, end_s - self._now_s()))
            if self.server.is_up:
                self.judge.look(self.platform, self.clients.waiting)
        return not self.trace.violation

    # -- storm ----------------------------------------------------------------------------------

    async def _storm(self) -> None:
        self._worsen()
        async with asyncio.TaskGroup() as tasks:
            busy = [
                tasks.create_task(self.users.run(self._rng.choice((10.0, 30.0, 60.0)))),
                tasks.create_task(self._strike()),
                *(
                    tasks.create_task(self.clients.run(name, lambda name=name: self._tags(name)))
                    for name in self.users.names
                ),
            ]
            await self._pass(STORM_S)
            for task in busy:
                task.cancel()

    def _tags(self, name: str) -> list[str]:
        said = self.book.routes.get(name)
        return sorted(said[-1].tags) if said else []

    def _worsen(self) -> None:
        """Some seeds have fair weather, so that the invariants of the fair are tested too."""
        rng, weather = self._rng, self._weather
        often = rng.choice((0.0, 0.01, 0.05, 0.2))
        weather.refused = often * rng.random()
        weather.conflict = often * rng.random()
        weather.lost = often * rng.random()
        weather.unlisted = often * rng.random()
        weather.cut = often * rng.random() * 0.3
        weather.gone = often * rng.random() * 0.3
        weather.lag = rng.choice((0.0, 0.0, 0.1, 0.5))
        weather.lag_s = rng.choice((0.005, 0.1, 1.0))
        self._strike_gap_s = rng.choice((_NEVER_S, 15.0, 40.0, 80.0))
        if not often and not weather.lag and self._strike_gap_s == _NEVER_S:
            self.judge.expect_fair_weather()

    async def _strike(self) -> None:
        """Faults that are events."""
        rng = self._rng
        strikes = (
            self._kill_everything,
            self._restart_server,
            self._restart_part,
            self._restart_part,
            self._restart_part,
            self._end_watches,
            self._crash_replica,
            self._crash_replica,
        )
        while True:
            await asyncio.sleep(rng.expovariate(1 / self._strike_gap_s))
            # A strike is not cut off half way: the calm must find every part there.
            await asyncio.shield(self._spawned(rng.choice(strikes)()))

    def _spawned(self, strike: Any) -> "asyncio.Task[None]":
        self._striking = asyncio.get_running_loop().create_task(strike)
        return self._striking

    async def _kill_everything(self) -> None:
        """kill -9 of the one process that `relight up` is, with all its children."""
        self.trace.note("strike: kill -9")
        self.server.kill()
        self.judge.activator_killed()
        await self.platform.kill(*PARTS)
        await asyncio.sleep(self._rng.choice((0.1, 3.0)))
        self.server.start()
        for name in PARTS:
            self.platform.start(name)
        self.judge.activator_started()

    async def _restart_server(self) -> None:
        self.trace.note("strike: the API server dies")
        self.server.kill()
        await asyncio.sleep(self._rng.choice((0.1, 3.0)))
        self.server.start()
        self.trace.note("the API server is back")

    async def _restart_part(self) -> None:
        name = self._rng.choice(("autoscaler", "controller", "activator", "deployments"))
        if name == "activator":
            self.judge.activator_killed()
        await self.platform.kill(name)
        await asyncio.sleep(self._rng.choice((0.0, 1.0, 10.0)))
        self.platform.start(name)
        if name == "activator":
            self.judge.activator_started()

    async def _end_watches(self) -> None:
        self.trace.note("strike: all watches end")
        self.server.end_watches()

    async def _crash_replica(self) -> None:
        processes = [
            each
            for each in self.machine.processes.values()
            if each.ready_s is not None or each.is_frozen
        ]
        if processes:
            process = self._rng.choice(processes)
            self.trace.note(f"strike: {process.name[:8]} crashes")
            process.die(number=9)

    # -- calm -----------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """Nothing disturbs any more: within a while everything is where it should be."""
        self.trace.note("calm")
        if self._striking is not None:
            await self._striking
        self._weather.calm()
        began_s = self._now_s()
        problems = ["nobody looked"]
        while problems and not self.trace.violation:
            if not await self._pass(5.0):
                return
            problems = list(self._rest().problems())
            if problems and self._now_s() - began_s > CALM_S_MAX:
                self.trace.violate(f"not at rest {CALM_S_MAX:g} s after all faults: {problems}")
        self.trace.note("at rest")

    def _rest(self) -> Rest:
        return Rest(
            self.server.store, self.machine, self.book.crowded, pods_max=self._sizes.pods_max
        )

    async def _prove(self) -> None:
        """Every ready Service answers, and splits as its Route says."""
        if self.trace.violation:
            return
        if not await self._all_answered():
            return
        self.judge.expect_fair_weather()
        rest = self._rest()
        for name in self.users.names:
            if not rest.is_ready(name) or not rest.is_public(name):
                continue
            requests = [self.clients.send(name) for _ in range(2)]
            if not await self._all_answered():
                return
            for request in requests:
                if request.fate != "200" and not self._may_fail(request.revision):
                    self.trace.violate(f"{request.name} to {name} in calm: {request.fate}")

            await self._check_split(name)

    async def _all_answered(self) -> bool:
        """No longer than to their deadlines, which are judged; False once something is wrong."""
        while self.clients.waiting:
            if not await self._pass(5.0):
                return False
        return True

    async def _check_split(self, name: str) -> None:
        """Every answer names its Revision, be it good or bad."""
        shares = shares_of(self.server.store, name)
        if len(shares) < 2 or self.trace.violation:
            return
        requests = []
        for _ in range(_SPLIT_REQUESTS):
            requests.append(self.clients.send(name))
            await asyncio.sleep(0.1)
        if not await self._all_answered():
            return
        for revision, percent in shares.items():
            got = sum(each.revision == revision for each in requests)
            if abs(got - percent / 100 * len(requests)) > _SPLIT_ERROR:
                self.trace.violate(f"{revision} has {percent} %, got {got} of {len(requests)}")

    def _may_fail(self, revision: str) -> bool:
        known = self.book.revisions.get(revision)
        model = self.machine.models[known.model] if known is not None else None
        return revision in self.book.crowded or bool(model and (model.crash or model.hang))

    _striking: "asyncio.Task[None] | None" = None
