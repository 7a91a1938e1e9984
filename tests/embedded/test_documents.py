import orjson
import pytest

from cluster.errors import ApiError, NotFoundError
from embedded import openapi
from embedded.documents import Documents
from embedded.registry import Registry

document = Documents(Registry()).find

KUBECTL = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/ping"])
def test_health_is_ok(path: str) -> None:
    found = document(path, "")
    assert found is not None
    assert found.body == b"ok"
    assert found.content_type.startswith("text/plain")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/apis/", "APIGroupList"),
        ("/api/v1", "APIResourceList"),
        ("/apis/apps", "APIGroup"),
        ("/apis/apps/v1", "APIResourceList"),
    ],
)
def test_discovery_is_plain_for_who_asks_plainly(path: str, kind: str) -> None:
    for accept in ("", "application/json", "*/*", "application/vnd.kubernetes.protobuf, */*"):
        found = document(path, accept)
        assert found is not None
        assert orjson.loads(found.body)["kind"] == kind
        assert found.content_type == "application/json"


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_discovery_is_whole_for_kubectl(path: str) -> None:
    found = document(path, KUBECTL)
    assert found is not None
    assert orjson.loads(found.body)["apiVersion"] == "apidiscovery.k8s.io/v2"
    # kubectl reads the form from the answer's own type.
    assert found.content_type == (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    )
    older = document(path, KUBECTL.split(",", 1)[1])
    assert older is not None
    assert orjson.loads(older.body)["apiVersion"] == "apidiscovery.k8s.io/v2beta1"


def test_who_reads_no_json_is_told() -> None:
    with pytest.raises(ApiError) as refused:
        document("/apis", "application/vnd.kubernetes.protobuf")
    assert refused.value.status == 406


def test_the_rest_of_what_is_not_about_objects() -> None:
    version, root, index = (
        document("/version", ""),
        document("/", ""),
        document("/openapi/v3", ""),
    )
    assert version is not None
    assert root is not None
    assert index is not None
    assert orjson.loads(version.body)["major"] == "1"
    assert "/openapi/v3" in orjson.loads(root.body)["paths"]
    described = document("/openapi/v3/apis/serving.knative.dev/v1", "")
    assert described is not None
    assert orjson.loads(described.body)["openapi"].startswith("3.")


def test_openapi_v2_is_empty_so_that_kubectl_leaves_checking_to_the_server() -> None:
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    for accept in ("", "application/json", "*/*"):
        found = document("/openapi/v2", accept)
        assert found is not None
        assert found.content_type == "application/json"
        assert orjson.loads(found.body)["swagger"] == "2.0"
    found = document("/openapi/v2", asked)
    assert found is not None
    assert found.body == openapi.EMPTY_V2_PROTOBUF
    assert "@" not in found.content_type  # Go's mime package refuses it


def test_health_is_told_check_by_check() -> None:
    found = Documents(Registry()).find("/livez", "", is_verbose=True)
    assert found is not None
    assert found.body.decode().splitlines() == ["[+]ping ok", "[+]store ok", "livez check passed"]
    with pytest.raises(NotFoundError):
        document("/livez/etcd", "")


@pytest.mark.parametrize(
    "path", ["/apis/batch", "/apis/batch/v1", "/api/v2", "/openapi/v1", "/openapi/v3/apis/batch/v1"]
)
def test_what_is_not_served_is_not_found(path: str) -> None:
    with pytest.raises(NotFoundError):
        document(path, "")


@pytest.mark.parametrize("path", ["/api/v1/pods", "/apis/apps/v1/deployments", "/metrics"])
def test_objects_are_no_documents(path: str) -> None:
    assert document(path, "") is None
