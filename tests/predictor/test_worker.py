"""The choice between the loop and the thread."""

import asyncio
import threading
import weakref
from collections.abc import Mapping

import numpy as np

from predictor.errors import RequestError
from predictor.model import Tensor
from predictor.worker import INLINE_MAX_S, LOOKS, Outcome, Worker

Wanted = tuple[str, ...] | None


class Recorder:
    """A model that notes the thread it ran on and may wait to be let go."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, feeds: dict[str, Tensor], wanted: Wanted) -> Mapping[str, Tensor]:
        self.threads.append(threading.current_thread().name)
        assert self.go.wait(10)
        return feeds


async def run_there(worker: Worker, run: Recorder) -> Outcome:
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    worker.run_there(run, {"x": np.ones(1)}, None, future.set_result)
    return await asyncio.wait_for(future, 10)


def after(worker: Worker, *runs_s: float) -> bool:
    for run_s in runs_s:
        worker.saw(run_s)
    return worker.is_quick


async def test_the_first_run_is_never_on_the_loop() -> None:
    worker, run = Worker(asyncio.get_running_loop()), Recorder()
    assert not worker.is_quick
    outcome = await run_there(worker, run)
    assert outcome.outputs is not None
    assert outcome.run_s >= 0
    assert run.threads == ["model"]


async def test_quick_models_run_on_the_loop_and_a_slow_run_ends_that() -> None:
    worker = Worker(asyncio.get_running_loop())
    assert after(worker, INLINE_MAX_S / 10)
    assert not after(worker, INLINE_MAX_S * 2)
    assert not after(worker, 0.0)
    assert after(worker, *[0.0] * 10)
    worker.forget()
    assert not worker.is_quick


async def test_runs_never_overlap() -> None:
    worker, run = Worker(asyncio.get_running_loop()), Recorder()
    after(worker, 0.0)
    assert worker.is_quick
    run.go.clear()
    first = asyncio.gather(run_there(worker, run), run_there(worker, run))
    await asyncio.sleep(0)
    assert not worker.is_quick
    run.go.set()
    await first
    worker.forget()
    after(worker, 0.0)
    assert worker.is_quick


async def test_run_here_is_on_this_thread() -> None:
    worker, run = Worker(asyncio.get_running_loop()), Recorder()
    assert worker.run_here(run, {"x": np.ones(1)}, None).outputs is not None
    assert run.threads == [threading.current_thread().name]


async def test_a_run_on_the_loop_that_does_not_end_is_told_of_by_the_thread() -> None:
    worker, run, told = Worker(asyncio.get_running_loop()), Recorder(), list[tuple[float, str]]()
    worker.run_here(run, {}, None)  # nobody asked to be told

    def stuck(limit_s: float) -> None:
        told.append((limit_s, threading.current_thread().name))
        run.go.set()

    worker.limit(0.04, stuck)
    for _ in range(2):  # the watch ends, and begins again
        run.go.clear()
        worker.run_here(run, {}, None)
        async with asyncio.timeout(20):
            while worker._is_watched:
                await asyncio.sleep(0.001)
    assert told == [(0.04, "model")] * 2
    assert (await run_there(worker, run)).outputs is not None
    run.go.clear()
    worker.run_here(run, {}, None)  # right behind another
    assert told == [(0.04, "model")] * 3


async def test_runs_on_the_loop_that_end_are_looked_at_and_forgotten() -> None:
    worker, told = Worker(asyncio.get_running_loop()), list[float]()
    worker.limit(1000, told.append)  # its own looks are far away
    for looks in (1, LOOKS - 1):
        worker.enters()
        worker._look()  # finds it for the first time
        worker._looks = looks - 1
        worker._look()
        worker.saw(0.0)
    worker.enters()
    worker._look()
    assert worker._looks == 0
    assert told == []
    worker._look()
    worker._looks = LOOKS - 1
    worker._look()
    assert told == [1000]


async def test_what_escapes_a_run_is_a_fault_without_details() -> None:
    def fail(feeds: dict[str, Tensor], wanted: Wanted) -> Mapping[str, Tensor]:
        raise KeyError("secret")

    outcome = Worker(asyncio.get_running_loop()).run_here(fail, {}, None)
    assert isinstance(outcome.error, RequestError)
    assert outcome.error.status == 500
    assert "secret" not in str(outcome.error)


async def test_what_no_one_catches_fails_one_run_and_not_the_thread() -> None:
    """PanicException of libraries in Rust, and CancelledError, are no Exceptions."""

    class Panic(BaseException):
        pass

    def panics(feeds: dict[str, Tensor], wanted: Wanted) -> Mapping[str, Tensor]:
        raise Panic

    worker = Worker(asyncio.get_running_loop())
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    worker.run_there(panics, {}, None, future.set_result)
    outcome = await asyncio.wait_for(future, 10)
    assert (outcome.outputs, outcome.error and outcome.error.status) == (None, 500)
    assert (await run_there(worker, Recorder())).outputs is not None
    assert worker.run_here(panics, {}, None).outputs is None


async def test_what_ran_is_let_go_of_before_the_next_comes() -> None:
    worker = Worker(asyncio.get_running_loop())
    run = Recorder()
    kept = weakref.ref(run)
    await run_there(worker, run)
    del run
    async with asyncio.timeout(10):
        while kept() is not None:
            await asyncio.sleep(0.001)
    worker.stop()
