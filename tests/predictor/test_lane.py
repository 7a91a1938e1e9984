"""The lane with jobs of no protocol; over sockets it is tested by test_server.py."""

import asyncio
import contextlib
import gc
import math
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from predictor import config
from predictor.batches import Batches
from predictor.errors import Fault, RequestError
from predictor.lane import Lane
from predictor.loaded import Loaded
from predictor.model import Tensor
from predictor.protocol import NO_HEADERS, Encoded, InferRequest, PlainCodec
from predictor.worker import INLINE_MAX_S, Worker

X = np.array([1.0, 2.0])


class Errand:
    """A job that keeps what it is told."""

    is_proxied = False

    def __init__(self, *, fails: str = "", deadline_s: float = math.inf) -> None:
        self.request: InferRequest | None = None
        self.deadline_s = deadline_s
        self.is_over = False
        self.told: list[Any] = []
        self._fails = fails

    def decode(self) -> InferRequest:
        if self._fails == "decode":
            raise RequestError(Fault.NOT_READY, name="m")
        if self._fails == "decode badly":
            raise ZeroDivisionError
        return InferRequest(None, {"x": X}, None)

    def encode(self, outputs: Mapping[str, Tensor]) -> Any:
        if self._fails == "encode":
            raise RequestError(Fault.BAD_OUTPUT, detail="no")
        if self._fails == "encode badly":
            raise ZeroDivisionError
        return outputs["y"].tolist()

    def answer(self, encoded: Any, run_s: float, timing: bytes) -> None:
        assert run_s >= 0
        assert timing == b""
        self.told.append(encoded)

    def refuse(self, error: RequestError) -> None:
        self.told.append(error.fault)


class Held:
    """y = 2x, once let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.runs = 0

    def __call__(self, feeds: dict[str, Tensor], wanted: Any) -> Mapping[str, Tensor]:
        assert self.go.wait(20)
        self.runs += 1
        return {"y": feeds["x"] * 2}


def lane_of(
    run: Any, *, concurrency: int = 0, timeout_s: float = 20, batches: bool = False
) -> Lane:
    more = ["--max-batch-size", "8"] if batches else []
    settings = config.parse(["--model", "m.onnx", *more], {})
    settings = replace(settings, container_concurrency=concurrency, timeout_s=timeout_s)
    loaded = Loaded(run=run, signature=None, described=None, platform="p")
    return Lane(settings, loaded, Worker(asyncio.get_running_loop()))


def give(lane: Lane, job: Errand) -> Errand:
    now_s = lane.opened(job)
    lane.submit(job)
    if not job.is_over:
        lane.watch(job, now_s)
    return job


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def test_an_answer() -> None:
    model = Held()
    model.go.set()
    lane = lane_of(model)
    job = give(lane, Errand())
    await until(lambda: job.told)
    assert (job.told, job.is_over, lane.is_busy) == ([[2.0, 4.0]], True, False)
    assert lane.statistics()["requests"] == 1


async def test_one_that_is_closed_lets_go_of_its_model() -> None:
    model = Held()
    model.go.set()
    lane = lane_of(model, timeout_s=300)
    job = give(lane, Errand())
    await until(lambda: job.told)
    kept = weakref.ref(model)
    del model
    gc.collect()
    assert kept() is not None, "a timer has it"
    lane.close()
    gc.collect()
    assert kept() is None
    assert lane.statistics()["requests"] == 1


@pytest.mark.parametrize(
    ("fails", "fault"),
    [
        ("decode", Fault.NOT_READY),
        ("decode badly", Fault.BUG),
        ("encode", Fault.BAD_OUTPUT),
        ("encode badly", Fault.BUG),
    ],
)
async def test_a_job_that_fails_gives_its_slot_back(fails: str, fault: Fault) -> None:
    model = Held()
    model.go.set()
    lane = lane_of(model, concurrency=1)
    first, second = give(lane, Errand(fails=fails)), give(lane, Errand())
    await until(lambda: second.told)
    assert (first.told, second.told) == ([fault], [[2.0, 4.0]])
    assert not lane.is_busy


async def test_jobs_beyond_the_limit_wait_and_those_beyond_the_queue_are_refused() -> None:
    model = Held()
    lane = lane_of(model, concurrency=1)
    jobs = [give(lane, Errand()) for _ in range(12)]
    assert jobs[-1].told == [Fault.QUEUE_FULL]
    assert lane.statistics()["queued"] == 10
    lane.abandoned(jobs[1])
    assert lane.statistics()["queued"] == 9
    model.go.set()
    await until(lambda: not lane.is_busy)
    assert model.runs == 10
    assert jobs[1].told == []


async def test_a_deadline_of_its_own_is_told_and_the_run_keeps_its_slot() -> None:
    model = Held()
    lane = lane_of(model, concurrency=1)
    job = give(lane, Errand())
    lane.expired(job, 0.5)
    lane.expired(job, 0.5)  # an answer and a timer may cross
    assert job.told == [Fault.TIMED_OUT]
    assert lane.is_busy
    model.go.set()
    await until(lambda: not lane.is_busy)


async def test_nobody_waits_longer_than_the_timeout() -> None:
    model = Held()
    lane = lane_of(model, timeout_s=0.01)
    jobs = [give(lane, Errand()), give(lane, Errand())]
    await until(lambda: all(job.told for job in jobs))
    assert [job.told for job in jobs] == [[Fault.TIMED_OUT]] * 2
    model.go.set()
    await until(lambda: not lane.is_busy)


async def test_a_run_that_does_not_end_is_told_of_and_a_late_one_is_not() -> None:
    model = Held()
    lane = lane_of(model, timeout_s=0.05)
    told: list[float] = []
    lane.on_stuck = told.append
    give(lane, Errand())
    await until(lambda: told)
    assert told == [0.1]
    model.go.set()
    await until(lambda: not lane.is_busy)
    late = Held()
    other = lane_of(late, timeout_s=0.05)
    other.on_stuck = told.append

    class Refused(Errand):
        def refuse(self, error: RequestError) -> None:
            super().refuse(error)
            # Whatever a slow machine takes to end the run, it is looked at below, after that.
            other._settings = replace(other._settings, timeout_s=1000)

    job = give(other, Refused())
    await until(lambda: job.told)
    late.go.set()
    await until(lambda: not other.is_busy)
    assert other._worker.mark == 0
    other._look_if_stuck(1)
    assert told == [0.1]


class Plain(PlainCodec):
    """The body is how it fails."""

    def decode(self, body: bytes, index: Mapping[bytes, bytes] = NO_HEADERS) -> InferRequest:
        if body == b"decode":
            raise RequestError(Fault.NOT_READY, name="m")
        if body == b"decode badly":
            raise ZeroDivisionError
        return InferRequest(body.decode(), {"x": X}, None)

    def encode(self, request: InferRequest, outputs: Mapping[str, Tensor]) -> Encoded:
        if request.id == "encode":
            raise RequestError(Fault.BAD_OUTPUT, detail="no")
        return Encoded(b"", str(outputs["y"].tolist()).encode())


def quick(lane: Lane) -> None:
    lane._worker.forget()
    lane._worker.saw(0.0)
    assert lane.is_clear


async def test_at_once_from_a_body_to_its_answer() -> None:
    model = Held()
    model.go.set()
    lane = lane_of(model, concurrency=1)
    assert not lane.is_clear, "nobody knows yet how long it takes"
    quick(lane)
    encoded, run_s, timing = lane.at_once(Plain(), b"", NO_HEADERS, is_proxied=True)
    assert (encoded, timing) == (Encoded(b"", b"[2.0, 4.0]"), b"")
    found = lane.statistics()
    assert (found["requests"], found["proxied_requests"], found["in_flight"]) == (1, 1, 0)
    assert found["proxied_concurrency_seconds"] >= run_s >= 0
    assert not lane.is_busy


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"decode", Fault.NOT_READY),
        (b"decode badly", Fault.BUG),
        (b"encode", Fault.BAD_OUTPUT),
    ],
)
async def test_at_once_or_why_not(body: bytes, fault: Fault) -> None:
    model = Held()
    model.go.set()
    lane = lane_of(model)
    with pytest.raises(RequestError) as caught:
        lane.at_once(Plain(), body, NO_HEADERS, is_proxied=False)
    assert caught.value.fault is fault
    assert lane.statistics()["requests"] == 1
    assert not lane.is_busy


@pytest.mark.parametrize("raised", [ZeroDivisionError, SystemExit])
async def test_what_a_model_raises_at_once_is_a_fault(raised: type[BaseException]) -> None:
    def run(feeds: Any, wanted: Any) -> Any:
        raise raised

    lane = lane_of(run)
    with pytest.raises(RequestError) as caught:
        lane.at_once(Plain(), b"", NO_HEADERS, is_proxied=False)
    assert caught.value.fault is Fault.BUG


async def test_a_run_at_once_that_does_not_end_is_told_of() -> None:
    model, told = Held(), list[float]()
    lane = lane_of(model)

    def stuck(limit_s: float) -> None:
        told.append(limit_s)
        model.go.set()

    lane._worker.limit(0.04, stuck)
    lane.at_once(Plain(), b"", NO_HEADERS, is_proxied=False)
    assert told == [0.04]


async def test_a_run_that_was_slow_at_once_sends_the_next_to_the_thread() -> None:
    def run(feeds: Any, wanted: Any) -> Any:
        deadline_s = time.perf_counter() + 1.1 * INLINE_MAX_S
        while time.perf_counter() < deadline_s:
            pass
        if len(slow) > 1:
            raise RequestError(Fault.BUG)
        return {"y": X}

    slow = [1]
    lane = lane_of(run)
    for _ in range(2):
        quick(lane)
        with contextlib.suppress(RequestError):
            lane.at_once(Plain(), b"", NO_HEADERS, is_proxied=False)
        assert not lane.is_clear
        slow.append(1)


async def test_nothing_is_at_once_beside_a_run_or_where_joining_pays() -> None:
    model = Held()
    lane = lane_of(model, concurrency=1)
    job = give(lane, Errand())
    lane._worker.saw(0.0)
    assert not lane.is_clear
    model.go.set()
    await until(lambda: job.told)
    quick(lane)
    among = lane_of(model, batches=True)
    among._worker.saw(0.0)
    assert not among.is_clear
    among._batches.pays = False  # type: ignore[union-attr] # it batches
    assert among.is_clear


class Told(Batches[Any]):
    """What ran without it."""

    def __init__(self) -> None:
        self.pays = False
        self.runs: list[float] = []
        self.timing = b""

    def ran_alone(self, request: InferRequest, run_s: float) -> bytes:
        self.runs.append(run_s)
        return self.timing


async def test_where_joining_does_not_pay_batches_are_told_of_runs_and_given_none() -> None:
    model = Held()
    model.go.set()
    lane = lane_of(model, batches=True)
    lane._batches = told = Told()
    quick(lane)
    told.timing = b"alone, "
    *_, timing = lane.at_once(Plain(), b"", NO_HEADERS, is_proxied=False)
    assert timing == b"alone, "
    told.timing = b""
    job = give(lane, Errand())  # as one that came by gRPC
    assert job.told == [[2.0, 4.0]]
    assert len(told.runs) == 2


async def test_a_batch_is_told_when_each_must_be_answered() -> None:
    model = Held()
    lane = lane_of(model, batches=True, timeout_s=20)
    assert lane._batches is not None
    seen: list[float] = []
    lane._batches.add = lambda rider, *, deadline_s: seen.append(deadline_s)  # type: ignore[method-assign] # heard, not run
    now_s = asyncio.get_running_loop().time()
    give(lane, Errand(deadline_s=now_s + 5))
    give(lane, Errand(deadline_s=now_s + 50))
    assert seen[0] == now_s + 5, "its client's"
    assert now_s + 20 <= seen[1] < now_s + 50, "the revision's, which is sooner"


async def test_a_run_that_failed_says_nothing_of_how_long_one_takes() -> None:
    def run(feeds: Any, wanted: Any) -> Any:
        raise RequestError(Fault.BUG)

    lane = lane_of(run, batches=True)
    lane._batches = told = Told()
    quick(lane)
    with pytest.raises(RequestError):
        lane.at_once(Plain(), b"", NO_HEADERS, is_proxied=False)
    assert give(lane, Errand()).told == [Fault.BUG]
    assert not told.runs
