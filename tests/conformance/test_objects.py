"""How objects are created, read, changed and deleted, whoever serves them."""

from typing import Any

import pytest

from api.kinds import CONFIGURATIONS, ROUTES, SERVICES
from cluster.errors import ApiError
from tests.conformance.servers import Api


def service(
    name: str = "s", image: str = "relight/predictor:dev", **metadata: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, **metadata},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }


async def refused(awaited: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await awaited
    return caught.value


async def test_what_is_created_can_be_read(api: Api) -> None:
    made = await api.do("create", SERVICES, body=service(labels={"team": "a"}))
    read = await api.do("get", SERVICES, "s")
    assert read["metadata"]["uid"] == made["metadata"]["uid"]
    assert read["metadata"]["labels"] == {"team": "a"}
    assert read["metadata"]["generation"] == 1
    assert read["metadata"]["creationTimestamp"].endswith("Z")


async def test_a_name_is_taken_once(api: Api) -> None:
    await api.do("create", SERVICES, body=service())
    error = await refused(api.do("create", SERVICES, body=service()))
    assert (error.status, error.reason) == (409, "AlreadyExists")
    assert error.message == 'services.serving.knative.dev "s" already exists'


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    error = await refused(api.do("get", SERVICES, "nothing"))
    assert (error.status, error.reason) == (404, "NotFound")
    assert error.message == 'services.serving.knative.dev "nothing" not found'


async def test_replacing_needs_the_version_that_was_read(api: Api) -> None:
    made = await api.do("create", SERVICES, body=service())
    changed = {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    after = await api.do("replace", SERVICES, "s", changed)
    assert after["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    error = await refused(api.do("replace", SERVICES, "s", changed))
    assert (error.status, error.reason) == (409, "Conflict")


async def test_generation_counts_changes_of_the_spec_only(api: Api) -> None:
    await api.do("create", SERVICES, body=service())
    labelled = await api.do("patch", SERVICES, "s", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    spec = {"template": {"metadata": {"labels": {"a": "b"}}}}
    changed = await api.do("patch", SERVICES, "s", {"spec": spec})
    assert changed["metadata"]["generation"] == 2


async def test_the_status_is_written_apart(api: Api) -> None:
    made = await api.do("create", SERVICES, body={**service(), "status": {"url": "http://a"}})
    assert "status" not in made
    said = {**made, "status": {"url": "http://a"}, "spec": {}}
    after = await api.do("replace", SERVICES, "s", said, part="status")
    assert after["status"]["url"] == "http://a"
    assert after["spec"] == made["spec"]
    assert after["metadata"]["generation"] == 1


async def test_a_dry_run_changes_nothing(api: Api) -> None:
    made = await api.do("create", SERVICES, body=service(), dryRun="All")
    assert made["metadata"]["name"] == "s"
    error = await refused(api.do("get", SERVICES, "s"))
    assert error.status == 404


async def test_deleting_minds_the_uid(api: Api) -> None:
    await api.do("create", SERVICES, body=service())
    wrong = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "other"}}
    error = await refused(api.do("delete", SERVICES, "s", wrong))
    assert (error.status, error.reason) == (409, "Conflict")
    await api.do("delete", SERVICES, "s")
    assert (await refused(api.do("get", SERVICES, "s"))).status == 404


async def test_a_finalizer_keeps_an_object(api: Api) -> None:
    await api.do("create", SERVICES, body=service(finalizers=["example.com/hold"]))
    await api.do("delete", SERVICES, "s")
    going = await api.do("get", SERVICES, "s")
    assert going["metadata"]["deletionTimestamp"]
    await api.do("patch", SERVICES, "s", {"metadata": {"finalizers": None}})
    assert (await refused(api.do("get", SERVICES, "s"))).status == 404


@pytest.mark.needs("cel")
async def test_traffic_that_does_not_sum_is_refused(api: Api) -> None:
    wrong = service()
    wrong["spec"]["traffic"] = [{"latestRevision": True, "percent": 90}]
    error = await refused(api.do("create", SERVICES, body=wrong))
    assert error.status in (400, 422)
    assert "Traffic targets" in error.message


async def test_a_route_needs_targets_of_a_known_form(api: Api) -> None:
    route = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Route",
        "metadata": {"name": "r"},
        "spec": {"traffic": [{"configurationName": "c", "percent": "all"}]},
    }
    error = await refused(api.do("create", ROUTES, body=route))
    assert error.status in (400, 422)
    assert "percent" in error.message


async def test_kinds_have_lists_of_their_own(api: Api) -> None:
    await api.do("create", SERVICES, body=service())
    assert [o["metadata"]["name"] for o in (await api.do("list", SERVICES))["items"]] == ["s"]
    assert (await api.do("list", CONFIGURATIONS))["items"] == []
