from typing import Any

import pytest

from relight import shifting
from relight.errors import FailedError, UsageError
from relight.shifting import Shift
from relight.splitting import LATEST


def revision(generation: int, *, is_ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"iris-{generation:05d}",
            "labels": {"serving.knative.dev/configurationGeneration": str(generation)},
        },
        "status": {"conditions": [{"type": "Ready", "status": str(is_ready)}]},
    }


def service(shares: dict[str, int], *, created: int, ready: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"traffic": [{"revisionName": n, "percent": p} for n, p in shares.items()]},
        "status": {
            "latestCreatedRevisionName": f"iris-{created:05d}",
            "latestReadyRevisionName": f"iris-{ready:05d}",
            "traffic": [{"revisionName": n, "percent": p} for n, p in shares.items()],
        },
    }


def test_shares_are_read() -> None:
    assert shifting.parse_shares(["a=90", "@latest=10"]) == {"a": 90, LATEST: 10}


@pytest.mark.parametrize("text", ["a", "a=", "=5", "a=ten", "a=-5", "a=1.5"])
def test_a_share_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=f"^{text}: expected REVISION=PERCENT"):
        shifting.parse_shares([text])


def test_two_shares_of_one_revision() -> None:
    with pytest.raises(UsageError, match="a is given two shares"):
        shifting.parse_shares(["a=50", "a=50"])


def test_tags_are_read() -> None:
    assert shifting.parse_tags(["new=@latest", "old=a"]) == {"new": LATEST, "old": "a"}
    with pytest.raises(UsageError, match="expected TAG=REVISION"):
        shifting.parse_tags(["new"])
    with pytest.raises(UsageError, match="new is given to two revisions"):
        shifting.parse_tags(["new=a", "new=b"])


def test_nothing_asked_is_empty() -> None:
    assert Shift().is_empty
    assert not Shift(untagged=["a"]).is_empty


def test_promotion_names_what_it_promotes() -> None:
    plan = shifting.plan(
        Shift(is_promotion=True),
        service({"iris-00001": 80, "iris-00002": 20}, created=2, ready=2),
        [revision(1), revision(2)],
    )
    assert plan.split.shares == {LATEST: 100}
    assert plan.note == "promoting iris-00002"


def test_promotion_of_a_revision_that_is_not_ready_says_so() -> None:
    plan = shifting.plan(
        Shift(is_promotion=True),
        service({"iris-00001": 100}, created=2, ready=1),
        [revision(1), revision(2, is_ready=False)],
    )
    assert plan.note == "iris-00002 is not ready: until it is, all traffic goes to iris-00001"


def test_rollback_says_from_and_to() -> None:
    revisions = [revision(10), revision(2), revision(9, is_ready=False)]
    plan = shifting.plan(
        Shift(is_rollback=True), service({"iris-00010": 100}, created=10, ready=10), revisions
    )
    assert plan.split.shares == {"iris-00002": 100}
    assert plan.note == "rolling back from iris-00010 to iris-00002"


def test_rollback_without_anything_before() -> None:
    with pytest.raises(FailedError, match=r"no earlier ready revision .*serving: iris-00001"):
        shifting.plan(
            Shift(is_rollback=True),
            service({"iris-00001": 100}, created=1, ready=1),
            [revision(1)],
        )


def test_a_revision_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        UsageError, match=r"iris has no revision iris-7 \(revisions: iris-00001, iris-00002\)"
    ):
        shifting.plan(
            Shift(shares={"iris-7": 100}),
            service({"iris-00001": 100}, created=2, ready=2),
            [revision(2), revision(1)],
        )


def test_tags_alone_leave_the_shares() -> None:
    plan = shifting.plan(
        Shift(tags={"new": LATEST}),
        service({"iris-00001": 100}, created=1, ready=1),
        [revision(1)],
    )
    assert plan.split.shares == {"iris-00001": 100}
    assert plan.split.tags == {"new": LATEST}
