"""A job that takes more runs than one: each a part, run in its turn among the others' runs.

For: explanations, which ask a model thousands of questions and must not keep it to themselves.
Must not know: what the steps are, batches, workers, exchanges.

A part rides in batches like any request. It is not admitted by the gate: its job was.
"""

import logging
from typing import Generic, Protocol, TypeVar

from predictor.errors import Fault, RequestError
from predictor.protocol import InferRequest, Steps
from predictor.worker import Outcome

_LOG = logging.getLogger(__name__)


class Whole(Protocol):
    """The job that the parts are of, as far as they ask."""

    is_over: bool


W = TypeVar("W", bound=Whole)


class Walk(Generic[W]):
    """One job's steps."""

    __slots__ = ("_run_s", "_steps", "job")

    def __init__(self, job: W, steps: Steps) -> None:
        self.job = job
        self._steps = steps
        self._run_s = 0.0

    def following(self, outcome: Outcome | None) -> InferRequest | Outcome:
        """What is to be run next, after the outcome of the last; an outcome when it is over.

        Nothing is run for a job that is over: its client left, or its time is up.
        """
        if outcome is not None:
            self._run_s += outcome.run_s
        if self.job.is_over:
            self._steps.close()
            return Outcome(None, None, self._run_s)
        try:
            if outcome is None:
                return next(self._steps)
            if outcome.outputs is None:
                return self._steps.throw(outcome.error or RequestError(Fault.BUG))
            return self._steps.send(outcome.outputs)
        except StopIteration as over:
            return Outcome(over.value, None, self._run_s)
        except RequestError as error:
            return Outcome(None, error, self._run_s)
        except Exception:  # noqa: BLE001 - a boundary: the job has a slot, its client waits
            _LOG.exception("a step failed outside the model")
            return Outcome(None, RequestError(Fault.BUG), self._run_s)


class Part(Generic[W]):
    """One run of a job's, as a rider of batches."""

    __slots__ = ("request", "walk")

    def __init__(self, request: InferRequest, walk: Walk[W]) -> None:
        self.request: InferRequest | None = request
        self.walk = walk

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it."""
        return self.walk.job.is_over
