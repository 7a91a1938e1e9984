import asyncio
import gzip
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from api.kinds import NAMESPACES, PODS
from cluster.options import WriteOptions
from embedded import requests
from embedded.http import make_app
from embedded.podlog import Wanted
from tests.cluster.serving import Served, deployment, pod, service

PODS_URL = "/api/v1/namespaces/default/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
DEADLINE_S = 10.0
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
async def client(served: Served) -> AsyncIterator[Client]:
    async with asyncio.timeout(60), TestClient(TestServer(make_app(served.server))) as client:
        yield client


async def call(
    client: Client, verb: str, url: str, raw: Any = None, **options: Any
) -> tuple[int, Any]:
    options = {"data": orjson.dumps(raw)} | options if raw is not None else options
    headers = {"Content-Type": "application/json"} if "data" in options else {}
    headers |= options.pop("headers", {})
    async with client.request(verb, url, headers=headers, **options) as response:
        return response.status, orjson.loads(await response.read())


async def test_an_object_lives_and_dies(client: Client) -> None:
    status, made = await call(client, "POST", PODS_URL, pod())
    assert (status, made["kind"]) == (201, "Pod")
    assert await call(client, "GET", f"{PODS_URL}/p") == (200, made)
    status, changed = await call(
        client,
        "PATCH",
        f"{PODS_URL}/p",
        {"metadata": {"labels": {"a": "b"}}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert (status, changed["metadata"]["labels"]) == (200, {"a": "b"})
    changed["metadata"]["labels"] = {"a": "c"}
    status, replaced = await call(client, "PUT", f"{PODS_URL}/p", changed)
    assert (status, replaced["metadata"]["labels"]) == (200, {"a": "c"})
    status, gone = await call(client, "DELETE", f"{PODS_URL}/p")
    assert (status, gone["status"]) == (200, "Success")
    status, missing = await call(client, "GET", f"{PODS_URL}/p")
    assert (status, missing["reason"]) == (404, "NotFound")


async def test_lists_and_pages(client: Client) -> None:
    for name in "abc":
        await call(client, "POST", PODS_URL, pod(name))
    status, found = await call(client, "GET", "/api/v1/pods?limit=2")
    assert (status, found["kind"], found["apiVersion"]) == (200, "PodList", "v1")
    assert [each["metadata"]["name"] for each in found["items"]] == ["a", "b"]
    assert found["metadata"]["remainingItemCount"] == 1
    token = found["metadata"]["continue"]
    _, rest = await call(client, "GET", f"/api/v1/pods?limit=2&continue={token}")
    assert [each["metadata"]["name"] for each in rest["items"]] == ["c"]
    assert "continue" not in rest["metadata"]
    _, found = await call(client, "GET", f"{PODS_URL}?fieldSelector=metadata.name%3Db")
    assert len(found["items"]) == 1


async def test_tables_are_for_who_asks(client: Client) -> None:
    await call(client, "POST", PODS_URL, pod())
    for url in (PODS_URL, f"{PODS_URL}/p"):
        _, found = await call(client, "GET", url, headers={"Accept": TABLE})
        assert found["kind"] == "Table"
        assert found["rows"][0]["cells"][:3] == ["p", "0/1", "Pending"]
        assert found["metadata"]["resourceVersion"]
    status, refused = await call(
        client, "GET", f"{PODS_URL}?includeObject=Some", headers={"Accept": TABLE}
    )
    assert (status, refused["reason"]) == (400, "BadRequest")


async def test_collections_are_deleted(client: Client) -> None:
    for name in "abc":
        await call(client, "POST", PODS_URL, pod(name, labels={"n": name}))
    status, found = await call(client, "DELETE", f"{PODS_URL}?labelSelector=n!=b")
    assert (status, found["kind"], len(found["items"])) == (200, "PodList", 2)
    _, left = await call(client, "GET", PODS_URL)
    assert [each["metadata"]["name"] for each in left["items"]] == ["b"]


async def test_how_to_delete_may_stand_in_the_body(client: Client) -> None:
    await call(client, "POST", PODS_URL, pod())
    body = {"kind": "DeleteOptions", "preconditions": {"uid": "other"}}
    status, refused = await call(client, "DELETE", f"{PODS_URL}/p", body)
    assert (status, refused["reason"]) == (409, "Conflict")


async def test_scale_and_status_are_parts(client: Client) -> None:
    url = "/apis/apps/v1/namespaces/default/deployments"
    await call(client, "POST", url, deployment())
    status, found = await call(client, "GET", f"{url}/d/scale")
    assert (status, found["kind"]) == (200, "Scale")
    found["spec"]["replicas"] = 4
    status, scaled = await call(client, "PUT", f"{url}/d/scale", found)
    assert (status, scaled["spec"]) == (200, {"replicas": 4})
    status, whole = await call(client, "GET", f"{url}/d/status")
    assert (status, whole["kind"], whole["spec"]["replicas"]) == (200, "Deployment", 4)
    assert (await call(client, "GET", f"{url}/d/exec"))[0] == 404
    assert (await call(client, "DELETE", f"{url}/d/scale"))[0] == 405


@pytest.mark.parametrize(
    ("verb", "url"),
    [
        ("PUT", PODS_URL),
        ("PATCH", PODS_URL),
        ("POST", f"{PODS_URL}/p"),
        ("OPTIONS", PODS_URL),
        ("POST", f"{PODS_URL}/p/log"),
        ("POST", "/apis"),
    ],
)
async def test_verbs_that_are_not_there_are_refused(client: Client, verb: str, url: str) -> None:
    status, refused = await call(client, verb, url, {})
    assert (status, refused["reason"], refused["kind"]) == (405, "MethodNotAllowed", "Status")


@pytest.mark.parametrize(
    ("body", "content_type", "code", "reason"),
    [
        (b"{", "application/json", 400, "BadRequest"),
        (b"x: [", "application/yaml", 400, "BadRequest"),
        (b"[]", "application/json", 400, "BadRequest"),
        (b"x", "text/plain", 415, "UnsupportedMediaType"),
        (b"k8s\x00\x0a\x00", "application/vnd.kubernetes.protobuf", 415, "UnsupportedMediaType"),
    ],
    ids=lambda each: str(each)[:20],
)
async def test_bad_bodies_are_answered_with_a_status(
    client: Client, body: bytes, content_type: str, code: int, reason: str
) -> None:
    status, refused = await call(
        client, "POST", PODS_URL, data=body, headers={"Content-Type": content_type}
    )
    assert (status, refused["code"], refused["reason"]) == (code, code, reason)
    assert refused["message"]


async def test_a_body_over_the_limit_is_too_large(client: Client) -> None:
    body = io.BytesIO(b'{"a":"' + b"x" * requests.BODY_BYTES_MAX + b'"}')
    status, refused = await call(client, "POST", PODS_URL, data=body)
    assert (status, refused["reason"]) == (413, "RequestEntityTooLarge")
    assert "over the limit of 3145728 bytes" in refused["message"]


async def test_a_small_body_that_grows_is_too_large(client: Client) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    status, refused = await call(client, "POST", PODS_URL, data=bomb, headers=headers)
    assert (status, refused["reason"]) == (413, "RequestEntityTooLarge")


async def test_what_is_insecure_is_warned_of(client: Client) -> None:
    url = "/apis/serving.knative.dev/v1/namespaces/default/services"
    async with client.post(url, json=service()) as response:
        assert response.status == 201
        (warning,) = response.headers.getall("Warning")
        stored = await response.json()
    assert warning.startswith('299 - "Kubernetes default value is insecure, Knative may default ')
    name = stored["metadata"]["name"]
    async with client.put(f"{url}/{name}", json=stored) as response:
        assert response.headers["Warning"] == warning
    async with client.put(f"{url}/{name}/status", json=stored) as response:
        assert "Warning" not in response.headers


async def test_fields_are_validated_as_asked(client: Client) -> None:
    slipped = pod() | {"speck": {}}
    status, refused = await call(client, "POST", f"{PODS_URL}?fieldValidation=Strict", slipped)
    assert status == 400
    assert refused["message"] == 'strict decoding error: unknown field "speck"'
    async with client.post(PODS_URL, json=slipped) as response:
        assert response.status == 201
        assert response.headers["Warning"] == '299 - "unknown field \\"speck\\""'
    status, refused = await call(
        client,
        "POST",
        "/apis/serving.knative.dev/v1/namespaces/default/services",
        service() | {"speck": {}},
    )
    assert "denied the request: validation failed" in refused["message"]
    assert "speck" in refused["message"]


async def test_a_namespace_may_come_as_protobuf(client: Client) -> None:
    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    body = b"k8s\x00" + field(1, field(1, b"v1") + field(2, b"Namespace"))
    body += field(2, field(1, field(1, b"team")))
    status, made = await call(
        client,
        "POST",
        "/api/v1/namespaces",
        data=body,
        headers={"Content-Type": "application/vnd.kubernetes.protobuf"},
    )
    assert (status, made["metadata"]["name"]) == (201, "team")


async def read_events(response: Any, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(DEADLINE_S):
        return [orjson.loads(await response.content.readline()) for _ in range(count)]


async def test_a_watch_streams_changes(client: Client) -> None:
    _, found = await call(client, "GET", PODS_URL)
    version = found["metadata"]["resourceVersion"]
    async with client.get(f"{PODS_URL}?watch=1&resourceVersion={version}") as response:
        await call(client, "POST", PODS_URL, pod())
        await call(client, "DELETE", f"{PODS_URL}/p")
        first, second = await read_events(response, 2)
    assert [first["type"], second["type"]] == ["ADDED", "DELETED"]


async def test_a_watch_of_one_object_by_its_url(client: Client) -> None:
    for name in "pq":
        await call(client, "POST", PODS_URL, pod(name))
    async with client.get(f"{PODS_URL}/q?watch=true") as response:
        (first,) = await read_events(response, 1)
    assert first["object"]["metadata"]["name"] == "q"


async def test_a_watch_ends_in_time_with_a_bookmark(client: Client, served: Served) -> None:
    url = f"{PODS_URL}?watch=1&timeoutSeconds=0&allowWatchBookmarks=true&resourceVersion="
    async with client.get(url + served.server.version) as response:
        (last,) = [orjson.loads(line) async for line in response.content]
    assert last["type"] == "BOOKMARK"
    assert last["object"]["metadata"]["resourceVersion"] == served.server.version
    assert served.server.statistics().watchers == 0


async def test_a_watch_begins_with_initial_events(client: Client) -> None:
    await call(client, "POST", PODS_URL, pod())
    url = f"{PODS_URL}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    async with client.get(url + "&allowWatchBookmarks=true") as response:
        first, second = await read_events(response, 2)
    assert [first["type"], second["type"]] == ["ADDED", "BOOKMARK"]
    assert second["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


async def test_a_watched_table_has_its_columns_once(client: Client) -> None:
    for name in "pq":
        await call(client, "POST", PODS_URL, pod(name))
    async with client.get(f"{PODS_URL}?watch=1", headers={"Accept": TABLE}) as response:
        first, second = await read_events(response, 2)
    assert first["object"]["columnDefinitions"]
    assert second["object"]["columnDefinitions"] == []
    assert second["object"]["rows"][0]["cells"][0] == "q"


async def test_a_watch_from_too_long_ago_is_refused(client: Client) -> None:
    status, refused = await call(client, "GET", f"{PODS_URL}?watch=1&resourceVersion=1")
    assert (status, refused["reason"]) == (410, "Expired")


async def test_a_watch_of_the_future_may_be_tried_again(client: Client) -> None:
    async with client.get(f"{PODS_URL}?resourceVersion=99999999999") as response:
        assert response.status == 504
        assert response.headers["Retry-After"] == "1"


async def test_logs_are_streamed_and_bounded(client: Client, served: Served) -> None:
    asked: list[dict[str, Any]] = []

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one\n", b"two\n", b"three\n"):
            yield piece

    def port(_namespace: str, _name: str, **how: Any) -> AsyncIterator[bytes]:
        asked.append(how)
        return pieces()

    served.server.logs_port = port
    await call(client, "POST", PODS_URL, pod())
    async with client.get(f"{PODS_URL}/p/log?tailLines=3&previous=true") as response:
        assert response.status == 200
        assert await response.read() == b"one\ntwo\nthree\n"
    assert asked == [{"follow": False, "wanted": Wanted(tail_lines=3, previous=True)}]
    async with client.get(f"{PODS_URL}/p/log?limitBytes=6") as response:
        assert await response.read() == b"one\ntw"
    assert (await call(client, "GET", f"{PODS_URL}/p/log?sinceTime=now"))[0] == 400
    assert (await call(client, "GET", "/api/v1/namespaces/default/log"))[0] == 404


async def test_other_kinds_have_no_log(client: Client) -> None:
    status, refused = await call(
        client, "GET", "/apis/apps/v1/namespaces/default/deployments/d/log"
    )
    assert (status, refused["reason"]) == (404, "NotFound")


async def test_a_failure_of_ours_is_logged_and_not_shown(
    client: Client,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("secret inside")

    monkeypatch.setattr(served.server, "list", fail)
    status, refused = await call(client, "GET", PODS_URL)
    assert (status, refused["reason"]) == (500, "InternalError")
    assert "secret" not in refused["message"]
    assert "secret inside" in caplog.text


async def test_web_pages_and_strange_names_are_kept_out(client: Client) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        status, refused = await call(client, "POST", PODS_URL, pod(), headers=headers)
        assert (status, refused["reason"]) == (403, "Forbidden")
    _, found = await call(client, "GET", PODS_URL)
    assert found["items"] == []


async def test_the_writer_is_who_the_application_says(served: Served) -> None:
    app = make_app(served.server, user="ann")
    async with TestClient(TestServer(app)) as client:
        url = "/apis/serving.knative.dev/v1/namespaces/default/services"
        _, made = await call(client, "POST", url, service())
    assert made["metadata"]["annotations"]["serving.knative.dev/creator"] == "ann"


async def test_stopping_ends_watches_and_logs(served: Served) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"a line\n"
        await asyncio.Event().wait()

    served.server.logs_port = lambda *_a, **_k: endless()
    served.server.create(PODS, None, pod(), WriteOptions())
    async with asyncio.timeout(DEADLINE_S):
        client: Client = TestClient(TestServer(make_app(served.server)))
        await client.start_server()
        watch = await client.get(f"{PODS_URL}?watch=1&resourceVersion={served.server.version}")
        log = await client.get(f"{PODS_URL}/p/log?follow=true")
        assert await log.content.readline() == b"a line\n"
        assert served.server.statistics().watchers == 1
        await client.close()
    assert served.server.statistics().watchers == 0
    watch.close()
    log.close()


async def test_documents_are_served(client: Client) -> None:
    async with client.get("/readyz") as response:
        assert await response.text() == "ok"
    status, found = await call(client, "GET", "/api/v1")
    assert (status, found["kind"]) == (200, "APIResourceList")
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    review_path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    status, review = await call(client, "POST", review_path, asked)
    assert (status, review["status"]["allowed"]) == (201, True)
    assert (await call(client, "GET", review_path))[0] == 405


async def test_namespaces_have_no_namespace(client: Client, served: Served) -> None:
    assert (await call(client, "GET", "/api/v1/namespaces/default"))[0] == 200
    assert served.server.get(NAMESPACES, None, "default")


async def test_core_services_are_listed_and_not_made(client: Client) -> None:
    status, found = await call(client, "GET", "/api/v1/namespaces/default/services")
    assert (status, found["items"]) == (200, [])
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}
    status, refused = await call(client, "POST", "/api/v1/namespaces/default/services", body)
    assert status == 405
    assert "serving.knative.dev" in refused["message"]


@pytest.mark.parametrize("part", ["exec", "attach", "portforward", "proxy"])
async def test_what_a_process_has_not_is_refused_with_what_to_do(client: Client, part: str) -> None:
    status, found = await call(client, "GET", f"/api/v1/namespaces/default/pods/x/{part}")
    assert status == 405
    assert "is not served: " in found["message"]
