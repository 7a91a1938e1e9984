from typing import Any

import pytest

from relight.phases import Seen, failure, is_done, phase

Condition = tuple[str, str, str, str]  # type, status, reason, message


def conditions(*told: Condition) -> list[dict[str, str]]:
    keys = ("type", "status", "reason", "message")
    return [dict(zip(keys, each, strict=True)) for each in told]


def seen(
    *service: Condition,
    revision: tuple[Condition, ...] | None = None,
    pods: tuple[dict[str, Any], ...] = (),
    observed: int = 2,
) -> Seen:
    raw = {
        "metadata": {"name": "iris", "generation": 2},
        "status": {
            "observedGeneration": observed,
            "latestCreatedRevisionName": "iris-00002",
            "conditions": conditions(*service),
        },
    }
    revisions = {}
    if revision is not None:
        revisions["iris-00002"] = {
            "metadata": {"name": "iris-00002"},
            "status": {"conditions": conditions(*revision)},
        }
    return Seen(service=raw, generation=2, revisions=revisions, pods=pods)


def pod(*told: Condition, waiting: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    labels = {"serving.knative.dev/revision": "iris-00002"}
    state = {"waiting": waiting} if waiting else {"running": {}}
    return {
        "metadata": {"name": "p", "labels": labels, **metadata},
        "status": {"conditions": conditions(*told), "containerStatuses": [{"state": state}]},
    }


STARTING = (("Ready", "Unknown", "Deploying", ""),)
CRASHED = {"reason": "CrashLoopBackOff", "message": "the file is no ONNX model"}


@pytest.mark.parametrize(
    ("what", "line"),
    [
        (seen(observed=1), "Service iris: making a revision"),
        (
            seen(("ConfigurationsReady", "Unknown", "OutOfDate", "")),
            "Service iris: making a revision",
        ),
        (seen(), "Revision iris-00002: created"),
        (seen(revision=STARTING), "Revision iris-00002: waiting for a replica"),
        (
            seen(revision=(*STARTING, ("ContainerHealthy", "Unknown", "ResolvingDigests", ""))),
            "Revision iris-00002: reading the model's digest",
        ),
        (
            seen(revision=(*STARTING, ("ContainerHealthy", "Unknown", "Fetching", "1 of 2 MB"))),
            "Revision iris-00002: fetching 1 of 2 MB",
        ),
        (seen(revision=STARTING, pods=(pod(),)), "Revision iris-00002: loading model…"),
        (
            seen(revision=STARTING, pods=(pod(waiting=CRASHED),)),
            "Revision iris-00002: CrashLoopBackOff: the file is no ONNX model",
        ),
        (
            seen(revision=STARTING, pods=(pod(("Ready", "True", "", "")),)),
            "Revision iris-00002: a replica is ready",
        ),
        (
            seen(revision=STARTING, pods=(pod(deletionTimestamp="2026-01-01T00:00:00Z"),)),
            "Revision iris-00002: waiting for a replica",
        ),
        (
            seen(("Ready", "Unknown", "", ""), revision=(("Ready", "True", "", ""),)),
            "Revision iris-00002: ready, moving traffic",
        ),
        (
            seen(("Ready", "True", "", ""), revision=(("Ready", "True", "", ""),)),
            "Revision iris-00002: ready",
        ),
        (
            seen(revision=(("Ready", "False", "ExitCode1", "no such file"),)),
            "Revision iris-00002: failed: no such file",
        ),
    ],
)
def test_the_line_to_show(what: Seen, line: str) -> None:
    assert phase(what) == line


def test_done_means_the_status_speaks_of_what_was_stored() -> None:
    assert is_done(seen(("Ready", "True", "", "")))
    assert not is_done(seen(("Ready", "True", "", ""), observed=1))
    assert not is_done(seen(("Ready", "Unknown", "", "")))


def test_a_failure_is_told_in_the_words_of_the_revision() -> None:
    failed = seen(
        ("Ready", "False", "RevisionFailed", 'Revision "iris-00002" failed with message: bad.'),
        revision=(("Ready", "False", "ExitCode1", "Container failed with: bad"),),
    )
    assert failure(failed) == "Revision iris-00002 failed: Container failed with: bad"


def test_a_failure_without_a_revision_is_told_in_the_words_of_the_service() -> None:
    failed = seen(("Ready", "False", "NotOwned", "There is a Route that we do not own."))
    assert failure(failed) == "Service iris is not ready: There is a Route that we do not own."
    assert failure(seen(("Ready", "False", "Odd", ""))) == "Service iris is not ready: Odd"


def test_an_earlier_failure_is_not_ours() -> None:
    assert failure(seen(("Ready", "False", "RevisionFailed", "x"), observed=1)) is None


@pytest.mark.parametrize("reason", ["OutOfDate", ""])
def test_nor_is_one_that_the_route_still_speaks_of(reason: str) -> None:
    missing = "RevisionMissing", 'Configuration "iris" does not have any ready Revision.'
    stale = ("Ready", "False", *missing), ("RoutesReady", "False", *missing)
    assert failure(seen(*stale, ("ConfigurationsReady", "Unknown", reason, ""))) is None
    assert failure(seen(*stale, ("ConfigurationsReady", "True", "", ""))) is not None
