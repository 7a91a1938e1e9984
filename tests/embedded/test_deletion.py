import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.kinds import CONFIGURATIONS, DEPLOYMENTS, NAMESPACES, PODS, SERVICES, Resource
from cluster.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from cluster.options import DeleteOptions, Selection, WriteOptions
from embedded.apiserver import ApiServer
from embedded.storage_errors import StorageError
from embedded.store import IN_MEMORY, Store
from tests.cluster.serving import Served, deployment, namespace, owned_by, pod, service

HOME = "default"


class World:
    def __init__(self, path: Path | str = IN_MEMORY) -> None:
        self.served = Served(path=path)
        self.server = self.served.server

    def create(self, resource: Resource, raw: dict[str, Any]) -> dict[str, Any]:
        return self.server.create(resource, raw["metadata"].get("namespace"), raw, WriteOptions())

    def delete(
        self, resource: Resource, name: str, home: str | None = HOME, **how: Any
    ) -> dict[str, Any]:
        return self.server.delete(resource, home, name, DeleteOptions(**how))

    def patch(self, resource: Resource, name: str, change: Any, part: str = "") -> dict[str, Any]:
        options = WriteOptions(subresource=part)
        return self.server.patch(resource, (HOME, name), change, "merge", options)

    def names(self, resource: Resource, home: str | None = None) -> list[str]:
        found = self.server.list(resource, Selection(namespace=home)).items
        return [each["metadata"]["name"] for each in found]

    def get(self, resource: Resource, name: str) -> dict[str, Any]:
        return self.server.get(resource, HOME, name)

    def running_pod(self, name: str, **metadata: Any) -> None:
        self.create(PODS, pod(name, **metadata))
        self.patch(PODS, name, {"status": {"phase": "Running"}}, "status")


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.served.close()


def test_what_has_no_obstacle_goes_at_once(world: World) -> None:
    made = world.create(SERVICES, service())
    answer = world.delete(SERVICES, "hello")
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"] == {
        "name": "hello",
        "group": "serving.knative.dev",
        "kind": "services",
        "uid": made["metadata"]["uid"],
    }
    with pytest.raises(NotFoundError):
        world.get(SERVICES, "hello")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"uid": "other"}, ConflictError, "UID in precondition: other"),
        ({"resource_version": "1"}, ConflictError, "ResourceVersion in precondition: 1"),
        ({"propagation": "Sideways"}, BadRequestError, "invalid propagation policy"),
        ({"grace_period_s": -1}, BadRequestError, "must not be negative"),
    ],
)
def test_what_does_not_hold_deletes_nothing(
    world: World, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    world.create(PODS, pod())
    with pytest.raises(error, match=words):
        world.delete(PODS, "p", **options)
    assert world.names(PODS) == ["p"]


def test_preconditions_that_hold_delete(world: World) -> None:
    made = world.create(PODS, pod())["metadata"]
    world.delete(PODS, "p", uid=made["uid"], resource_version=made["resourceVersion"])
    assert world.names(PODS) == []


def test_a_dry_run_deletes_nothing(world: World) -> None:
    owner = world.create(DEPLOYMENTS, deployment())
    world.create(PODS, pod("a", ownerReferences=[owned_by(owner)]))
    world.delete(DEPLOYMENTS, "d", is_dry_run=True, propagation="Foreground")
    assert (world.names(DEPLOYMENTS), world.names(PODS)) == (["d"], ["a"])
    assert "deletionTimestamp" not in world.get(DEPLOYMENTS, "d")["metadata"]


class TestPods:
    def test_one_that_runs_gets_time(self, world: World) -> None:
        world.running_pod("p")
        going = world.delete(PODS, "p")
        assert going["metadata"]["deletionGracePeriodSeconds"] == 30
        assert going["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:30Z"
        assert going["metadata"]["generation"] == 1

    def test_its_own_time_or_the_callers(self, world: World) -> None:
        raw = pod("p")
        raw["spec"] |= {"terminationGracePeriodSeconds": 7, "nodeName": "here"}
        world.create(PODS, raw)
        assert world.delete(PODS, "p")["metadata"]["deletionGracePeriodSeconds"] == 7
        world.running_pod("q")
        going = world.delete(PODS, "q", grace_period_s=3)
        assert going["metadata"]["deletionGracePeriodSeconds"] == 3

    def test_time_can_be_shortened_and_never_lengthened(self, world: World) -> None:
        world.running_pod("p")
        first = world.delete(PODS, "p", grace_period_s=20)
        assert world.delete(PODS, "p", grace_period_s=25) == first
        assert world.delete(PODS, "p") == first
        shorter = world.delete(PODS, "p", grace_period_s=5)
        assert shorter["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:05Z"
        assert world.delete(PODS, "p", grace_period_s=0)["kind"] == "Status"

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    def test_one_that_ended_goes_at_once(self, world: World, phase: str) -> None:
        world.create(PODS, pod())
        world.patch(PODS, "p", {"status": {"phase": phase}}, "status")
        assert world.delete(PODS, "p")["kind"] == "Status"

    def test_one_that_never_ran_goes_at_once(self, world: World) -> None:
        world.create(PODS, pod())
        assert world.delete(PODS, "p")["kind"] == "Status"

    def test_a_finalizer_outlasts_the_kubelet(self, world: World) -> None:
        world.running_pod("p", finalizers=["example.com/x"])
        world.delete(PODS, "p")
        assert world.delete(PODS, "p", grace_period_s=0)["kind"] == "Pod"
        world.patch(PODS, "p", {"metadata": {"finalizers": None}})
        assert world.names(PODS) == []

    def test_a_finalizer_that_goes_first_leaves_it_to_the_kubelet(self, world: World) -> None:
        world.running_pod("p", finalizers=["example.com/x"])
        world.delete(PODS, "p")
        world.patch(PODS, "p", {"metadata": {"finalizers": None}})
        assert world.names(PODS) == ["p"]
        world.delete(PODS, "p", grace_period_s=0)
        assert world.names(PODS) == []


class TestFinalizers:
    def test_they_hold_an_object_until_the_last_is_gone(self, world: World) -> None:
        raw = deployment()
        raw["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
        world.create(DEPLOYMENTS, raw)
        going = world.delete(DEPLOYMENTS, "d")
        assert going["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:00Z"
        assert world.delete(DEPLOYMENTS, "d") == going
        world.patch(DEPLOYMENTS, "d", {"metadata": {"finalizers": ["example.com/b"]}})
        assert world.names(DEPLOYMENTS) == ["d"]
        last = world.patch(DEPLOYMENTS, "d", {"metadata": {"finalizers": []}})
        assert int(last["metadata"]["resourceVersion"]) > int(going["metadata"]["resourceVersion"])
        assert world.names(DEPLOYMENTS) == []

    def test_none_can_be_added_to_what_is_going(self, world: World) -> None:
        raw = deployment()
        raw["metadata"]["finalizers"] = ["example.com/a"]
        world.create(DEPLOYMENTS, raw)
        world.delete(DEPLOYMENTS, "d")
        with pytest.raises(InvalidError, match="no new finalizers can be added"):
            world.patch(DEPLOYMENTS, "d", {"metadata": {"finalizers": ["example.com/b"]}})

    def test_nobody_else_can_say_that_an_object_is_going(self, world: World) -> None:
        world.create(DEPLOYMENTS, deployment())
        change = {"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}}
        assert "deletionTimestamp" not in world.patch(DEPLOYMENTS, "d", change)["metadata"]


class TestOwners:
    def family(self, world: World, *, blocks: bool = False) -> None:
        grandparent = world.create(SERVICES, service())
        raw = service() | {"kind": "Configuration"}
        raw["metadata"]["ownerReferences"] = [owned_by(grandparent, blocks=blocks)]
        parent = world.create(CONFIGURATIONS, raw)
        world.running_pod("child", ownerReferences=[owned_by(parent, blocks=blocks)])

    def left(self, world: World) -> list[str]:
        return [
            name for resource in (SERVICES, CONFIGURATIONS, PODS) for name in world.names(resource)
        ]

    def test_in_the_background_dependents_follow(self, world: World) -> None:
        self.family(world)
        world.delete(SERVICES, "hello", propagation="Background")
        assert self.left(world) == ["child"]
        assert "deletionTimestamp" in world.get(PODS, "child")["metadata"]
        world.delete(PODS, "child", grace_period_s=0)
        assert self.left(world) == []

    def test_in_the_foreground_owners_wait(self, world: World) -> None:
        self.family(world, blocks=True)
        going = world.delete(SERVICES, "hello", propagation="Foreground")
        assert going["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert self.left(world) == ["hello", "hello", "child"]
        world.delete(PODS, "child", grace_period_s=0)
        assert self.left(world) == []

    def test_what_is_made_for_an_owner_that_is_going_goes_too(self, world: World) -> None:
        self.family(world, blocks=True)
        world.delete(SERVICES, "hello", propagation="Foreground")
        parent = world.get(CONFIGURATIONS, "hello")
        world.create(PODS, pod("late", ownerReferences=[owned_by(parent, blocks=True)]))
        assert self.left(world) == ["hello", "hello", "child"]

    def test_in_the_foreground_only_for_who_blocks(self, world: World) -> None:
        self.family(world, blocks=False)
        world.delete(SERVICES, "hello", propagation="Foreground")
        assert self.left(world) == ["child"]

    def test_in_the_foreground_without_dependents_at_once(self, world: World) -> None:
        world.create(SERVICES, service())
        assert world.delete(SERVICES, "hello", propagation="Foreground")["kind"] == "Status"

    def test_orphans_stay_and_forget(self, world: World) -> None:
        self.family(world)
        world.delete(SERVICES, "hello", propagation="Orphan")
        assert self.left(world) == ["hello", "child"]
        assert "ownerReferences" not in world.get(CONFIGURATIONS, "hello")["metadata"]

    def test_another_owner_keeps_the_dependent(self, world: World) -> None:
        first = world.create(DEPLOYMENTS, deployment("first"))
        second = world.create(DEPLOYMENTS, deployment("second"))
        world.create(PODS, pod("p", ownerReferences=[owned_by(first), owned_by(second)]))
        world.delete(DEPLOYMENTS, "first")
        assert world.get(PODS, "p")["metadata"]["ownerReferences"] == [owned_by(second)]
        world.delete(DEPLOYMENTS, "second")
        assert world.names(PODS) == []

    def test_born_after_its_owner_died(self, world: World) -> None:
        owner = world.create(DEPLOYMENTS, deployment())
        world.delete(DEPLOYMENTS, "d")
        made = world.create(PODS, pod("late", ownerReferences=[owned_by(owner)]))
        assert made["metadata"]["name"] == "late"
        assert world.names(PODS) == []

    def test_adopted_by_the_dead(self, world: World) -> None:
        owner = world.create(DEPLOYMENTS, deployment())
        world.delete(DEPLOYMENTS, "d")
        world.create(PODS, pod("p"))
        world.patch(PODS, "p", {"metadata": {"ownerReferences": [owned_by(owner)]}})
        assert world.names(PODS) == []

    def test_a_new_owner_of_the_same_name_is_another(self, world: World) -> None:
        owner = world.create(DEPLOYMENTS, deployment())
        world.delete(DEPLOYMENTS, "d")
        world.create(DEPLOYMENTS, deployment())
        world.create(PODS, pod("p", ownerReferences=[owned_by(owner)]))
        assert world.names(PODS) == []

    def test_a_circle_and_a_long_chain_end(self, world: World) -> None:
        first = world.create(DEPLOYMENTS, deployment("c0"))
        last = first
        for at in range(1, 1200):
            raw = deployment(f"c{at}")
            raw["metadata"]["ownerReferences"] = [owned_by(last)]
            last = world.create(DEPLOYMENTS, raw)
        world.patch(DEPLOYMENTS, "c0", {"metadata": {"ownerReferences": [owned_by(last)]}})
        world.delete(DEPLOYMENTS, "c0")
        assert world.names(DEPLOYMENTS) == []


class TestNamespaces:
    def test_everything_in_it_goes_and_then_it_goes(self, world: World) -> None:
        world.create(NAMESPACES, namespace("team"))
        world.create(PODS, pod("a", "team"))
        world.create(PODS, pod("b"))
        assert world.delete(NAMESPACES, "team", None)["kind"] == "Status"
        assert (world.names(PODS), world.names(NAMESPACES)) == (["b"], ["default"])

    def test_it_waits_for_what_takes_time(self, world: World) -> None:
        world.create(NAMESPACES, namespace("team"))
        world.create(PODS, pod("a", "team"))
        options = WriteOptions(subresource="status")
        change = {"status": {"phase": "Running"}}
        world.server.patch(PODS, ("team", "a"), change, "merge", options)
        going = world.delete(NAMESPACES, "team", None)
        assert going["status"]["phase"] == "Terminating"
        with pytest.raises(ForbiddenError, match="because it is being terminated"):
            world.create(PODS, pod("b", "team"))
        assert world.delete(NAMESPACES, "team", None) == going
        world.delete(PODS, "a", "team", grace_period_s=0)
        assert world.names(NAMESPACES) == ["default"]

    def test_its_own_finalizers_count(self, world: World) -> None:
        world.create(NAMESPACES, namespace("team", finalizers=["example.com/x"]))
        world.delete(NAMESPACES, "team", None)
        assert world.names(NAMESPACES) == ["default", "team"]
        world.server.patch(
            NAMESPACES, (None, "team"), {"metadata": {"finalizers": None}}, "merge", WriteOptions()
        )
        assert world.names(NAMESPACES) == ["default"]

    def test_the_default_one_stays(self, world: World) -> None:
        with pytest.raises(ForbiddenError):
            world.delete(NAMESPACES, "default", None)


class FailingStore(Store):
    """A store whose removals fail while `fails` is positive."""

    fails = 0

    def remove(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        if resource is PODS and self.fails:
            self.fails -= 1
            raise StorageError("disk full")
        return super().remove(resource, obj)


def test_a_cascade_that_storage_stops_goes_on_later() -> None:
    store = FailingStore(IN_MEMORY)
    server = ApiServer(store, clock=lambda: 0.0, rng=random.Random(1))
    owner = server.create(DEPLOYMENTS, HOME, deployment(), WriteOptions())
    for name in "abc":
        raw = pod(name, ownerReferences=[owned_by(owner)])
        server.create(PODS, HOME, raw, WriteOptions())
    store.fails = 1
    assert server.delete(DEPLOYMENTS, HOME, "d")["status"] == "Success"
    assert len(server.list(PODS, Selection()).items) == 3
    server.create(DEPLOYMENTS, HOME, deployment("any"), WriteOptions())
    assert server.list(PODS, Selection()).items == []
    store.close()


def test_a_cascade_that_death_stopped_goes_on_at_the_next_start(tmp_path: Path) -> None:
    world = World(tmp_path / "objects.db")
    owner = world.create(DEPLOYMENTS, deployment())
    world.create(PODS, pod("p", ownerReferences=[owned_by(owner)]))
    world.create(NAMESPACES, namespace("team"))
    world.create(PODS, pod("a", "team"))
    # What is on disk when the process dies right after the owner's own removal.
    store = world.served.store
    store.remove(DEPLOYMENTS, {**owner, "metadata": dict(owner["metadata"])})
    team = store.get(NAMESPACES, "", "team") or {}
    going = team["metadata"] | {"deletionTimestamp": "2027-01-15T08:00:00Z"}
    store.put(NAMESPACES, {**team, "metadata": going})
    kept = world.create(DEPLOYMENTS, deployment("waiting"))
    world.create(PODS, pod("last", ownerReferences=[owned_by(kept, blocks=True)]))
    waiting = kept["metadata"] | {"finalizers": ["foregroundDeletion"]}
    waiting["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    store.put(DEPLOYMENTS, {**kept, "metadata": waiting})
    world.served.close()
    again = World(tmp_path / "objects.db")
    assert again.names(DEPLOYMENTS) == []
    assert again.names(PODS) == []
    assert again.names(NAMESPACES) == ["default"]
    again.served.close()


@settings(max_examples=50)
@given(
    st.lists(st.sets(st.integers(0, 7)), min_size=8, max_size=8),
    st.lists(st.integers(0, 7), max_size=8),
    st.sampled_from(["Background", "Foreground"]),
)
def test_whoever_lost_every_owner_is_gone(
    wanted: list[set[int]], deleted: list[int], propagation: str
) -> None:
    """Any graph of owners, any deletions: the rest is what a plain search would leave."""
    world = World()
    made: list[dict[str, Any]] = []
    owners_of: list[set[int]] = []
    for at in range(8):
        owners = {each for each in wanted[at] if each < at}
        raw = deployment(f"d{at}")
        raw["metadata"]["ownerReferences"] = [
            owned_by(made[each], blocks=True) for each in sorted(owners)
        ]
        made.append(world.create(DEPLOYMENTS, raw))
        owners_of.append(owners)
    alive = set(range(8))
    for at in deleted:
        if at not in alive:
            continue
        world.delete(DEPLOYMENTS, f"d{at}", propagation=propagation)
        alive.discard(at)
        for child in range(8):
            if owners_of[child] and not owners_of[child] & alive:
                alive.discard(child)
    assert set(world.names(DEPLOYMENTS)) == {f"d{at}" for at in alive}
    world.served.close()
