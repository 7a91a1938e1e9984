"""What may be frozen, for whom, and which goes first."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from embedded.frozen import AGE_MAX_S, Bounds, Held, Memory, Shelf, key_of, tied
from embedded.room import Limits
from embedded.workloads import TEMPLATE_HASH

MIB = 1 << 20
GIB = 1 << 30
PLENTY = Memory(total_bytes=16 * GIB, available_bytes=12 * GIB)
CPU = "CPUExecutionProvider"


def pod(**container: Any) -> dict[str, Any]:
    labels = {keys.REVISION: "r-1", keys.REVISION_UID: "u", TEMPLATE_HASH: "t"}
    return {
        "metadata": {
            "name": "p",
            "namespace": "default",
            "uid": "x",
            "labels": labels,
            "annotations": {keys.MODEL_DIGEST: "sha256:5"},
        },
        "spec": {"containers": [{"name": "c", **container}]},
    }


def request(**more: Any) -> dict[str, Any]:
    return {"kind": "predictor", "args": ("--model", "m"), "env": {"A": "1"}, "cwd": "/", **more}


def why(made: dict[str, Any], *, provider: str = CPU, has_gpus: bool = False, **asked: Any) -> str:
    return tied(made, request(**asked), provider=provider, has_gpus=has_gpus)


def test_a_plain_predictor_of_a_revision_is_tied_to_nothing() -> None:
    assert why(pod()) == ""
    assert why(pod(), provider="") == "", "a Python model, where there is no GPU to hold"
    secret = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert why(pod(env=[secret])) == "", "what it was is in the request, and so in the key"
    assert why(pod(resources={"limits": {"memory": "1Gi"}})) == ""


def without(made: dict[str, Any], part: str, key: str) -> dict[str, Any]:
    del made["metadata"][part][key]
    return made


def within(made: dict[str, Any], **spec: Any) -> dict[str, Any]:
    made["spec"] |= spec
    return made


FIELD = {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (without(pod(), "labels", keys.REVISION_UID), "of no Revision"),
        (without(pod(), "annotations", keys.MODEL_DIGEST), "pins its model"),
        (within(pod(), containers=[{"name": "a"}, {"name": "b"}]), "beside"),
        (within(pod(), initContainers=[{"name": "a"}]), "before"),
        (within(pod(), volumes=[{"name": "v", "emptyDir": {}}]), "volumes"),
        (pod(env=[{"name": "B", "value": "1"}, FIELD]), "tells of its Pod"),
        (pod(resources={"limits": {"nvidia.com/gpu": "1"}}), "has a GPU"),
        (pod(resources={"requests": {"nvidia.com/gpu": "1"}}), "has a GPU"),
    ],
)
def test_what_ties_a_replica_to_its_pod(made: dict[str, Any], words: str) -> None:
    assert words in why(made)


def test_what_it_was_made_of_and_runs_on_may_tie_it() -> None:
    assert "not our predictor" in why(pod(), kind="exec")
    assert "rights of its own" in why(pod(), confinement="/f")
    assert "CUDAExecutionProvider" in why(pod(), provider="CUDAExecutionProvider")
    assert "GPU's memory" in why(pod(), provider="", has_gpus=True)
    assert why(pod(), has_gpus=True) == "", "an ONNX model says that it runs on the CPU"


def key(made: dict[str, Any], limits: Limits | None = None, **asked: Any) -> str:
    return key_of(made, request(**asked), limits or Limits())


def test_another_pod_of_the_same_revision_has_the_same_key() -> None:
    other = copy.deepcopy(pod())
    other["metadata"] |= {"name": "q", "uid": "y", "creationTimestamp": "now"}
    other["status"] = {"phase": "Running"}
    assert key(other) == key(pod())


def test_whatever_makes_another_process_makes_another_key() -> None:
    changed = []
    for part, name in (
        ("labels", keys.REVISION),
        ("labels", keys.REVISION_UID),
        ("labels", TEMPLATE_HASH),
        ("annotations", keys.MODEL_DIGEST),
    ):
        made = pod()
        made["metadata"][part][name] = "other"
        changed.append(key(made))
    made = pod()
    made["metadata"]["namespace"] = "other"
    changed += [
        key(made),
        key(pod(), env={"A": "2"}),
        key(pod(), env={"A": "1", "B": ""}),
        key(pod(), args=("--model", "n")),
        key(pod(), cwd="/tmp"),
        key(pod(), Limits(memory_bytes=1)),
        key(pod(), Limits(cores=1)),
    ]
    assert len({key(pod()), *changed}) == 1 + len(changed)


# -- the shelf --------------------------------------------------------------------------------


def held(name: str, *, key: str = "k", mib: int = 10, since_s: float = 0.0) -> Held:
    return Held(
        name=name,
        key=key,
        revision="default/" + key,
        owner="o",
        size_bytes=mib * MIB,
        since_s=since_s,
    )


def shelf(*given_: Held, bounds: Bounds | None = None) -> Shelf:
    made = Shelf(bounds or Bounds())
    for each in given_:
        made.put(each)
    return made


def test_the_last_that_was_used_is_gone_on_with() -> None:
    made = shelf(held("a"), held("b", key="other"), held("c"))
    assert made.find("k") == "c"
    made.remove("c", now_s=1)
    assert made.find("k") == "a"
    made.remove("a", now_s=1)
    assert made.find("k") is None
    assert [each.name for each in made] == ["b"]


def test_what_is_told() -> None:
    made = shelf(held("a"), held("b", key="other", since_s=5), held("c", since_s=8))
    made.remove("c", now_s=10)
    made.remove("never", now_s=10)
    told = made.told(now_s=10)
    assert told["revisions"] == {"default/k": 1, "default/other": 1}
    assert (told["replicas"], told["mebibytes"], told["seconds"]) == (2, 20.0, 17.0)
    many = shelf(*(held(str(n), key=str(n)) for n in range(200)))
    assert len(many.told(now_s=0)["revisions"]) == 50


def test_nothing_goes_while_there_is_plenty() -> None:
    assert not shelf(held("a"), held("b")).excess(PLENTY, now_s=10)


def test_all_go_whose_memory_is_wanted_the_longest_unused_first() -> None:
    amount = Bounds(share=0, size_bytes=GIB)
    made = shelf(held("a", mib=100), held("b", mib=100), held("c", mib=100), bounds=amount)
    scarce = Memory(total_bytes=2000 * MIB, available_bytes=50 * MIB)
    assert list(made.excess(scarce, now_s=1)) == ["a", "b"], "150 MiB lack of a reserve of 200"
    nothing = Memory(total_bytes=2000 * MIB, available_bytes=0)
    assert list(made.excess(nothing, now_s=1)) == ["a", "b"]
    coming = made.excess(PLENTY, now_s=1, coming_bytes=PLENTY.available_bytes)
    assert list(coming) == ["a", "b", "c"]
    assert set(coming.values()) == {"memory is scarce"}


def test_there_is_plenty_where_twice_the_reserve_is_left() -> None:
    memory = Memory(total_bytes=1000, available_bytes=300)
    assert memory.is_ample(100)
    assert not memory.is_ample(101)


def test_under_pressure_one_goes_at_a_look() -> None:
    made = shelf(held("a"), held("b"))
    pressed = Memory(total_bytes=16 * GIB, available_bytes=12 * GIB, pressure_percent=10.0)
    assert made.excess(pressed, now_s=1) == {"a": "memory is scarce"}


def test_no_other_goes_for_what_those_that_go_will_give_back() -> None:
    pressed = Memory(total_bytes=GIB, available_bytes=GIB // 2, pressure_percent=10.0)
    assert not shelf(held("a")).excess(pressed, now_s=1, going_bytes=1), "did it help?"
    scarce = Memory(total_bytes=2000 * MIB, available_bytes=150 * MIB)  # of a reserve of 200
    assert not shelf(held("a")).excess(scarce, now_s=1, going_bytes=50 * MIB)
    made = shelf(held("a", mib=20), held("b", mib=20), bounds=Bounds(share=0, size_bytes=GIB))
    assert list(made.excess(scarce, now_s=1, going_bytes=40 * MIB)) == ["a"], "10 MiB still lack"


def test_no_more_than_allowed_are_kept() -> None:
    size = Bounds(share=0, size_bytes=25 * MIB)
    made = shelf(held("a"), held("b"), held("c"), bounds=size)
    assert made.excess(PLENTY, now_s=1) == {"a": "more would be frozen than may be"}
    share = shelf(held("a"), held("b"), bounds=Bounds(share=0.25))
    little = Memory(total_bytes=100 * MIB, available_bytes=50 * MIB)
    assert list(share.excess(little, now_s=1)) == ["a"], "a quarter of 70 MiB"
    few = shelf(held("a"), held("b"), held("c"), bounds=Bounds(replicas_max=1))
    assert list(few.excess(PLENTY, now_s=1)) == ["a", "b"]
    old = shelf(held("a"), held("b", since_s=1))
    assert list(old.excess(PLENTY, now_s=AGE_MAX_S)) == ["a"]


def test_one_that_is_too_large_alone_goes_at_once() -> None:
    made = shelf(held("a", mib=30), bounds=Bounds(share=0, size_bytes=25 * MIB))
    assert list(made.excess(PLENTY, now_s=1)) == ["a"]


def test_off_is_neither_a_share_nor_an_amount() -> None:
    assert Bounds(share=0).is_off
    assert not Bounds(share=0, size_bytes=1).is_off
    assert not Bounds().is_off


@given(
    sizes=st.lists(st.integers(1, 200), max_size=12),
    total=st.integers(100, 4000),
    available=st.integers(0, 4000),
    share=st.floats(0, 0.9),
    size_mib=st.integers(0, 500),
    most=st.integers(1, 12),
    pressure=st.floats(0, 100),
    coming=st.integers(0, 1000),
    now_s=st.floats(0, 2 * AGE_MAX_S),
)
def test_what_stays_is_within_every_bound_and_nothing_goes_for_nothing(
    sizes: list[int],
    total: int,
    available: int,
    share: float,
    size_mib: int,
    most: int,
    pressure: float,
    coming: int,
    now_s: float,
) -> None:
    bounds = Bounds(share=share, size_bytes=size_mib * MIB, replicas_max=most)
    made = shelf(
        *(held(str(n), mib=mib, since_s=float(n)) for n, mib in enumerate(sizes)), bounds=bounds
    )
    memory = Memory(
        total_bytes=total * MIB, available_bytes=available * MIB, pressure_percent=pressure
    )
    gone = made.excess(memory, now_s=now_s, coming_bytes=coming * MIB)
    names = [each.name for each in made]
    assert list(gone) == names[: len(gone)], "the longest unused first"

    def is_fine(kept: list[Held]) -> bool:
        size = sum(each.size_bytes for each in kept)
        freed = made.size_bytes - size
        limit = bounds.size_bytes or share * (memory.available_bytes + made.size_bytes)
        reserve = 0.1 * memory.total_bytes + coming * MIB
        return not kept or (
            size <= limit
            and len(kept) <= most
            and memory.available_bytes + freed >= reserve
            and all(now_s - each.since_s < AGE_MAX_S for each in kept)
        )

    everyone = list(made)
    assert is_fine(everyone[len(gone) :])
    # With one fewer gone a bound would not hold, or it was the one that pressure takes.
    if gone and pressure < 10:
        assert not is_fine(everyone[len(gone) - 1 :])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.floats(0, 10)), max_size=40))
def test_seconds_are_the_sum_of_all_times_held(
    steps: list[tuple[int, bool, float]],
) -> None:
    made, since, now_s, total = Shelf(Bounds()), dict[int, float](), 0.0, 0.0
    for name, is_in, step_s in steps:
        now_s += step_s
        total += step_s * len(since)
        if is_in and name not in since:
            made.put(held(str(name), since_s=now_s))
            since[name] = now_s
        elif not is_in:
            made.remove(str(name), now_s=now_s)
            since.pop(name, None)
        assert made.seconds(now_s) == pytest.approx(total)
        assert len(made) == len(since)
