"""One model's way from a whole request to its outcome: gate, deadlines, batches, worker.

For: everything that is asked of one model, by whatever protocol, within its limits.
Must not know: exchanges, paths, JSON, or who waits for an answer: a job knows.

A job counts from its first byte (`opened`), stands in the gate once it is whole (`submit`), and is
over when it is answered, refused, or nobody waits for it any more. A run that goes on after that
keeps its slot.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Protocol

from predictor.batches import Batches
from predictor.config import Settings
from predictor.errors import Fault, RequestError
from predictor.gate import Admission, Gate
from predictor.loaded import Loaded
from predictor.model import Tensor
from predictor.protocol import Codec, Encoded, InferRequest
from predictor.stats import RequestStats
from predictor.stepping import Part, Walk
from predictor.worker import Outcome, Worker

_LOG = logging.getLogger(__name__)


class Job(Hashable, Protocol):
    """One inference on its way, and what its protocol makes of the outcome."""

    request: InferRequest | None  # put there by the lane
    is_over: bool  # put there by the lane; False at first
    is_proxied: bool
    deadline_s: float  # its client's, by the loop's clock; infinite where there is none

    def decode(self) -> InferRequest:
        """What is to be run; asked once, when there is room. RequestError refuses the job."""
        ...

    def encode(self, outputs: Mapping[str, Tensor]) -> Any:
        """What `answer` will send; RequestError refuses the job."""
        ...

    def answer(self, encoded: Any, run_s: float, timing: bytes) -> None:
        """Send it; the job is over. `timing` are entries of a server-timing header."""

    def refuse(self, error: RequestError) -> None:
        """Say why there is no answer; the job is over."""


class Ending(Hashable, Protocol):
    """Something that asks again and again, and can be ended."""

    def end(self, error: RequestError | None = None) -> None:
        """It is over, well or not."""


class Lane:
    """All calls come from one event loop."""

    def __init__(self, settings: Settings, loaded: Loaded, worker: Worker) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._worker = worker
        self._run = loaded.run
        self._gate: Gate[Job] = Gate(settings.container_concurrency)
        self.stats = RequestStats(now_s=self._loop.time())
        self.active_s = self._loop.time()  # when a job last came or was over
        self.asked_s = self.active_s  # when one last came
        self._batches = _batches(settings, loaded, worker, self._rode)
        self.streams: set[Ending] = set()  # they enter and leave by themselves
        self._waiting: dict[Job, float] = {}  # jobs not answered in their tick → deadline
        self._timer: asyncio.TimerHandle | None = None
        self.on_stuck: Callable[[float], None] | None = None  # told how long a run has taken

    @property
    def is_busy(self) -> bool:
        """Whether a request is being received, waits or runs, or an abandoned run goes on."""
        return self.stats.in_flight > 0 or self._gate.running > 0

    @property
    def is_held(self) -> bool:
        """Whether a stream is open by which something came within the timeout."""
        return bool(self.streams) and (self._loop.time() - self.asked_s < self._settings.timeout_s)

    @property
    def is_clear(self) -> bool:
        """Whether one more job would run at once, here, and be over: `at_once` may be asked."""
        joins = self._batches is not None and self._batches.pays
        return self._worker.is_quick and not joins and not self._gate.running

    def at_once(
        self, codec: Codec, body: bytes, index: Mapping[bytes, bytes], *, is_proxied: bool
    ) -> tuple[Encoded, float, bytes]:
        """From a whole request to its answer, where nothing is waited for.

        Also how long it ran, and entries of a server-timing header.

        RequestError says why there is none. What this leaves out of a job's way, the gate and
        the watch, could not be seen by anybody: nothing else happens meanwhile.
        """
        began_s = time.perf_counter()
        started_s = ended_s = 0.0  # of the run
        try:
            request = codec.decode(body, index)
            self._worker.enters()
            started_s = time.perf_counter()
            outputs = self._run(request.feeds, request.outputs)
            ended_s = time.perf_counter()
            run_s = ended_s - started_s
            timing = b"" if self._batches is None else self._batches.ran_alone(request, run_s)
            return codec.encode(request, outputs), run_s, timing
        except RequestError:
            raise
        except BaseException:  # noqa: BLE001 - a boundary: a model may be anybody's code
            _LOG.exception("a request failed outside the model")
            raise RequestError(Fault.BUG) from None
        finally:
            now_s = time.perf_counter()
            if started_s:
                self._worker.saw((ended_s or now_s) - started_s)
            self.active_s = self.asked_s = self._loop.time()
            self.stats.passed(now_s - began_s, is_proxied=is_proxied)

    def opened(self, job: Job) -> float:
        """A job's first bytes came; the time."""
        self.active_s = self.asked_s = now_s = self._loop.time()
        self.stats.arrived(is_proxied=job.is_proxied, now_s=now_s)
        return now_s

    def submit(self, job: Job) -> None:
        """A job is whole. It may be over when this returns; if not, it is to be watched."""
        admission = self._gate.arrived(job)
        if admission is Admission.ADMITTED:
            self._execute(job)
        elif admission is Admission.REFUSED:
            self.refuse(job, RequestError(Fault.QUEUE_FULL))

    def watch(self, job: Job, now_s: float) -> None:
        """Refuse a job that is not over within the timeout, from now."""
        self._waiting[job] = now_s + self._settings.timeout_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._waiting[job], self._expire)

    def refuse(self, job: Job, error: RequestError) -> None:
        """Answer a job with a fault."""
        self._over(job)
        job.refuse(error)

    def expired(self, job: Job, timeout_s: float) -> None:
        """A job's own deadline has passed, sooner than the timeout would."""
        if not job.is_over:
            self.refuse(job, RequestError(Fault.TIMED_OUT, timeout_s=timeout_s))
            self._leave(job)
            if self._worker.mark:
                again_s = self._settings.timeout_s
                self._loop.call_later(again_s, self._look_if_stuck, self._worker.mark)

    def abandoned(self, job: Job) -> None:
        """Nobody waits for a job: its place in the queue is free, its run goes on."""
        if not job.is_over:
            self._over(job)
            self._leave(job)

    def close(self) -> None:
        """Nothing is asked any more: let go of the model, which a timer must not keep."""
        for stream in tuple(self.streams):
            stream.end(RequestError(Fault.NOT_READY, name=self._settings.model_name))
        self._run = _closed
        self._batches = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def statistics(self) -> dict[str, Any]:
        """What waits and runs, and all totals until now."""
        gate = self._gate.statistics()
        batches = {"batching": asdict(self._batches.statistics())} if self._batches else {}
        return {**batches, **self.stats.report(now_s=self._loop.time()), **asdict(gate)}

    def _leave(self, job: Job) -> None:
        """Give back the place of a job that is over, unless it is running."""
        if not self._gate.abandoned(job) and self._batches and self._batches.abandoned(job):
            self._ran(job, Outcome(None, None, 0.0))

    def _execute(self, job: Job) -> None:
        """Run an admitted job; whatever happens, its slot is released once."""
        if job.is_over:  # its client left in the tick in which it got the slot
            self._ran(job, Outcome(None, None, 0.0))
            return
        try:
            job.request = request = job.decode()
        except RequestError as error:
            self._ran(job, Outcome(None, error, 0.0))
            return
        except Exception:  # noqa: BLE001 - a boundary: release the slot, answer the client
            _LOG.exception("decoding a request failed")
            self._ran(job, Outcome(None, RequestError(Fault.BUG), 0.0))
            return
        worker = self._worker
        if request.steps is not None:
            self._walk(Walk(job, request.steps))
        elif request.run is not None:
            worker.run_there(request.run, request.feeds, request.outputs, partial(self._ran, job))
        elif self._batches is not None and (self._batches.pays or not worker.is_quick):
            self._batches.add(job, deadline_s=self._deadline_s(job))
        elif worker.is_quick:
            self._run_here(job, request)
        else:
            worker.run_there(self._run, request.feeds, request.outputs, partial(self._ran, job))

    def _run_here(self, job: Job, request: InferRequest) -> None:
        outcome = self._worker.run_here(self._run, request.feeds, request.outputs)
        timing = b""
        if self._batches is not None and outcome.outputs is not None:
            timing = self._batches.ran_alone(request, outcome.run_s)
        self._ran(job, outcome, timing)

    def _deadline_s(self, job: Job) -> float:
        ours_s = self._waiting.get(job, self._loop.time() + self._settings.timeout_s)
        return min(ours_s, job.deadline_s)

    def _walk(self, walk: Walk[Job], outcome: Outcome | None = None) -> None:
        """Run the next part of a job, among the runs of others."""
        found = walk.following(outcome)
        if isinstance(found, Outcome):
            self._ran(walk.job, found)
        elif found.run is None and self._batches is not None:
            self._batches.add(Part(found, walk), deadline_s=self._deadline_s(walk.job))
        else:
            run, ended = found.run or self._run, partial(self._walk, walk)
            self._worker.run_there(run, found.feeds, found.outputs, ended)

    def _rode(self, rider: Job | Part[Job], outcome: Outcome, timing: bytes) -> None:
        if isinstance(rider, Part):
            self._walk(rider.walk, outcome)
        else:
            self._ran(rider, outcome, timing)

    def _ran(self, job: Job, outcome: Outcome, timing: bytes = b"") -> None:
        if not job.is_over:
            if outcome.outputs is not None and job.request is not None:
                self._answer(job, outcome.outputs, outcome.run_s, timing)
            else:
                self.refuse(job, outcome.error or RequestError(Fault.BUG))
        following = self._gate.finished()
        if following is not None:
            self._loop.call_soon(self._execute, following)  # not at once: a queue is no stack

    def _answer(self, job: Job, outputs: Mapping[str, Tensor], run_s: float, timing: bytes) -> None:
        try:
            encoded = job.encode(outputs)
        except RequestError as error:
            self.refuse(job, error)
            return
        except Exception:  # noqa: BLE001 - a boundary, as in _execute
            _LOG.exception("encoding an answer failed")
            self.refuse(job, RequestError(Fault.BUG))
            return
        self._over(job)
        job.answer(encoded, run_s, timing)

    def _over(self, job: Job) -> None:
        """The client has its answer or is gone. A run that goes on keeps its slot."""
        assert not job.is_over
        job.is_over = True
        self._waiting.pop(job, None)
        self.active_s = now_s = self._loop.time()
        self.stats.left(is_proxied=job.is_proxied, now_s=now_s)

    def _look_if_stuck(self, mark: int) -> None:
        """A run that outlasted its timeout and then as long again will not end."""
        if self._worker.mark == mark and self.on_stuck is not None:
            self.on_stuck(2.0 * self._settings.timeout_s)

    def _expire(self) -> None:
        """One timer for all jobs, which all have the same timeout."""
        self._timer = None
        now_s = self._loop.time()
        while self._waiting:
            job, deadline_s = next(iter(self._waiting.items()))
            if deadline_s > now_s:
                self._timer = self._loop.call_at(deadline_s, self._expire)
                return
            self.expired(job, self._settings.timeout_s)


def _closed(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
    """Stand in for a model that went."""
    del feeds, wanted
    raise RequestError(Fault.BUG)


def _batches(
    settings: Settings,
    loaded: Loaded,
    worker: Worker,
    done: Callable[[Job | Part[Job], Outcome, bytes], None],
) -> Batches[Job | Part[Job]] | None:
    if not settings.batch_size_max:
        return None
    if settings.container_concurrency == 1:
        _LOG.warning("WARNING: with containerConcurrency 1 there is never a second to batch")
    size, delay_s = settings.batch_size_max, settings.batch_delay_s
    return Batches(worker, loaded.run, done, rows_max=size, delay_s=delay_s)
