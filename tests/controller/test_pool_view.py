from typing import Any

from api import pool
from controller.pool_view import PoolView, read_pod
from tests.controller.pools import deployment, revision

CLASS = pool.class_of(deployment("r")["spec"]["template"]["spec"])


def raw(found: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    metadata = {**found["metadata"], "generation": generation, "uid": "u"}
    return {**found, "metadata": metadata}


def warm(**metadata: Any) -> dict[str, Any]:
    made = pool.make_pod(
        "default", CLASS, deployment("r")["spec"]["template"]["spec"], name="a", key="k"
    )
    made["metadata"] |= {"uid": "u", "resourceVersion": "5", **metadata}
    return made


def test_a_deployment_that_is_poolable_needs_its_pool_while_routes_point_at_it() -> None:
    view = PoolView()
    view.deployment(None, raw(deployment("r")))
    assert [each.pool for each in view.needs("default")] == [CLASS]
    view.revision(None, revision("r", "reserve"))
    assert view.needs("default") == []
    view.revision(revision("r", "reserve"), revision("r"))
    assert len(view.needs("default")) == 1
    view.deployment(raw(deployment("r")), None)
    assert view.needs("default") == []


def test_others_need_none() -> None:
    view = PoolView()
    view.deployment(None, raw(deployment("r", image="example.com/other:1")))
    foreign = raw(deployment("s"))
    foreign["metadata"]["labels"] = {}
    view.deployment(None, foreign)
    assert "is not relight/predictor" in view.refusal(("default", "r-deployment"))
    view.deployment(raw(deployment("r")), None)
    assert not view.refusal(("default", "r-deployment"))
    going = raw(deployment("t"))
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    view.deployment(None, going)
    assert view.needs("default") == []


def test_only_what_is_asked_for_more_is_demand() -> None:
    view = PoolView()
    old, new = raw(deployment("r")), raw(deployment("r", replicas=3), 2)
    assert view.deployment(None, new) == 0  # it ran before anyone looked
    assert view.deployment(old, new) == 3
    assert view.deployment(new, old) == 0


def test_a_template_that_changed_is_of_another_class() -> None:
    view = PoolView()
    old = raw(deployment("r"))
    view.deployment(None, old)
    view.deployment(old, raw(deployment("r", image="relight/predictor:2"), 2))
    (need,) = view.needs("default")
    assert need.pool != CLASS
    assert view.need(("default", "r-deployment")) == need


def test_a_pod_of_a_pool_is_seen_until_it_is_gone() -> None:
    view = PoolView()
    assert view.pod(None, warm())
    assert view.pods("default")["a"].pool == CLASS
    assert view.pod(warm(), None)
    assert not view.pods("default")
    assert not view.pod(None, {"metadata": {"name": "b", "namespace": "default"}})


def test_a_claimed_pod_is_of_no_pool_and_may_be_adopted() -> None:
    claimed = warm(
        labels={}, annotations={"relight.dev/claimed": "2026-01-01T00:00:10Z"}, ownerReferences=[]
    )
    found = read_pod(claimed)
    assert found is not None
    assert (found.pool, found.is_adopted, found.claimed_s) == ("", False, 1767225610.0)
    claimed["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "controller": True}]
    claimed["status"] = {"phase": "Failed"}
    found = read_pod(claimed)
    assert found is not None
    assert (found.is_adopted, found.is_over) == (True, True)


def test_a_date_that_makes_no_sense_is_long_ago() -> None:
    found = read_pod(warm(annotations={"relight.dev/claimed": "then"}))
    assert found is not None
    assert found.claimed_s == 0.0


def test_a_namespace_says_its_size_and_one_that_ends_wants_none() -> None:
    view = PoolView()
    told: dict[str, Any] = {
        "metadata": {"name": "n", "annotations": {"relight.dev/warm-pool": "3"}}
    }
    view.namespace(None, told)
    assert view.size("n") == "3"
    going = {"metadata": {**told["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    view.namespace(told, going)
    assert view.size("n") == "0"
    view.namespace(going, None)
    assert view.size("n") == ""
