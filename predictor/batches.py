"""Run waiting requests together: their rows joined on the way in, parted on the way out.

For: the shell around batching.py: arrays, the worker, one timer.
Must not know: HTTP, JSON, gates, or when a request may run: batching.py says so.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np

from predictor.batching import Batcher, BatchStatistics, Member
from predictor.errors import Fault, RequestError
from predictor.joining import Joining
from predictor.loaded import Loaded
from predictor.model import Tensor
from predictor.protocol import InferRequest
from predictor.worker import Outcome, Run, Worker

_LOG = logging.getLogger(__name__)

_SAMPLE = 8  # of what was not added, it learns from one in so many: to learn costs 2 µs
_TIMING = b'wait;dur=%.3f, batch;desc="%d requests / %d rows", '
_ALONE = b'wait;dur=0.000, batch;desc="1 requests / %d rows", '


class Rider(Hashable, Protocol):
    """What rides in a batch: a parsed request, and whether its client still waits."""

    request: InferRequest | None

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        ...


R = TypeVar("R", bound=Rider)


def refusal(loaded: Loaded) -> str:
    """Why a model's requests can not be joined along axis 0; "" where they can."""
    if loaded.is_rowwise or loaded.unbatchable:
        return loaded.unbatchable
    if loaded.signature is None:
        return "the model declares no signature, so nobody knows whether axis 0 is a batch"
    for role, specs in (("input", loaded.signature.inputs), ("output", loaded.signature.outputs)):
        for spec in specs:
            if spec.shape[:1] != (-1,):
                shape = list(spec.shape)
                return f"{role} '{spec.name}' has shape {shape}: its axis 0 is not a batch"
    return ""


class Batches(Generic[R]):
    """Riders in, an outcome for each; all calls come from one event loop.

    What arrived in one turn of the loop is looked at together at its end.
    """

    def __init__(
        self,
        worker: Worker,
        run: Run,
        done: Callable[[R, Outcome, bytes], None],
        *,
        rows_max: int,
        delay_s: float,
    ) -> None:
        """`done(rider, outcome, timing)`: `timing` are entries of a server-timing header."""
        self._loop = asyncio.get_running_loop()
        self._worker = worker
        self._run = run
        self._done = done
        self._batcher: Batcher[R] = Batcher(rows_max=rows_max, delay_s=delay_s)
        self._timer: asyncio.Handle | None = None
        self._is_due = False  # looks at the end of this turn
        self._is_rowwise = True
        self._suspects = 0  # of a batch that gave other rows than it got: to run alone yet
        self._misfits: set[bool] = set()  # whether those that did run alone gave other rows, too
        self._joining = Joining()
        self.pays = self._joining.pays  # whether the next request is to be added, where it can run
        self._alone = 0  # requests that ran and were not added

    def ran_alone(self, request: InferRequest, run_s: float) -> bytes:
        """A request ran that was not added; entries of a server-timing header, as for `done`."""
        self._alone += 1
        if not self._alone % _SAMPLE:
            self._ran(run_s, 1)
        return _ALONE % (_rows(request.feeds) or 1)

    def add(self, rider: R, *, deadline_s: float) -> None:
        """Take a rider, whose `done` is called exactly once unless it is abandoned in time."""
        assert rider.request is not None
        key, rows = _shape(rider.request) if self._is_rowwise else (None, 1)
        now_s = self._loop.time()
        self._batcher.arrived(rider, key=key, rows=rows, deadline_s=deadline_s, now_s=now_s)
        if not self._is_due:
            self._look_at(now_s)

    def abandoned(self, rider: R) -> bool:
        """A rider's client is gone: True if it waited, and `done` is not called for it."""
        return self._batcher.abandoned(rider)

    def statistics(self) -> BatchStatistics:
        """What waits, and what ran so far; what was not added is a batch of one."""
        found = self._batcher.statistics()
        ran, alone = found.requests + self._alone, found.batches + self._alone
        return replace(found, requests=ran, batches=alone)

    def _ran(self, run_s: float, requests: int) -> None:
        self._joining.ran(run_s, requests)
        self.pays = self._is_rowwise and self._joining.pays

    def _look_at(self, due_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._is_due = due_s is not None and due_s <= self._loop.time()
        if due_s is None:
            self._timer = None
        elif self._is_due:
            self._timer = self._loop.call_soon(self._look)
        else:
            self._timer = self._loop.call_at(due_s, self._look)

    def _look(self) -> None:
        self._timer = None
        self._is_due = False
        now_s = self._loop.time()
        members = self._batcher.take(now_s=now_s)
        if not members:
            self._look_at(self._batcher.next_deadline_s(now_s=now_s))
            return
        riders = [member.token for member in members]
        run = partial(_joined, self._run, [_feeds(rider) for rider in riders])
        request = riders[0].request
        assert request is not None
        ended = partial(self._ended, members, now_s)
        if all(rider.is_over for rider in riders):
            ended(Outcome(None, RequestError(Fault.BUG), 0.0))  # nobody reads it
        elif self._worker.is_quick:
            ended(self._worker.run_here(run, {}, request.outputs))
        else:
            self._worker.run_there(run, {}, request.outputs, ended)

    def _ended(self, members: tuple[Member[R], ...], started_s: float, outcome: Outcome) -> None:
        if self._suspects:
            self._judge(members[0], outcome)
        outcomes = [outcome] if len(members) == 1 else self._part(members, outcome)
        self._batcher.finished(is_good=bool(outcomes), run_s=outcome.run_s)
        if outcome.outputs is not None:
            self._ran(outcome.run_s, len(members))
        self._look_at(self._batcher.next_deadline_s(now_s=self._loop.time()))
        if not outcomes:
            _LOG.warning("a batch of %d requests failed: each runs again alone", len(members))
            return
        rows = sum(member.rows for member in members)
        for member, part in zip(members, outcomes, strict=True):
            wait_ms = (started_s - member.arrived_s) * 1000
            self._done(member.token, part, _TIMING % (wait_ms, len(members), rows))

    def _part(self, members: Sequence[Member[R]], outcome: Outcome) -> list[Outcome]:
        """To each its own rows; nothing where the run failed or gave other rows than it got."""
        if outcome.outputs is None:
            return []
        rows = sum(member.rows for member in members)
        if misfit := _misfit(outcome.outputs, rows):
            _LOG.error("a batch of %d requests: %s", len(members), misfit)
            self._suspects = len(members)
            self._misfits.clear()
            return []
        found: list[Outcome] = []
        start = 0
        for member in members:
            end = start + member.rows
            own = {name: array[start:end] for name, array in outcome.outputs.items()}
            found.append(Outcome(own, None, outcome.run_s))
            start = end
        return found

    def _judge(self, member: Member[R], outcome: Outcome) -> None:
        """Whose fault a misfit was: one request's that gives other rows alone too, or the model's.

        Where all give them, or none does, the model is not one of rows.
        """
        self._suspects -= 1
        if outcome.outputs is not None:
            self._misfits.add(bool(_misfit(outcome.outputs, member.rows)))
        if not self._suspects and len(self._misfits) < 2:
            self._is_rowwise = False
            _LOG.error("no more batches of this model: its outputs are not one for each row")


def _misfit(outputs: Mapping[str, Tensor], rows: int) -> str:
    """Which output has other rows than the run got; "" where none has."""
    for name, array in outputs.items():
        if array.shape[:1] != (rows,):
            return f"output '{name}' has shape {list(array.shape)} for {rows} rows"
    return ""


def _shape(request: InferRequest) -> tuple[Hashable | None, int]:
    """What must be equal to be joined, and the rows; no key where axis 0 is no batch.

    The order of the inputs counts: to a model without names it is the order of its columns. BYTES
    of a request are all text or all bytes, and a model is given one or the other.
    """
    rows = _rows(request.feeds)
    if not rows:
        return None, 1
    parts = tuple([(name, _kind(one), one.shape[1:]) for name, one in request.feeds.items()])
    return (parts, request.outputs), rows


def _kind(array: Tensor) -> object:
    dtype = array.dtype
    return dtype if dtype.char != "O" or not array.size else type(array.flat[0])


def _rows(feeds: Mapping[str, Tensor]) -> int:
    """What all have along axis 0; 0 where they differ or have no such axis."""
    if len(feeds) == 1:
        [array] = feeds.values()
        return len(array) if array.ndim else 0
    sizes = {array.shape[:1] for array in feeds.values()}
    [size] = sizes if len(sizes) == 1 else ((),)
    return size[0] if size else 0


def _feeds(rider: Rider) -> dict[str, Tensor]:
    assert rider.request is not None
    return rider.request.feeds


def _joined(
    run: Run,
    feeds: Sequence[dict[str, Tensor]],
    nothing: dict[str, Tensor],
    wanted: tuple[str, ...] | None,
) -> Mapping[str, Tensor]:
    """Joined where the run is: on the worker's thread when that is where it runs."""
    del nothing
    if len(feeds) == 1:
        return run(feeds[0], wanted)
    return run({name: np.concatenate([one[name] for one in feeds]) for name in feeds[0]}, wanted)
