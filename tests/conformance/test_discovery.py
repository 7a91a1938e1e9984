"""What a server says it serves: discovery and OpenAPI documents."""

from typing import Any

import pytest

from api.kinds import INFERENCESERVICES, REVISIONS, SERVICES, Resource
from tests.conformance.servers import AGGREGATED, Api, OverHttp

pytestmark = pytest.mark.needs("http")
GVK = "x-kubernetes-group-version-kind"
OURS = pytest.mark.parametrize(
    "resource", [SERVICES, REVISIONS, INFERENCESERVICES], ids=lambda each: each.kind
)


async def raw(api: Api, path: str, accept: str = "application/json") -> Any:
    assert isinstance(api, OverHttp)
    return await api.raw(path, accept)


@OURS
async def test_a_kind_is_in_the_list_of_its_group(api: Api, resource: Resource) -> None:
    found = await raw(api, f"/apis/{resource.api_version}")
    assert (found["kind"], found["groupVersion"]) == ("APIResourceList", resource.api_version)
    listed = {each["name"]: each for each in found["resources"]}
    kind = listed[resource.plural]
    assert (kind["kind"], kind["singularName"]) == (resource.kind, resource.singular)
    assert kind["namespaced"] is True
    assert sorted(kind["shortNames"]) == sorted(resource.short_names)
    assert set(kind["verbs"]) == {
        *("create", "delete", "deletecollection", "get"),
        *("list", "patch", "update", "watch"),
    }
    part = listed[f"{resource.plural}/status"]
    assert (part["kind"], set(part["verbs"])) == (resource.kind, {"get", "patch", "update"})


@pytest.mark.needs("aggregated-discovery")
@OURS
async def test_a_kind_is_in_the_document_of_all_groups(api: Api, resource: Resource) -> None:
    found = await raw(api, "/apis", AGGREGATED)
    [group] = [each for each in found["items"] if each["metadata"]["name"] == resource.group]
    [version] = [each for each in group["versions"] if each["version"] == resource.version]
    [kind] = [each for each in version["resources"] if each["resource"] == resource.plural]
    assert kind["responseKind"]["kind"] == resource.kind
    assert kind["scope"] == "Namespaced"
    assert "status" in [each["subresource"] for each in kind["subresources"]]


@pytest.mark.needs("openapi-v3")
@OURS
async def test_the_schema_of_a_kind_is_published(api: Api, resource: Resource) -> None:
    paths = (await raw(api, "/openapi/v3"))["paths"]
    link = paths[f"apis/{resource.api_version}"]["serverRelativeURL"]
    document = await raw(api, link)
    wanted = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    [schema] = [
        each for each in document["components"]["schemas"].values() if wanted in each.get(GVK, ())
    ]
    spec = schema["properties"]["spec"]["properties"]
    pod = spec["predictor"]["properties"] if resource == INFERENCESERVICES else spec
    pod = pod["template"]["properties"]["spec"]["properties"] if "template" in pod else pod
    assert pod["volumes"]["x-kubernetes-list-map-keys"] == ["name"]
    assert "x-kubernetes-list-type" not in pod["containers"]
    base = f"/apis/{resource.api_version}/namespaces/{{namespace}}/{resource.plural}"
    assert document["paths"][base]["post"][GVK] == wanted
    assert {"get", "put", "patch", "delete"} <= document["paths"][base + "/{name}"].keys()


async def test_the_server_says_its_version(api: Api) -> None:
    found = await raw(api, "/version")
    assert found["major"] == "1"
    assert found["gitVersion"].startswith("v1.")


async def test_what_is_no_path_is_not_found(api: Api) -> None:
    assert isinstance(api, OverHttp)
    url = f"{api.url.rstrip('/')}/apis/serving.knative.dev/v9/services"
    headers = {"Authorization": f"Bearer {api.token}"} if api.token else {}
    async with api.session.get(url, headers=headers) as response:
        assert response.status == 404
