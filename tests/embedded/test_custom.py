import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.kinds import CUSTOMRESOURCEDEFINITIONS as CRDS
from api.kinds import NAMESPACES, SERVICES, Resource
from cluster.errors import (
    InvalidError,
    MethodNotAllowedError,
    NotFoundError,
)
from cluster.options import DeleteOptions, Selection, WatchOptions, WriteOptions
from embedded.apiserver import ApiServer
from embedded.store import IN_MEMORY, Store

PLAIN = WriteOptions(user="ann")
STATUS = WriteOptions(user="ann", subresource="status")
SPEC = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "default": 1, "maximum": 9},
        "color": {"type": "string"},
    },
}


def version(name: str, **given: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": SPEC, "status": {"type": "object"}}}
    plain = {"name": name, "served": True, "storage": name == "v1"}
    return plain | {"schema": {"openAPIV3Schema": schema}} | given


def crd(plural: str = "widgets", kind: str = "Widget", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{spec.get('group', 'example.com')}"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "shortNames": ["wd"]},
            "versions": [version("v1", subresources={"status": {}})],
        }
        | spec,
    }


def widget(name: str = "a", api_version: str = "example.com/v1", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": api_version, "kind": "Widget", "metadata": metadata, "spec": spec}


def started(store: Store) -> ApiServer:
    return ApiServer(store, clock=lambda: 1000.0, rng=random.Random(0))


@pytest.fixture
def server() -> Iterator[ApiServer]:
    found = started(Store(IN_MEMORY))
    found.create(CRDS, None, crd(), PLAIN)
    yield found
    found.close()


def widgets(server: ApiServer, version: str = "v1") -> Resource:
    return server.registry.by_path("example.com", version, "widgets")


def conditions(server: ApiServer, name: str) -> dict[str, str]:
    status = server.get(CRDS, None, name)["status"]
    return {each["type"]: each["status"] for each in status["conditions"]}


def test_a_kind_is_served_as_soon_as_its_crd_is_there(server: ApiServer) -> None:
    assert conditions(server, "widgets.example.com") == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    stored = server.create(widgets(server), "default", widget(unknown=1) | {"more": 2}, PLAIN)
    assert stored["spec"] == {"size": 1}
    assert "more" not in stored
    with pytest.raises(InvalidError, match=r"spec\.size in body should be less than or equal to 9"):
        server.create(widgets(server), "default", widget("b", size=10), PLAIN)


def test_status_is_written_apart(server: ApiServer) -> None:
    kind = widgets(server)
    raw = widget() | {"status": {"ready": True}}
    assert "status" not in server.create(kind, "default", raw, PLAIN)
    patch = {"status": {}, "spec": {"size": 2}}
    stored = server.patch(kind, ("default", "a"), patch, "merge", STATUS)
    assert (stored["spec"], stored["status"]) == ({"size": 1}, {})
    with pytest.raises(NotFoundError, match="no subresource 'scale'"):
        server.get_scale(kind, "default", "a")


def test_one_object_has_every_served_version() -> None:
    server = started(Store(IN_MEMORY))
    server.create(CRDS, None, crd(versions=[version("v1"), version("v1beta1")]), PLAIN)
    old, new = widgets(server, "v1beta1"), widgets(server)
    watch = server.watch(old, Selection(namespace=None), WatchOptions())
    server.create(new, "default", widget(), PLAIN)
    assert server.get(old, "default", "a")["apiVersion"] == "example.com/v1beta1"
    (listed,) = server.list(old, Selection(namespace=None)).items
    assert listed["apiVersion"] == "example.com/v1beta1"
    changed = server.patch(old, ("default", "a"), {"spec": {"size": 2}}, "merge", PLAIN)
    assert changed["apiVersion"] == "example.com/v1beta1"
    assert server.get(new, "default", "a")["apiVersion"] == "example.com/v1"
    assert watch.waiting == 2


async def test_watches_of_a_version_end_with_it() -> None:
    server = started(Store(IN_MEMORY))
    server.create(CRDS, None, crd(versions=[version("v1"), version("v1beta1")]), PLAIN)
    old = server.watch(widgets(server, "v1beta1"), Selection(namespace=None), WatchOptions())
    new = server.watch(widgets(server), Selection(namespace=None), WatchOptions())
    versions = {"spec": {"versions": [version("v1"), version("v1beta1", served=False)]}}
    server.patch(CRDS, (None, "widgets.example.com"), versions, "merge", PLAIN)
    assert await old.next() is None
    with pytest.raises(NotFoundError):
        widgets(server, "v1beta1")
    server.create(widgets(server), "default", widget(), PLAIN)
    assert new.waiting == 1


async def test_a_crd_takes_its_objects_with_it(server: ApiServer) -> None:
    kind = widgets(server)
    server.create(kind, "default", widget(), PLAIN)
    watch = server.watch(kind, Selection(namespace=None), WatchOptions())
    await watch.next()
    server.delete(CRDS, None, "widgets.example.com", DeleteOptions())
    event = await watch.next()
    assert event is not None
    assert event.type == "DELETED"
    assert await watch.next() is None
    with pytest.raises(NotFoundError):
        widgets(server)
    with pytest.raises(NotFoundError):
        server.get(CRDS, None, "widgets.example.com")
    server.create(CRDS, None, crd(), PLAIN)
    assert server.list(widgets(server), Selection(namespace=None)).items == []


def test_a_crd_waits_for_objects_that_wait(server: ApiServer) -> None:
    kind = widgets(server)
    raw = widget()
    raw["metadata"]["finalizers"] = ["example.com/wait"]
    server.create(kind, "default", raw, PLAIN)
    server.delete(CRDS, None, "widgets.example.com", DeleteOptions())
    assert server.get(CRDS, None, "widgets.example.com")["metadata"]["deletionTimestamp"]
    with pytest.raises(MethodNotAllowedError, match="is terminating"):
        server.create(kind, "default", widget("b"), PLAIN)
    server.patch(kind, ("default", "a"), {"metadata": {"finalizers": None}}, "merge", PLAIN)
    with pytest.raises(NotFoundError):
        server.get(CRDS, None, "widgets.example.com")


def test_names_belong_to_who_came_first(server: ApiServer) -> None:
    other = crd("gadgets", "Gadget")
    server.create(CRDS, None, other, PLAIN)
    assert conditions(server, "gadgets.example.com")["NamesAccepted"] == "False"
    with pytest.raises(NotFoundError):
        server.registry.by_path("example.com", "v1", "gadgets")
    server.delete(CRDS, None, "widgets.example.com", DeleteOptions())
    assert conditions(server, "gadgets.example.com")["Established"] == "True"
    assert server.registry.by_path("example.com", "v1", "gadgets")


def test_a_crd_of_a_kind_we_serve_is_an_object_and_no_more(server: ApiServer) -> None:
    before = server.registry.schema_of(SERVICES)
    ours = crd("services", "Service", group="serving.knative.dev")
    server.create(CRDS, None, ours, PLAIN)
    name = "services.serving.knative.dev"
    assert conditions(server, name)["Established"] == "True"
    assert server.registry.schema_of(SERVICES) is before
    server.delete(CRDS, None, name, DeleteOptions())
    assert server.registry.by_path("serving.knative.dev", "v1", "services") is SERVICES
    assert server.list(SERVICES, Selection(namespace=None)).items == []


def test_objects_go_with_their_namespace(server: ApiServer) -> None:
    raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    server.create(NAMESPACES, None, raw, PLAIN)
    one = widget()
    one["metadata"]["namespace"] = "team"
    server.create(widgets(server), "team", one, PLAIN)
    server.delete(NAMESPACES, None, "team", DeleteOptions())
    assert server.list(widgets(server), Selection(namespace=None)).items == []


def test_kinds_and_their_objects_survive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    server = started(store)
    server.create(CRDS, None, crd(), PLAIN)
    server.create(widgets(server), "default", widget(size=3), PLAIN)
    server.close()
    store.close()
    again = Store(tmp_path / "db")
    server = started(again)
    assert server.get(widgets(server), "default", "a")["spec"] == {"size": 3}
    server.delete(CRDS, None, "widgets.example.com", DeleteOptions())
    again.close()
    last = Store(tmp_path / "db")
    started(last)
    last.close()


def test_objects_are_selected_by_the_fields_the_crd_names() -> None:
    server = started(Store(IN_MEMORY))
    fields = [{"jsonPath": ".spec.color"}]
    server.create(CRDS, None, crd(versions=[version("v1", selectableFields=fields)]), PLAIN)
    for name, color in (("a", "red"), ("b", "blue")):
        server.create(widgets(server), "default", widget(name, color=color), PLAIN)
    red = Selection(namespace=None, fields="spec.color=red")
    (found,) = server.list(widgets(server), red).items
    assert found["metadata"]["name"] == "a"
    start = server.version
    server.patch(widgets(server), ("default", "a"), {"spec": {"color": "blue"}}, "merge", PLAIN)
    watch = server.watch(widgets(server), red, WatchOptions(resource_version=start))
    assert watch.waiting == 1  # it left the selection


def test_a_scale_is_read_and_written_where_the_crd_says() -> None:
    server = started(Store(IN_MEMORY))
    paths = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    parts = {"scale": paths}
    server.create(CRDS, None, crd(versions=[version("v1", subresources=parts)]), PLAIN)
    server.create(widgets(server), "default", widget(), PLAIN)
    assert server.get_scale(widgets(server), "default", "a")["spec"] == {"replicas": 1}
    options = WriteOptions(user="ann", subresource="scale")
    patch = {"spec": {"replicas": 4}}
    server.patch(widgets(server), ("default", "a"), patch, "merge", options)
    assert server.get(widgets(server), "default", "a")["spec"] == {"size": 4}
