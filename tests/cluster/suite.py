"""What every client must do, whoever serves it: one suite, run by call and over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from api.kinds import CONFIGURATIONS, DEPLOYMENTS, EVENTS, NAMESPACES, PODS, SERVICES, Resource
from cluster.client import Client, WatchEvent
from cluster.errors import (
    AlreadyExistsError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from tests.cluster.serving import Served, deployment, namespace, owned_by, pod, service

DEADLINE_S = 10.0


async def take(events: AsyncIterator[WatchEvent], count: int) -> list[WatchEvent]:
    """The next events that are not bookmarks."""
    found: list[WatchEvent] = []
    async with asyncio.timeout(DEADLINE_S):
        async for event in events:
            if event.type != "BOOKMARK":
                found.append(event)
            if len(found) == count:
                break
    return found


def seen(events: list[WatchEvent]) -> list[tuple[str, str]]:
    return [(event.type, event.object["metadata"]["name"]) for event in events]


async def names(client: Client, resource: Resource, **selectors: str) -> list[str]:
    return [each["metadata"]["name"] for each in (await client.list(resource, **selectors)).items]


class ClientSuite:
    """Subclasses give a `client` fixture, over the server of the `served` fixture."""

    async def test_what_is_created_can_be_read(self, client: Client) -> None:
        made = await client.create(PODS, pod("p", labels={"a": "b"}))
        metadata = made["metadata"]
        assert metadata["creationTimestamp"] == "2027-01-15T08:00:00Z"
        assert len(metadata["uid"]) == 36
        assert await client.get(PODS, "default", "p") == made
        assert (await client.list(PODS)).items == [made]

    async def test_the_default_namespace_is_there_from_the_start(self, client: Client) -> None:
        found = await client.get(NAMESPACES, None, "default")
        assert found["status"] == {"phase": "Active"}
        assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "default"}

    async def test_a_name_is_taken_once(self, client: Client) -> None:
        await client.create(PODS, pod())
        with pytest.raises(AlreadyExistsError, match='pods "p" already exists') as refused:
            await client.create(PODS, pod())
        assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")
        assert refused.value.details == {"name": "p", "kind": "pods"}

    async def test_what_does_not_exist_is_not_found(self, client: Client) -> None:
        for call in (
            client.get(SERVICES, "default", "x"),
            client.patch(SERVICES, "default", "x", {}),
            client.delete(SERVICES, "default", "x"),
        ):
            with pytest.raises(NotFoundError) as refused:
                await call
            assert refused.value.message == 'services.serving.knative.dev "x" not found'
            assert refused.value.details["group"] == "serving.knative.dev"

    async def test_a_missing_namespace_takes_no_objects(self, client: Client) -> None:
        with pytest.raises(NotFoundError, match='namespaces "nowhere" not found'):
            await client.create(PODS, pod(namespace="nowhere"))

    async def test_a_kind_not_served_is_not_found(self, client: Client) -> None:
        other = Resource("nowhere.example", "v1", "nothings", "Nothing", "nothing")
        with pytest.raises(NotFoundError):
            await client.list(other)

    async def test_generate_name_completes_a_name(self, client: Client) -> None:
        raw = pod(generateName="web-")
        del raw["metadata"]["name"]
        first, second = await client.create(PODS, raw), await client.create(PODS, raw)
        assert first["metadata"]["name"] != second["metadata"]["name"]
        assert first["metadata"]["name"].startswith("web-")
        assert len(first["metadata"]["name"]) == len("web-") + 5

    async def test_nameless_and_misnamed_objects_are_invalid(self, client: Client) -> None:
        raw = pod()
        del raw["metadata"]["name"]
        with pytest.raises(InvalidError, match="name or generateName is required"):
            await client.create(PODS, raw)
        with pytest.raises(InvalidError) as refused:
            await client.create(PODS, pod("Not_A_Name"))
        (cause,) = refused.value.details["causes"]
        assert cause["field"] == "metadata.name"

    async def test_a_body_of_another_kind_is_refused(self, client: Client) -> None:
        with pytest.raises(BadRequestError, match="does not match the expected API version"):
            await client.create(PODS, {**pod(), "apiVersion": "v2"})
        with pytest.raises(BadRequestError, match="does not match the expected kind"):
            await client.create(PODS, {**pod(), "kind": "Secret"})
        unnamed = {key: value for key, value in service().items() if key != "kind"}
        with pytest.raises(BadRequestError, match="kind: Required value"):
            await client.create(SERVICES, unnamed)

    async def test_a_typed_client_may_leave_the_kind_to_the_url(self, client: Client) -> None:
        body = {key: value for key, value in pod().items() if key not in ("apiVersion", "kind")}
        made = await client.create(PODS, body)
        assert (made["apiVersion"], made["kind"]) == ("v1", "Pod")

    async def test_what_is_not_json_is_refused(self, client: Client) -> None:
        with pytest.raises(BadRequestError, match="not JSON"):
            await client.create(PODS, pod(labels={}) | {"extra": object()})

    async def test_an_unstored_object_changes_nothing(self, client: Client) -> None:
        before = (await client.list(PODS)).resource_version
        with pytest.raises(InvalidError):
            await client.create(PODS, {**pod(), "spec": {}})
        assert (await client.list(PODS)).resource_version == before

    async def test_replace_needs_the_version_that_was_read(self, client: Client) -> None:
        first = await client.create(DEPLOYMENTS, deployment())
        second = await client.replace(DEPLOYMENTS, _with_replicas(first, 2))
        assert second["spec"]["replicas"] == 2
        with pytest.raises(ConflictError, match="the object has been modified") as refused:
            await client.replace(DEPLOYMENTS, _with_replicas(first, 3))
        assert (refused.value.status, refused.value.reason) == (409, "Conflict")

    async def test_replace_of_our_kinds_must_name_a_version(self, client: Client) -> None:
        await client.create(SERVICES, service())
        with pytest.raises(InvalidError, match="must be specified for an update"):
            await client.replace(SERVICES, service())
        await client.create(DEPLOYMENTS, deployment())
        await client.replace(DEPLOYMENTS, deployment(replicas=4))  # as Kubernetes allows

    async def test_replace_of_another_uid_is_a_conflict(self, client: Client) -> None:
        await client.create(DEPLOYMENTS, deployment())
        other = deployment()
        other["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000"
        with pytest.raises(ConflictError, match="UID in precondition"):
            await client.replace(DEPLOYMENTS, other)

    async def test_generation_counts_changes_of_spec_only(self, client: Client) -> None:
        made = await client.create(SERVICES, service())
        assert made["metadata"]["generation"] == 1
        for patch, subresource, generation in (
            ({"metadata": {"labels": {"a": "b"}}}, "", 1),
            ({"status": {"url": "http://x"}}, "status", 1),
            ({"spec": {"template": {"spec": {"timeoutSeconds": 7}}}}, "", 2),
        ):
            after = await client.patch(SERVICES, "default", "hello", patch, subresource=subresource)
            assert after["metadata"]["generation"] == generation

    async def test_status_and_spec_are_written_apart(self, client: Client) -> None:
        await client.create(SERVICES, service() | {"status": {"url": "http://ignored"}})
        change = {
            "status": {"url": "http://x"},
            "spec": {"template": {"spec": {"timeoutSeconds": 9}}},
        }
        made = await client.get(SERVICES, "default", "hello")
        assert "status" not in made
        await client.patch(SERVICES, "default", "hello", change, subresource="status")
        after = await client.get(SERVICES, "default", "hello")
        assert after["spec"] == made["spec"]
        assert after["status"] == {"url": "http://x"}
        await client.patch(SERVICES, "default", "hello", {"status": {"url": "http://y"}} | change)
        after = await client.get(SERVICES, "default", "hello")
        assert after["spec"]["template"]["spec"]["timeoutSeconds"] == 9
        assert after["status"] == {"url": "http://x"}

    async def test_replace_of_status_leaves_the_rest(self, client: Client) -> None:
        made = await client.create(DEPLOYMENTS, deployment())
        changed = _with_replicas(made, 7) | {"status": {"replicas": 1}}
        after = await client.replace(DEPLOYMENTS, changed, subresource="status")
        assert after["spec"]["replicas"] == 1
        assert after["status"] == {"replicas": 1}

    async def test_status_of_a_pod_may_carry_annotations(self, client: Client) -> None:
        await client.create(PODS, pod())
        change = {"metadata": {"annotations": {"relight.dev/endpoint": "unix:/x"}}, "status": {}}
        after = await client.patch(PODS, "default", "p", change, subresource="status")
        assert after["metadata"]["annotations"] == {"relight.dev/endpoint": "unix:/x"}

    async def test_a_write_that_changes_nothing_is_no_write(self, client: Client) -> None:
        made = await client.create(SERVICES, service())
        same = await client.patch(SERVICES, "default", "hello", {"metadata": {"labels": None}})
        again = await client.replace(SERVICES, made)
        assert made == same == again

    async def test_scale_is_read_and_written_as_a_scale(self, client: Client) -> None:
        await client.create(DEPLOYMENTS, deployment())
        scaled = await client.patch(
            DEPLOYMENTS, "default", "d", {"spec": {"replicas": 5}}, subresource="scale"
        )
        assert (scaled["kind"], scaled["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert scaled["spec"] == {"replicas": 5}
        assert scaled["status"] == {"replicas": 0, "selector": "app=d"}
        stored = await client.get(DEPLOYMENTS, "default", "d")
        assert stored["spec"]["replicas"] == 5
        assert stored["metadata"]["generation"] == 2
        scaled["spec"]["replicas"] = 0
        assert (await client.replace(DEPLOYMENTS, scaled, subresource="scale"))["spec"] == {
            "replicas": 0
        }
        scaled["spec"]["replicas"] = 1
        with pytest.raises(ConflictError):
            await client.replace(DEPLOYMENTS, scaled, subresource="scale")
        for wrong in (-1, "2", None, True):
            patch = [{"op": "replace", "path": "/spec/replicas", "value": wrong}]
            with pytest.raises(BadRequestError, match=r"spec\.replicas"):
                await client.patch(
                    DEPLOYMENTS, "default", "d", patch, kind="json", subresource="scale"
                )

    async def test_parts_a_kind_does_not_have_are_not_found(self, client: Client) -> None:
        await client.create(SERVICES, service())
        for part in ("scale", "exec"):
            with pytest.raises(NotFoundError, match=f"no subresource '{part}'"):
                await client.patch(SERVICES, "default", "hello", {}, subresource=part)

    async def test_every_kind_of_patch(self, client: Client) -> None:
        await client.create(DEPLOYMENTS, deployment())
        operations = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
        after = await client.patch(DEPLOYMENTS, "default", "d", operations, kind="json")
        assert after["metadata"]["labels"] == {"a": "b"}
        container = {"name": "c", "env": [{"name": "K", "value": "v"}]}
        strategic = {"spec": {"template": {"spec": {"containers": [container]}}}}
        after = await client.patch(DEPLOYMENTS, "default", "d", strategic, kind="strategic")
        (merged,) = after["spec"]["template"]["spec"]["containers"]
        assert merged == {"image": "relight/predictor", **container}
        after = await client.patch(DEPLOYMENTS, "default", "d", {"spec": {"replicas": 3}})
        assert after["spec"]["replicas"] == 3

    async def test_strategic_patches_are_for_built_in_kinds(self, client: Client) -> None:
        await client.create(SERVICES, service())
        with pytest.raises(UnsupportedMediaTypeError, match="application/merge-patch"):
            await client.patch(SERVICES, "default", "hello", {}, kind="strategic")

    async def test_patches_that_do_not_fit_are_refused(self, client: Client) -> None:
        await client.create(PODS, pod())
        absent = [{"op": "remove", "path": "/metadata/labels"}]
        with pytest.raises(InvalidError, match="does not exist"):
            await client.patch(PODS, "default", "p", absent, kind="json")
        with pytest.raises(BadRequestError, match="malformed"):
            await client.patch(PODS, "default", "p", [{"op": "jump"}], kind="json")
        with pytest.raises(BadRequestError, match="not an object"):
            await client.patch(PODS, "default", "p", [])
        with pytest.raises(BadRequestError, match="does not match the name on the URL"):
            await client.patch(PODS, "default", "p", {"metadata": {"name": "q"}})

    async def test_apply_creates_then_merges(self, client: Client) -> None:
        first = await client.patch(SERVICES, "default", "hello", service(), kind="apply")
        again = await client.patch(SERVICES, "default", "hello", service(), kind="apply")
        assert again == first
        changed = service(timeoutSeconds=11)
        after = await client.patch(SERVICES, "default", "hello", changed, kind="apply")
        assert after["spec"]["template"]["spec"]["timeoutSeconds"] == 11
        (entry,) = after["metadata"]["managedFields"]
        assert (entry["operation"], entry["manager"]) == ("Apply", "relight")
        assert entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:timeoutSeconds"] == {}

    async def test_admission_refuses_in_the_words_of_knative(self, client: Client) -> None:
        with pytest.raises(BadRequestError) as refused:
            await client.create(SERVICES, service(containerConcurrency=-1))
        assert refused.value.message == (
            'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
            "validation failed: expected 0 <= -1 <= 1000: "
            "spec.template.spec.containerConcurrency"
        )

    async def test_selectors_choose(self, client: Client) -> None:
        await client.create(NAMESPACES, namespace("team"))
        await client.create(PODS, pod("a", labels={"tier": "web", "n": "1"}))
        await client.create(PODS, pod("b", labels={"tier": "db"}))
        await client.create(PODS, pod("c", namespace="team"))
        await client.patch(
            PODS, "default", "a", {"status": {"phase": "Running"}}, subresource="status"
        )
        for selector, found in (
            ("tier=web", ["a"]),
            ("tier!=web", ["b", "c"]),
            ("tier in (web, db),n", ["a"]),
            ("!tier", ["c"]),
        ):
            assert await names(client, PODS, label_selector=selector) == found
        for selector, found in (
            ("metadata.name=b", ["b"]),
            ("metadata.namespace=team", ["c"]),
            ("status.phase=Running", ["a"]),
            ("status.phase!=Running,metadata.namespace=default", ["b"]),
        ):
            assert await names(client, PODS, field_selector=selector) == found
        assert len((await client.list(PODS, "team")).items) == 1
        with pytest.raises(BadRequestError, match="field label not supported"):
            await client.list(PODS, field_selector="spec.colour=red")
        with pytest.raises(BadRequestError, match="unable to parse requirement"):
            await client.list(PODS, label_selector="a=b=c")

    async def test_a_watch_tells_every_change_after_its_start(self, client: Client) -> None:
        await client.create(PODS, pod("before"))
        start = (await client.list(PODS)).resource_version
        await client.create(PODS, pod("p"))
        async with aclosing(client.watch(PODS, resource_version=start)) as events:  # type: ignore[type-var] # generators have aclose
            first = await take(events, 1)
            await client.patch(PODS, "default", "p", {"metadata": {"labels": {"a": "b"}}})
            await client.delete(PODS, "default", "p")
            rest = await take(events, 2)
        assert seen(first + rest) == [("ADDED", "p"), ("MODIFIED", "p"), ("DELETED", "p")]
        versions = [int(event.object["metadata"]["resourceVersion"]) for event in first + rest]
        assert versions == sorted(versions)
        assert versions[0] > int(start)

    async def test_a_watch_without_a_start_begins_with_what_is_there(self, client: Client) -> None:
        await client.create(PODS, pod("p"))
        async with aclosing(client.watch(PODS, resource_version="0")) as events:  # type: ignore[type-var] # generators have aclose
            assert seen(await take(events, 1)) == [("ADDED", "p")]

    async def test_a_watch_sees_objects_come_and_go_by_its_selector(self, client: Client) -> None:
        start = (await client.list(PODS)).resource_version
        await client.create(PODS, pod("p"))
        await client.create(PODS, pod("q"))
        for labels in ({"a": "b"}, {"a": "b", "c": "d"}, {"a": None}):
            await client.patch(PODS, "default", "p", {"metadata": {"labels": labels}})
        stream = client.watch(PODS, resource_version=start, label_selector="a=b")
        async with aclosing(stream) as events:  # type: ignore[type-var] # generators have aclose
            found = seen(await take(events, 3))
        assert found == [("ADDED", "p"), ("MODIFIED", "p"), ("DELETED", "p")]

    async def test_a_watch_from_too_long_ago_is_gone(self, client: Client) -> None:
        with pytest.raises(GoneError, match="too old resource version") as refused:
            await take(client.watch(PODS, resource_version="1"), 1)
        assert (refused.value.status, refused.value.reason) == (410, "Expired")

    async def test_delete_minds_the_uid(self, client: Client) -> None:
        made = await client.create(PODS, pod())
        with pytest.raises(ConflictError, match="UID in precondition: other"):
            await client.delete(PODS, "default", "p", uid="other")
        await client.delete(PODS, "default", "p", uid=made["metadata"]["uid"])
        assert await names(client, PODS) == []

    async def test_a_running_pod_goes_when_its_kubelet_says_so(self, client: Client) -> None:
        await client.create(PODS, pod())
        status = {"status": {"phase": "Running"}}
        await client.patch(PODS, "default", "p", status, subresource="status")
        await client.delete(PODS, "default", "p")
        going = await client.get(PODS, "default", "p")
        assert going["metadata"]["deletionGracePeriodSeconds"] == 30
        assert going["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:30Z"
        await client.delete(PODS, "default", "p", grace_period_s=0)
        assert await names(client, PODS) == []

    async def test_owners_take_what_they_own(self, client: Client) -> None:
        owner = await client.create(DEPLOYMENTS, deployment())
        await client.create(PODS, pod("a", ownerReferences=[owned_by(owner)]))
        await client.create(PODS, pod("b"))
        await client.delete(DEPLOYMENTS, "default", "d")
        assert await names(client, PODS) == ["b"]

    async def test_a_namespace_takes_everything_in_it(self, client: Client) -> None:
        await client.create(NAMESPACES, namespace("team"))
        await client.create(PODS, pod("a", namespace="team"))
        await client.delete(NAMESPACES, None, "team")
        assert await names(client, PODS) == []
        assert await names(client, NAMESPACES) == ["default"]
        with pytest.raises(ForbiddenError, match="may not be deleted"):
            await client.delete(NAMESPACES, None, "default")

    async def test_lists_carry_the_kind_of_each_item(self, client: Client) -> None:
        await client.create(CONFIGURATIONS, service() | {"kind": "Configuration"})
        (found,) = (await client.list(CONFIGURATIONS)).items
        assert (found["apiVersion"], found["kind"]) == ("serving.knative.dev/v1", "Configuration")

    async def test_events_are_bounded_by_time(self, client: Client, served: Served) -> None:
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        }
        await client.create(EVENTS, event)
        selector = "involvedObject.name=p,involvedObject.kind=Pod"
        assert await names(client, EVENTS, field_selector=selector) == ["e"]
        served.clock.now_s += 3601
        assert await names(client, EVENTS) == []


def _with_replicas(obj: dict[str, Any], replicas: int) -> dict[str, Any]:
    return {**obj, "spec": {**obj["spec"], "replicas": replicas}}
