"""The page of a request, from what the activator tells."""

from datetime import UTC
from typing import Any

import pytest

from relight.why_request import page, parts
from relight.why_revision import Reader

NOON = 1_795_435_200.0
READER = Reader(now_s=NOON + 60, zone=UTC, width=100)


def timeline(**changed: Any) -> dict[str, Any]:
    plain = {
        "id": "burst-7",
        "namespace": "default",
        "service": "iris",
        "revision": "iris-00001",
        "time": NOON,
        "held_s": 0.0124,
        "executing_s": 0.0041,
        "first_byte_s": 0.0165,
        "status": 200,
        "ending": "answered",
        "state": "ended",
        "replica": "pod-x",
        "cold": True,
        "is_held": True,
        "bytes_out": 131,
        "poked_s": 0.001,
        "poked_queue": 30,
        "replica_seen_s": 0.0014,
        "replica_ready_s": 0.0103,
    }
    return plain | changed


def told(**changed: Any) -> list[tuple[str, float]]:
    return [(part.name, round(part.seconds * 1000, 1)) for part in parts(timeline(**changed), None)]


DECISION = {"first": NOON + 0.001, "text": "It went from 0 to 30 replicas: 30 requests waited."}


def test_a_call_that_failed_is_told_by_its_own_status() -> None:
    text = page(timeline(grpc_status="NOT_FOUND"), None, None, READER)
    assert text.startswith(
        "request burst-7 to iris-00001, 12:00:00.000: 200 NOT_FOUND by pod-x in 16.5 ms"
    )


def test_a_page_says_where_the_time_went() -> None:
    text = page(timeline(), DECISION, {"fork_ms": 3.1, "load_ms": 1.8}, READER)
    assert text == "\n".join(
        [
            "request burst-7 to iris-00001, 12:00:00.000: 200 by pod-x in 16.5 ms",
            "",
            "                    ms     %",
            "  gathering        1.0     6  with others of its burst; 30 waited when it ended",
            "  ordering         0.4     2  the decision, and a Pod with a socket",
            "  starting         8.9    54  the replica (fork 3.1, load 1.8 ms)",
            "  queueing         2.1    13  for a slot: others were before it",
            "  executing        4.1    25",
            "  in all          16.5   100",
            "",
            "At 12:00:00.001: It went from 0 to 30 replicas: 30 requests waited.",
        ]
    )


def test_a_replica_that_was_claimed_says_so() -> None:
    start = {"claim_ms": 9.5, "fork_ms": 1.0, "load_ms": 4.0}
    text = page(timeline(), DECISION, start, READER)
    assert "ordering         0.4     2  the decision, and a warm Pod (claim 9.5 ms)" in text
    assert "the replica (fork 1.0, load 4.0 ms)" in text


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (None, "the replica (its Pod is gone, and its timing with it)"),
        ({}, "the replica"),
        ({"resumed_ms": 0.42}, "the replica, which was frozen (resumed in 0.4 ms)"),
        ({"load_ms": 7.0, "provider": "CPU"}, "the replica (load 7.0 ms)"),
    ],
)
def test_how_the_replica_started(start: dict[str, Any] | None, said: str) -> None:
    (starting,) = [part for part in parts(timeline(), start) if part.name == "starting"]
    assert starting.note == said


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # Every replica was full.
        (
            {"cold": False, "replica_ready_s": -5.0, "replica_seen_s": -6.0},
            [("queueing", 12.4), ("executing", 4.1)],
        ),
        # It was passed on at once; a connection had to be opened.
        (
            {"cold": False, "is_held": False, "held_s": 0.002, "slot_s": 0.0001, "poked_s": 0.0}
            | {"first_byte_s": 0.0061},
            [("passing on", 0.1), ("connecting", 1.9), ("executing", 4.1)],
        ),
        # A replica was on its way when it came: nothing was gathered, and it had been seen.
        (
            {"poked_s": -0.0, "replica_seen_s": -0.003},
            [("starting", 10.3), ("queueing", 2.1), ("executing", 4.1)],
        ),
        # The answer was streamed.
        (
            {"first_byte_s": 0.0134},
            [
                *(("gathering", 1.0), ("ordering", 0.4), ("starting", 8.9), ("queueing", 2.1)),
                *(("executing", 1.0), ("answering", 3.1)),
            ],
        ),
        # It never got a replica.
        (
            {"executing_s": None, "first_byte_s": None, "replica": None, "ending": "refused"},
            [("gathering", 1.0), ("waiting", 11.4)],
        ),
    ],
)
def test_the_parts_are_all_of_its_time(
    changed: dict[str, Any], expected: list[tuple[str, float]]
) -> None:
    assert told(**changed) == expected


def test_a_decision_of_before() -> None:
    text = page(timeline(), None, None, READER)
    assert text.endswith(
        "No decision was made for it while it was held: replicas were on their way."
    )
    assert "decision was made" not in page(timeline(cold=False), None, None, READER)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"state": "held", "ahead": 3, "executing_s": None, "held_s": 2.0, "replica": None},
            "still held after 2.0 s; 3 wait before it",
        ),
        ({"state": "executing"}, "still executing at pod-x after 16.5 ms"),
        (
            {"ending": "refused", "status": 429, "refusal": "QueueFull", "says": "too many"}
            | {"executing_s": None},
            "refused with 429 QueueFull after 12.4 ms (too many)",
        ),
        ({"ending": "client-left"}, "the client left after 16.5 ms, while pod-x worked on it"),
        (
            {"ending": "client-left", "replica": None, "executing_s": None},
            "the client left after 12.4 ms, while it was held",
        ),
        ({"ending": "cut"}, "pod-x broke off its answer (200) after 16.5 ms"),
    ],
)
def test_how_it_ended(changed: dict[str, Any], said: str) -> None:
    first = page(timeline(**changed), None, None, READER).splitlines()[0]
    assert first.endswith(said)


def test_a_request_that_found_no_revision() -> None:
    changed = {"revision": "", "ending": "refused", "refusal": "UnknownHost", "status": 404}
    times = {"held_s": 0.0, "executing_s": None, "cold": False, "is_held": False}
    text = page(timeline(**changed, **times, says="no route has this host"), None, None, READER)
    assert text == (
        "request burst-7, 12:00:00.000: refused with 404 UnknownHost after 0.0 ms (no route has "
        "this host)"
    )


def test_who_waited_for_a_replica_that_never_came_is_told_why() -> None:
    waited = timeline(replica=None, executing_s=None, status=504, ending="refused", refusal="Late")
    fault = {"reason": "ExitCode1", "message": "Container failed with: no weights"}
    text = page(waited, None, None, READER, fault=fault)
    assert text.endswith(
        "\n\nIts revision does not come up: ExitCode1: Container failed with: no weights"
    )
    assert "come up" not in page(waited, None, None, READER, fault={})
