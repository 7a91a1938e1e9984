"""The table of refusals."""

import json

import pytest

from activator import errors
from activator.errors import About, Fault
from activator.throttler import Refusal


@pytest.mark.parametrize("why", [*Refusal, *Fault])
def test_every_refusal_has_an_answer_of_the_same_form(why: Refusal | Fault) -> None:
    answer = errors.answer(why, About(revision="r-1", request_id=b"id", detail="so it is"))
    body = json.loads(answer.body)
    assert 400 <= answer.status < 600
    assert set(body) == {"error", "reason", "revision", "requestId"}
    assert (body["reason"], body["revision"], body["requestId"]) == (why.value, "r-1", "id")
    assert "{" not in body["error"]
    assert b"x-request-id: id\r\n" in answer.headers
    assert b"content-type: application/json\r\n" in answer.headers


def test_statuses_say_whose_fault_it_is() -> None:
    status = {why: errors.answer(why, About()).status for why in [*Refusal, *Fault]}
    assert status[Refusal.QUEUE_FULL] == status[Refusal.QUEUE_BYTES] == 429
    assert status[Refusal.DEADLINE] == status[Fault.EXECUTION_TIMEOUT] == 504
    assert status[Refusal.REVISION_FAILED] == 503
    assert status[Fault.REPLICA_DIED] == 502
    assert status[Fault.UNKNOWN_HOST] == status[Fault.UNKNOWN_MODEL] == 404


def test_hosts_and_retry_after_are_told_when_known() -> None:
    answer = errors.answer(Fault.UNKNOWN_HOST, About(hosts=["a"] * 99, retry_after_s=7))
    assert json.loads(answer.body)["hosts"] == ["a"] * 50
    assert b"retry-after: 7\r\n" in answer.headers


@pytest.mark.parametrize(
    ("queued", "finished_per_s", "expected"),
    [(300, 20, 15), (1, 1000, 1), (10_000, 1, 60), (10, 3, 4), (10, 0, 5)],
)
def test_retry_after_is_when_the_queue_has_drained(
    queued: int, finished_per_s: float, expected: int
) -> None:
    assert errors.retry_after_s(queued=queued, finished_per_s=finished_per_s) == expected
