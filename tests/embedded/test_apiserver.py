import contextlib
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kinds import DEPLOYMENTS, EVENTS, NAMESPACES, PODS, SERVICES, Resource
from cluster.errors import (
    ApiError,
    BadRequestError,
    InternalError,
    InvalidError,
    MethodNotAllowedError,
    NotFoundError,
)
from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions
from embedded.apiserver import ApiServer
from embedded.storage_errors import StorageError
from embedded.store import IN_MEMORY, Store
from embedded.tables import table
from tests.cluster.serving import Clock, Served, deployment, namespace, pod, service

WRITE = WriteOptions()
DRY = WriteOptions(is_dry_run=True)
STATUS = WriteOptions(subresource="status")


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def server(served: Served) -> ApiServer:
    return served.server


def names(server: ApiServer, resource: Resource = PODS) -> list[str]:
    return [each["metadata"]["name"] for each in server.list(resource, Selection()).items]


class TestDryRun:
    def test_nothing_is_stored(self, server: ApiServer) -> None:
        server.create(DEPLOYMENTS, None, deployment(), WRITE)
        before = server.version
        made = server.create(PODS, "default", pod(), DRY)
        assert made["metadata"]["uid"]
        changed = server.patch(DEPLOYMENTS, (None, "d"), {"spec": {"replicas": 9}}, "merge", DRY)
        assert (changed["spec"]["replicas"], changed["metadata"]["generation"]) == (9, 2)
        server.replace(DEPLOYMENTS, None, "d", deployment(replicas=8), DRY)
        assert server.version == before
        assert names(server) == []
        assert server.get(DEPLOYMENTS, None, "d")["spec"]["replicas"] == 1

    def test_what_would_be_refused_is(self, server: ApiServer) -> None:
        with pytest.raises(BadRequestError, match="denied the request"):
            server.create(SERVICES, None, service(containerConcurrency=-1), DRY)
        with pytest.raises(InvalidError):
            server.create(PODS, None, {**pod(), "spec": {}}, DRY)


class TestCreate:
    def test_a_version_cannot_be_brought_along(self, server: ApiServer) -> None:
        with pytest.raises(BadRequestError, match="resourceVersion should not be set"):
            server.create(PODS, None, pod(resourceVersion="7"), WRITE)

    def test_parts_cannot_be_created(self, server: ApiServer) -> None:
        with pytest.raises(MethodNotAllowedError):
            server.create(PODS, None, pod(), STATUS)

    def test_defaults_of_admission_are_stored(self, server: ApiServer) -> None:
        made = server.create(SERVICES, None, service(), replace(WRITE, user="ann"))
        spec = made["spec"]["template"]["spec"]
        assert (spec["timeoutSeconds"], spec["containers"][0]["name"]) == (300, "user-container")
        assert made["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]
        assert made["metadata"]["annotations"]["serving.knative.dev/creator"] == "ann"

    def test_a_name_that_is_taken_is_said_before_what_is_wrong(self, server: ApiServer) -> None:
        server.create(SERVICES, None, service(), WRITE)
        with pytest.raises(ApiError) as refused:
            server.create(SERVICES, None, service(containerConcurrency=-1), WRITE)
        assert refused.value.reason == "AlreadyExists"

    def test_the_namespace_is_that_of_the_url(self, server: ApiServer) -> None:
        server.create(NAMESPACES, None, namespace("team"), WRITE)
        raw = pod()
        del raw["metadata"]["namespace"]
        assert server.create(PODS, "team", raw, WRITE)["metadata"]["namespace"] == "team"


class TestUpdate:
    def test_finding_nothing_to_do_wakes_nobody(self, server: ApiServer) -> None:
        made = server.create(SERVICES, None, service(), WRITE)
        watcher = server.watch(SERVICES, Selection(), WatchOptions(resource_version=server.version))
        writer = WriteOptions(field_manager="kubectl")
        for patch in ({}, {"metadata": {"labels": {}}}, {"spec": made["spec"]}):
            assert server.patch(SERVICES, (None, "hello"), patch, "merge", writer) is made
        assert server.replace(SERVICES, None, "hello", made, writer) is made
        status = WriteOptions(subresource="status", field_manager="x")
        assert server.patch(SERVICES, (None, "hello"), {"spec": {}}, "merge", status) is made
        assert watcher.waiting == 0

    def test_what_was_stored_is_never_mutated(self, server: ApiServer) -> None:
        first = server.create(DEPLOYMENTS, None, deployment(), WRITE)
        shown = repr(first)
        for patch in (
            {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}},
            {"spec": {"template": {"spec": {"containers": None}}}, "metadata": {"labels": None}},
        ):
            with contextlib.suppress(InvalidError):
                server.patch(DEPLOYMENTS, (None, "d"), patch, "merge", WRITE)
        server.patch(DEPLOYMENTS, (None, "d"), {"status": {"replicas": 1}}, "merge", STATUS)
        server.delete(DEPLOYMENTS, None, "d")
        assert repr(first) == shown

    def test_the_server_keeps_its_own_fields(self, server: ApiServer) -> None:
        made = server.create(DEPLOYMENTS, None, deployment(), WRITE)
        claimed = {"generation": 9, "creationTimestamp": "x", "managedFields": [{"manager": "me"}]}
        after = server.patch(DEPLOYMENTS, (None, "d"), {"metadata": claimed}, "merge", WRITE)
        assert after is made

    def test_managers_are_noted(self, server: ApiServer) -> None:
        writer = WriteOptions(field_manager="kubectl-create")
        made = server.create(DEPLOYMENTS, None, deployment(), writer)
        (entry,) = made["metadata"]["managedFields"]
        assert (entry["manager"], entry["time"]) == ("kubectl-create", "2027-01-15T08:00:00Z")

    def test_status_is_checked_for_its_types_only(self, server: ApiServer) -> None:
        server.create(SERVICES, None, service(), WRITE)
        with pytest.raises(BadRequestError, match=r"status\.conditions: must be a list"):
            server.patch(SERVICES, (None, "hello"), {"status": {"conditions": 7}}, "merge", STATUS)

    def test_a_patch_may_bring_the_version_it_is_meant_for(self, server: ApiServer) -> None:
        made = server.create(DEPLOYMENTS, None, deployment(), WRITE)
        version = made["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version, "labels": {"a": "b"}}}
        server.patch(DEPLOYMENTS, (None, "d"), patch, "merge", WRITE)
        patch["metadata"]["labels"] = {"a": "c"}
        with pytest.raises(ApiError, match="has been modified"):
            server.patch(DEPLOYMENTS, (None, "d"), patch, "merge", WRITE)

    def test_an_apply_needs_a_manager(self, server: ApiServer) -> None:
        with pytest.raises(InvalidError, match="fieldManager: Required value"):
            server.patch(SERVICES, (None, "hello"), service(), "apply", WRITE)

    def test_an_apply_to_a_part_does_not_create(self, server: ApiServer) -> None:
        options = WriteOptions(field_manager="x", subresource="status")
        with pytest.raises(NotFoundError):
            server.patch(SERVICES, (None, "hello"), service(), "apply", options)


class TestCollections:
    def test_the_selected_go(self, server: ApiServer) -> None:
        for name in "abc":
            server.create(PODS, None, pod(name, labels={"n": name}), WRITE)
        selection = Selection(namespace="default", labels="n in (a,b)")
        found = server.delete_collection(PODS, selection, DeleteOptions())
        assert [each["metadata"]["name"] for each in found.items] == ["a", "b"]
        assert names(server) == ["c"]

    def test_one_that_a_cascade_took_is_no_failure(self, server: ApiServer) -> None:
        owner = server.create(DEPLOYMENTS, None, deployment("a"), WRITE)
        child = deployment("b")
        child["metadata"]["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
            | {"uid": owner["metadata"]["uid"]}
        ]
        server.create(DEPLOYMENTS, None, child, WRITE)
        server.delete_collection(DEPLOYMENTS, Selection(), DeleteOptions())
        assert names(server, DEPLOYMENTS) == []

    def test_lists_come_by_pages(self, server: ApiServer) -> None:
        for name in "abc":
            server.create(PODS, None, pod(name), WRITE)
        first = server.list(PODS, Selection(), ListOptions(limit=2))
        assert (len(first.items), first.remaining) == (2, 1)


class TestEvents:
    def event(self, at: int) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"e{at:04}"},
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        }

    def test_at_most_a_thousand_are_kept(self, server: ApiServer) -> None:
        for at in range(1003):
            server.create(EVENTS, None, self.event(at), WRITE)
        kept = names(server, EVENTS)
        assert (len(kept), kept[0]) == (1000, "e0003")

    def test_what_expired_is_not_found_and_is_told(self, served: Served) -> None:
        server = served.server
        server.create(EVENTS, None, self.event(1), WRITE)
        watcher = server.watch(EVENTS, Selection(), WatchOptions(resource_version=server.version))
        served.clock.now_s += 3600
        with pytest.raises(NotFoundError):
            server.get(EVENTS, None, "e0001")
        assert watcher.waiting == 1


class FailingStore(Store):
    fails = False

    def put(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        if self.fails:
            raise StorageError("the disk is full: free space")
        return super().put(resource, obj)


def test_a_write_that_storage_refuses_changes_nothing_and_says_what_to_do() -> None:
    store = FailingStore(IN_MEMORY)
    clock = Clock()
    server = ApiServer(store, clock=clock, rng=random.Random(1))
    made = server.create(DEPLOYMENTS, None, deployment(), WRITE)
    watcher = server.watch(DEPLOYMENTS, Selection(), WatchOptions(resource_version=server.version))
    store.fails = True
    with pytest.raises(InternalError, match="free space"):
        server.patch(DEPLOYMENTS, (None, "d"), {"spec": {"replicas": 2}}, "merge", WRITE)
    with pytest.raises(InternalError):
        server.create(PODS, None, pod(), WRITE)
    assert server.get(DEPLOYMENTS, None, "d") is made
    assert (names(server), watcher.waiting) == ([], 0)
    store.fails = False
    server.create(PODS, None, pod(), WRITE)
    store.close()


def test_the_default_namespace_is_made_once(tmp_path: Any) -> None:
    first = Served(path=tmp_path / "x.db")
    uid = first.server.get(NAMESPACES, None, "default")["metadata"]["uid"]
    first.close()
    again = Served(path=tmp_path / "x.db")
    assert again.server.get(NAMESPACES, None, "default")["metadata"]["uid"] == uid
    again.close()


async def test_closing_ends_every_watch(server: ApiServer) -> None:
    watcher = server.watch(PODS, Selection(), WatchOptions())
    assert server.statistics().watchers == 1
    server.close()
    assert await watcher.next() is None


FIELDS = st.sampled_from(
    [
        *("apiVersion", "kind", "metadata", "spec", "status", "name", "labels", "finalizers"),
        *("ownerReferences", "template", "containers", "image", "selector", "matchLabels", "uid"),
        *("replicas", "involvedObject", "traffic", "annotations", "resourceVersion", "phase"),
    ]
)
VALUES = st.sampled_from([None, True, 0, -1, 1.5, "", "v1", "Pod", "d", "apps/v1", "Deployment"])
ANYTHING = st.recursive(
    VALUES,
    lambda child: st.lists(child, max_size=3) | st.dictionaries(FIELDS, child, max_size=5),
    max_leaves=20,
)


@given(
    st.sampled_from([PODS, DEPLOYMENTS, SERVICES, NAMESPACES, EVENTS]),
    st.sampled_from(["merge", "strategic", "json", "apply"]),
    st.sampled_from(["", "status", "scale"]),
    ANYTHING,
)
def test_any_json_is_stored_or_refused(
    resource: Resource, kind: Any, part: str, patch: Any
) -> None:
    """Whatever is sent, the answer is an object or an ApiError, and lists go on working."""
    served = Served()
    server = served.server
    server.create(PODS, None, pod("d"), WRITE)
    server.create(DEPLOYMENTS, None, deployment("d"), WRITE)
    server.create(SERVICES, None, service("d"), WRITE)
    options = WriteOptions(subresource=part, field_manager="fuzz")
    with contextlib.suppress(ApiError):
        server.patch(resource, (None, "d"), patch, kind, options)
    identity = {"apiVersion": resource.api_version, "kind": resource.kind}
    named = {"metadata": {"name": "new"}}
    raw = named | (patch if isinstance(patch, dict) else {}) | identity
    with contextlib.suppress(ApiError):
        server.create(resource, None, raw, WRITE)
    with contextlib.suppress(ApiError):
        server.replace(resource, None, "d", raw, options)
    for each in (PODS, DEPLOYMENTS, SERVICES):
        assert "d" in names(server, each)
        server.list(each, Selection(fields="metadata.name=d", labels="a=b"))
        table(each, server.list(each, Selection()).items, now_s=0.0)
    with contextlib.suppress(ApiError):
        server.delete(resource, None, "d")
    served.close()


def test_a_resource_is_known_by_what_it_says(server: ApiServer) -> None:
    """A caller may have read it from discovery: it is equal, not the same."""
    copied = replace(NAMESPACES)
    assert copied is not NAMESPACES
    made = server.create(copied, None, {"metadata": {"name": "copied"}}, WriteOptions())
    assert made["status"] == {"phase": "Active"}
