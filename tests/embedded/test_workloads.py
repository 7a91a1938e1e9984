from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from embedded.workloads import CREATES_MAX, make_pod, plan, template_hash

NOW_S = 1_000_000.0


def deployment(replicas: int = 2, image: str = "relight/predictor", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "iris", "namespace": "ns", "uid": "u1", "generation": 3},
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": {"labels": {"app": "iris"}, "annotations": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


def pod(
    owner: dict[str, Any], name: str, *, ready: bool = False, **metadata: Any
) -> dict[str, Any]:
    made = make_pod(owner, name, template_hash(owner))
    made["metadata"].update(name=name, **metadata)
    status = "True" if ready else "False"
    made["status"] = {"conditions": [{"type": "Ready", "status": status}]}
    return made


def suffixes() -> Iterator[str]:
    return (f"s{i}" for i in count())


def step(owner: dict[str, Any], pods: list[dict[str, Any]], now_s: float = NOW_S):  # type: ignore[no-untyped-def] # the Plan is checked by its users
    return plan(owner, pods, suffixes=suffixes(), now_s=now_s)


def test_creates_what_is_missing_with_the_template_and_an_owner() -> None:
    owner = deployment(replicas=2)
    made = step(owner, [pod(owner, "a")]).creates
    assert len(made) == 1
    assert made[0]["metadata"]["labels"]["app"] == "iris"
    assert made[0]["metadata"]["annotations"] == {"a": "b"}
    assert made[0]["metadata"]["ownerReferences"][0]["uid"] == "u1"
    assert made[0]["spec"] == owner["spec"]["template"]["spec"]


def test_many_are_created_a_batch_at_a_time() -> None:
    owner = deployment(replicas=CREATES_MAX + 3)
    first = step(owner, []).creates
    assert len(first) == CREATES_MAX
    there = [pod(owner, made["metadata"]["name"]) for made in first]
    assert len(step(owner, there).creates) == 3


def test_stops_what_is_not_ready_first_then_the_youngest() -> None:
    owner = deployment(replicas=1)
    pods = [
        pod(owner, "old", ready=True, creationTimestamp="2026-01-01T00:00:00Z"),
        pod(owner, "young", ready=True, creationTimestamp="2026-01-02T00:00:00Z"),
        pod(owner, "loading", creationTimestamp="2025-01-01T00:00:00Z"),
    ]
    assert step(owner, pods).deletes == ("loading", "young")


def test_a_pod_on_its_way_out_is_no_replica_and_is_not_deleted_again() -> None:
    owner = deployment(replicas=1)
    going = pod(owner, "going", ready=True, deletionTimestamp="2026-01-01T00:00:00Z")
    decided = step(owner, [going])
    assert len(decided.creates) == 1
    assert decided.deletes == ()


def test_a_new_template_replaces_pods_only_as_new_ones_serve() -> None:
    before, after = deployment(replicas=2, image="x"), deployment(replicas=2, image="y")
    assert template_hash(before) != template_hash(after)
    stale = [pod(before, "a", ready=True), pod(before, "b", ready=True)]
    first = step(after, stale)
    assert (len(first.creates), first.deletes) == (2, ())
    half = step(after, [*stale, pod(after, "c", ready=True), pod(after, "d")])
    assert (len(half.creates), len(half.deletes)) == (0, 1)
    done = step(after, [*stale, pod(after, "c", ready=True), pod(after, "d", ready=True)])
    assert sorted(done.deletes) == ["a", "b"]


def test_a_deployment_that_is_being_deleted_plans_nothing() -> None:
    owner = deployment()
    owner["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    decided = step(owner, [])
    assert (decided.creates, decided.deletes, decided.status) == ((), (), None)


def condition(owner: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in owner["status"]["conditions"] if c["type"] == name)


def test_progress_is_late_after_the_deadline_and_only_then() -> None:
    owner = deployment(replicas=1, progressDeadlineSeconds=10)
    owner["status"] = dict(step(owner, []).status)
    assert condition(owner, "Progressing")["reason"] == "ReplicaSetUpdated"
    assert step(owner, [], NOW_S + 4).requeue_after_s == 6.0
    owner["status"] = dict(step(owner, [], NOW_S + 10).status)
    assert condition(owner, "Progressing")["status"] == "False"
    assert condition(owner, "Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert step(owner, [], NOW_S + 11).status is None, "a late Deployment stays late"
    owner["status"] = dict(step(owner, [pod(owner, "a", ready=True)], NOW_S + 12).status)
    assert condition(owner, "Progressing")["status"] == "True"
    assert condition(owner, "Available")["status"] == "True"


@given(
    replicas=st.integers(0, 4),
    states=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=6),
)
def test_a_plan_carried_out_and_made_again_changes_nothing(
    replicas: int, states: list[tuple[bool, bool, bool]]
) -> None:
    owner, older = deployment(replicas=replicas), deployment(image="older")
    pods = [
        pod(older if is_old else owner, f"p{i}", ready=is_ready)
        for i, (is_old, is_ready, _) in enumerate(states)
    ]
    for item, (_, _, is_going) in zip(pods, states, strict=True):
        if is_going:
            item["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    for _ in range(4):  # new Pods become ready, then stale ones go
        decided = step(owner, pods)
        pods = [p for p in pods if p["metadata"]["name"] not in decided.deletes]
        pods += [pod(owner, made["metadata"]["name"], ready=True) for made in decided.creates]
        owner["status"] = dict(decided.status or owner.get("status") or {})
        for item in pods:
            item["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    staying = [p for p in pods if not p["metadata"].get("deletionTimestamp")]
    assert len(staying) == replicas
    last = step(owner, pods)
    assert (last.creates, last.deletes, last.status) == ((), (), None)
