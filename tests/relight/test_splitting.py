import pytest

from relight import splitting
from relight.errors import UsageError
from relight.splitting import LATEST, Split


def test_reading_and_writing_back_keeps_shares_and_tags() -> None:
    split = Split(
        shares={"iris-00001": 80, LATEST: 20},
        tags={"old": "iris-00001", "older": "iris-00001", "new": LATEST},
    )
    traffic = splitting.to_traffic(split)
    assert splitting.parse(traffic) == split
    assert traffic == [
        {"latestRevision": False, "revisionName": "iris-00001", "percent": 80, "tag": "old"},
        {"latestRevision": True, "percent": 20, "tag": "new"},
        {"latestRevision": False, "revisionName": "iris-00001", "percent": 0, "tag": "older"},
    ]


def test_status_that_follows_the_latest_is_the_latest() -> None:
    status = [{"latestRevision": True, "revisionName": "iris-00002", "percent": 100}]
    assert splitting.parse(status).shares == {LATEST: 100}
    assert splitting.resolved(status) == {"iris-00002": 100}
    assert splitting.is_applied([{"latestRevision": True, "percent": 100}], status)
    assert not splitting.is_applied([{"revisionName": "iris-00002", "percent": 100}], status)


def test_shares_that_do_not_sum_to_100_are_shown() -> None:
    with pytest.raises(UsageError, match=r"the shares sum to 90, want 100: a=70, @latest=20"):
        splitting.assign(Split(), {"a": 70, LATEST: 20})


def test_a_share_out_of_bounds_is_named() -> None:
    with pytest.raises(UsageError, match="a=150: a share is between 0 and 100"):
        splitting.assign(Split(), {"a": 150, "b": -50})


def test_assigning_forgets_who_is_not_named_and_keeps_tags() -> None:
    split = Split(shares={"a": 100}, tags={"t": "a"})
    assert splitting.assign(split, {"b": 100, "c": 0}) == Split(shares={"b": 100}, tags={"t": "a"})


def test_a_tag_moves_and_goes() -> None:
    split = Split(shares={LATEST: 100}, tags={"t": "a", "u": "b"})
    assert splitting.tag(split, {"t": "c"}, ["u"]).tags == {"t": "c"}


def test_removing_a_tag_that_is_not_there_says_which_are() -> None:
    with pytest.raises(UsageError, match=r'there is no tag "x" \(tags: t, u\)'):
        splitting.tag(Split(tags={"u": "a", "t": "a"}), {}, ["x"])


def test_canary_of_everything_or_nothing() -> None:
    assert splitting.canary(Split(), "a", 100).shares == {LATEST: 100}
    assert splitting.canary(Split(), "a", 0).shares == {"a": 100}


def test_the_stable_revision_is_the_one_with_most_traffic() -> None:
    during_a_canary = {
        "latestReadyRevisionName": "iris-00002",
        "traffic": [
            {"revisionName": "iris-00001", "percent": 80},
            {"revisionName": "iris-00002", "latestRevision": True, "percent": 20},
        ],
    }
    assert splitting.stable_revision(during_a_canary) == "iris-00001"
    assert splitting.stable_revision({"latestReadyRevisionName": "iris-00002"}) == "iris-00002"
    assert splitting.stable_revision({}) is None


@pytest.mark.parametrize(
    ("shares", "ready", "target"),
    [
        ({"c": 100}, "abc", "b"),  # the one before
        ({"c": 100}, "ac", "a"),  # the one before was never ready
        ({"a": 80, "c": 20}, "abc", "a"),  # a canary is given up
        ({"c": 80, "a": 20}, "abc", "b"),  # the newest has most
        ({"b": 50, "c": 50}, "abc", "b"),  # a tie: the newer one is what is given up
        ({"a": 100}, "abc", None),  # nothing is older
        ({"c": 100}, "c", None),  # nothing older is ready
        ({}, "abc", None),  # nothing serves
        ({"b": 80, "c": 20}, "ac", "a"),  # the main one is not ready any more
    ],
)
def test_rollback(shares: dict[str, int], ready: str, target: str | None) -> None:
    assert splitting.rollback_target(shares, ["a", "b", "c"], ready) == target
