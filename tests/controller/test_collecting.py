from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.objects import rfc3339
from controller.clusterconfig import Collection
from controller.collecting import Observed, plan
from tests.controller.objects import NOW_S, a_configuration, a_revision, saying

HOUR_S = 3600.0
RULES = Collection(since_create_s=10.0, since_active_s=5.0, min_idle=0, max_idle=None)


def revision(
    number: int, *, made: float = -100.0, idle: float = -100.0, state: str = "reserve", **more: str
) -> dict[str, Any]:
    """Times are seconds from now."""
    modified = {"serving.knative.dev/routingStateModified": rfc3339(NOW_S + idle)}
    return a_revision(
        f"mnist-{number:05d}",
        generation=number,
        labels={"serving.knative.dev/routingState": state},
        annotations={**modified, **more},
        creationTimestamp=rfc3339(NOW_S + made),
    )


def deleted(*revisions: dict[str, Any], rules: Collection = RULES, **seen: Any) -> list[str]:
    return [each.name for each in planned(*revisions, rules=rules, **seen).deletes]


def planned(*revisions: dict[str, Any], rules: Collection = RULES, **seen: Any) -> Any:
    status = {"latestReadyRevisionName": "mnist-00099", "latestCreatedRevisionName": "mnist-00099"}
    configuration = saying(a_configuration(), **{**status, **seen.pop("status", {})})
    routed = seen.pop("routed", ())
    seen_ = Observed(configuration=configuration, revisions=revisions, routed=routed, rules=rules)
    return plan(seen_, now_s=NOW_S)


def test_a_stale_one_goes_and_only_that_very_one() -> None:
    (delete,) = planned(revision(1)).deletes
    assert (delete.namespace, delete.name, delete.uid) == (
        "default",
        "mnist-00001",
        "Revision-mnist-00001",
    )


@pytest.mark.parametrize(
    ("kept", "seen"),
    [
        (revision(1, made=-9), {}),
        (revision(1, idle=-4), {}),
        (revision(1, state="active"), {}),
        (revision(1, state="pending"), {}),
        (revision(1, **{"serving.knative.dev/no-gc": "True"}), {}),
        (revision(1), {"status": {"latestReadyRevisionName": "mnist-00001"}}),
        (revision(1), {"status": {"latestCreatedRevisionName": "mnist-00001"}}),
        (revision(1), {"routed": {"mnist-00001"}}),
    ],
    ids=["young", "used", "active", "pending", "no-gc", "ready", "created", "routed"],
)
def test_what_is_kept(kept: dict[str, Any], seen: Any) -> None:
    assert deleted(kept, revision(2), **seen) == ["mnist-00002"]


def test_both_ages_are_reached_to_the_second() -> None:
    assert deleted(revision(1, made=-10, idle=-5)) == ["mnist-00001"]


def test_without_a_mark_its_age_counts() -> None:
    bare = revision(1, made=-7)
    del bare["metadata"]["annotations"]["serving.knative.dev/routingStateModified"]
    rules = Collection(since_create_s=None, since_active_s=5.0, min_idle=0, max_idle=None)
    assert deleted(bare, rules=rules) == ["mnist-00001"]


def test_the_least_recently_used_go_first_and_some_stay() -> None:
    three = [revision(1, idle=-30), revision(2, idle=-50), revision(3, idle=-40)]
    rules = Collection(since_create_s=10, since_active_s=5, min_idle=1, max_idle=None)
    assert deleted(*three, rules=rules) == ["mnist-00002", "mnist-00003"]


def test_above_the_maximum_age_does_not_matter() -> None:
    young = [revision(number, made=-1, idle=-number) for number in (1, 2, 3)]
    rules = Collection(since_create_s=10, since_active_s=5, min_idle=0, max_idle=1)
    assert deleted(*young, rules=rules) == ["mnist-00003", "mnist-00002"]


def test_everything_disabled_deletes_nothing() -> None:
    rules = Collection(since_create_s=None, since_active_s=None, min_idle=0, max_idle=None)
    assert deleted(revision(1, made=-1e9, idle=-1e9), rules=rules) == []


def test_with_both_ages_disabled_only_the_maximum_counts() -> None:
    rules = Collection(since_create_s=None, since_active_s=None, min_idle=0, max_idle=1)
    assert deleted(revision(1, idle=-9), revision(2, idle=-8), rules=rules) == ["mnist-00001"]


def test_it_looks_again_when_the_next_grows_old() -> None:
    step = planned(revision(1, made=-100, idle=-2), revision(2, made=-9, idle=-100))
    assert step.deletes == ()
    assert step.requeue_after_s == 1.0
    rules = Collection(since_create_s=100 * HOUR_S, since_active_s=None, min_idle=0)
    assert planned(revision(1), rules=rules).requeue_after_s == HOUR_S
    kept = Collection(since_create_s=10, since_active_s=5, min_idle=20, max_idle=None)
    assert planned(revision(1, made=-9), rules=kept).requeue_after_s is None


def test_a_configuration_that_is_going_takes_its_revisions_itself() -> None:
    configuration = a_configuration(deletionTimestamp=rfc3339(NOW_S))
    seen = Observed(configuration=configuration, revisions=[revision(1)], routed=(), rules=RULES)
    assert plan(seen, now_s=NOW_S).deletes == ()


AGES = st.integers(-20, 0)
REVISIONS = st.lists(
    st.tuples(
        AGES, AGES, st.sampled_from(["reserve", "reserve", "active", "pending"]), st.booleans()
    ),
    max_size=8,
)
BOUNDS = st.one_of(st.none(), st.integers(0, 15))


@given(
    ages=REVISIONS,
    create_s=BOUNDS,
    active_s=BOUNDS,
    least=st.integers(0, 4),
    most=st.one_of(st.none(), st.integers(0, 4)),
    routed=st.sets(st.integers(0, 7)),
)
def test_nothing_needed_goes_and_enough_stays(
    ages: list[tuple[int, int, str, bool]],
    create_s: int | None,
    active_s: int | None,
    least: int,
    most: int | None,
    routed: set[int],
) -> None:
    rules = Collection(
        since_create_s=create_s,
        since_active_s=active_s,
        min_idle=least,
        max_idle=None if most is None else max(least, most),
    )
    revisions = [
        revision(
            number,
            made=made,
            idle=idle,
            state=state,
            **({"serving.knative.dev/no-gc": "true"} if is_kept else {}),
        )
        for number, (made, idle, state, is_kept) in enumerate(ages)
    ]
    names = {f"mnist-{number:05d}" for number in routed}
    gone = set(
        deleted(
            *revisions, rules=rules, routed=names, status={"latestReadyRevisionName": "mnist-00000"}
        )
    )
    idle = [
        each
        for each in revisions
        if each["metadata"]["labels"]["serving.knative.dev/routingState"] == "reserve"
        and "serving.knative.dev/no-gc" not in each["metadata"]["annotations"]
        and each["metadata"]["name"] not in names | {"mnist-00000"}
    ]
    assert gone <= {each["metadata"]["name"] for each in idle}
    assert len(idle) - len(gone) >= min(least, len(idle))
    if rules.max_idle is not None:
        assert len(idle) - len(gone) <= rules.max_idle
    left = [each for each in revisions if each["metadata"]["name"] not in gone]
    assert (
        deleted(*left, rules=rules, routed=names, status={"latestReadyRevisionName": "mnist-00000"})
        == []
    ), "the same time again deletes no more"
