"""Steps, one after another, until they are over or nobody waits."""

from collections.abc import Generator, Mapping

import numpy as np
import pytest

from predictor.errors import Fault, RequestError
from predictor.model import Tensor
from predictor.protocol import InferRequest
from predictor.stepping import Part, Walk
from predictor.worker import Outcome

PART = InferRequest(None, {"x": np.zeros(1)}, None)
OUTPUTS = {"y": np.ones(1)}
Heard = list[object]


class Waiting:
    is_over = False


def two(heard: Heard) -> Generator[InferRequest, Mapping[str, Tensor], Mapping[str, Tensor]]:
    try:
        heard.append((yield PART))
        heard.append((yield PART))
    except RequestError as error:
        heard.append(error)
        raise
    finally:
        heard.append("closed")
    return OUTPUTS


def test_each_outcome_is_told_and_the_time_adds_up() -> None:
    heard: Heard = []
    walk = Walk(Waiting(), two(heard))
    assert walk.following(None) is PART
    assert walk.following(Outcome(OUTPUTS, None, 0.25)) is PART
    assert walk.following(Outcome(OUTPUTS, None, 0.5)) == Outcome(OUTPUTS, None, 0.75)
    assert heard == [OUTPUTS, OUTPUTS, "closed"]


def test_a_fault_of_a_part_is_heard_and_ends_the_job() -> None:
    heard: Heard = []
    walk = Walk(Waiting(), two(heard))
    walk.following(None)
    fault = RequestError(Fault.QUEUE_FULL)
    assert walk.following(Outcome(None, fault, 1.0)) == Outcome(None, fault, 1.0)
    assert heard == [fault, "closed"]


def test_a_job_that_nobody_waits_for_stops() -> None:
    heard: Heard = []
    job = Waiting()
    walk = Walk(job, two(heard))
    found = walk.following(None)
    assert isinstance(found, InferRequest)
    part = Part(found, walk)
    assert not part.is_over
    job.is_over = True
    assert part.is_over
    assert walk.following(Outcome(OUTPUTS, None, 1.0)) == Outcome(None, None, 1.0)
    assert heard == ["closed"]


def test_a_step_that_fails_is_logged_and_is_ours(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> Generator[InferRequest, Mapping[str, Tensor], Mapping[str, Tensor]]:
        yield PART
        raise KeyError("x")

    walk = Walk(Waiting(), failing())
    walk.following(None)
    found = walk.following(Outcome(OUTPUTS, None, 0.0))
    assert isinstance(found, Outcome)
    assert found.error is not None
    assert found.error.fault is Fault.BUG
    assert "a step failed" in caplog.text
