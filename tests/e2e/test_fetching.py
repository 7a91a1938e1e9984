"""Models that are fetched, through the whole platform."""

import hashlib

import pytest

from examples.running import Platform, send, wait_until
from tests.e2e.conftest import SERVICES, at_zero, condition, infer_body, service
from tests.predictor.fetch_servers import File, Server, s3, serving
from tests.predictor.test_fetching import MODEL, an_archive

pytestmark = pytest.mark.e2e
# Bytes that no other test of this platform serves: by the name of the producer.
SERVED = MODEL + b"\x12\x02ef"
OTHER = MODEL + b"\x12\x02ab"
PINNED = f"sha256:{hashlib.sha256(SERVED).hexdigest()}"


def digest_of(platform: Platform, name: str, host: str) -> str:
    answer = platform.request(host, f"/v2/models/{name}/infer", infer_body())
    assert answer.status == 200, answer.body
    assert answer.json()["outputs"][0]["data"] == [212.0]
    return answer.headers["relight-model-digest"]


def events(platform: Platform, name: str) -> list[str]:
    found = platform.get("/api/v1/namespaces/default/events")["items"]
    return [e["reason"] for e in found if e["involvedObject"]["name"] == name]


def test_fetched_once_and_served_when_its_server_is_gone(platform: Platform) -> None:
    host = "remote.default.localhost"
    window = ("--window", "6s")
    with serving(m__onnx=SERVED) as server:
        uri = f"{server.url}/m.onnx"
        platform.relight("deploy", "remote", "--model", uri, *window)
        assert digest_of(platform, "remote", host) == PINNED
        wait_until(lambda: "Fetched" in events(platform, "remote-00001"), 60, "its Event")
        kept = platform.folder / "cache/models" / PINNED.replace(":", "-") / "m.onnx"
        assert kept.read_bytes() == SERVED
        assert not (platform.folder / "models" / PINNED.replace(":", "-")).exists(), "held twice"
        platform.relight("deploy", "remote", "--model", uri, *window)
        assert len(server.gets) == 2, "a look and a fetch; nothing changed since"
        server.files["/m.onnx"] = File(OTHER)
        platform.relight("deploy", "remote", "--model", uri, "--refetch")
        other = f"sha256:{hashlib.sha256(OTHER).hexdigest()}"
        assert digest_of(platform, "remote", host) == other
        old = "remote-00001.default.localhost"
    assert digest_of(platform, "remote", old) == PINNED  # from zero, without its server
    at_zero(platform, "remote")
    assert digest_of(platform, "remote", host) == other


def test_what_is_not_what_was_wanted_is_refused_and_not_kept(platform: Platform) -> None:
    with serving(m__onnx=SERVED) as server:
        wanted = "0" * 64
        made = service("held-fast", "--model", f"{server.url}/m.onnx#sha256={wanted}")
        assert send(platform.api, "localhost", SERVICES, made).status == 201
        wait_until(lambda: condition(platform, "held-fast")["status"] == "False", 60, "the refusal")
    path = "/apis/serving.knative.dev/v1/namespaces/default/revisions/held-fast-00001"
    conditions = platform.get(path)["status"]["conditions"]
    ready = next(each for each in conditions if each["type"] == "Ready")
    assert ready["reason"] == "ModelFetchFailed"
    assert f"expected sha256:{wanted}, got {PINNED}" in ready["message"]
    assert not platform.pods("held-fast")
    assert not list((platform.folder / "cache/models/partial").iterdir())


def test_a_model_that_comes_later_is_found_then(platform: Platform) -> None:
    with serving() as server:
        made = service("late", "--model", f"{server.url}/m.onnx")
        assert send(platform.api, "localhost", SERVICES, made).status == 201
        wait_until(lambda: condition(platform, "late")["status"] == "False", 60, "the refusal")
        assert "there is nothing (HTTP 404)" in condition(platform, "late")["message"]
        server.files["/m.onnx"] = File(SERVED)
        wait_until(lambda: condition(platform, "late")["status"] == "True", 60, "it to be found")


def test_s3_with_the_credentials_of_a_secret(platform: Platform) -> None:
    pytest.importorskip("s3fs")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s3", "namespace": "default"},
        "stringData": {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "secret"},
    }
    path = "/api/v1/namespaces/default/secrets"
    assert send(platform.api, "localhost", path, secret).status == 201
    with Server() as server:
        s3(server, "b", {"dir/1/model.onnx": SERVED, "dir/README": b"x"}, key_id="AK")
        env = [
            {"name": "AWS_ENDPOINT_URL", "value": server.url},
            {"name": "AWS_DEFAULT_REGION", "value": "us-east-1"},
        ]
        container = {"env": env, "envFrom": [{"secretRef": {"name": "s3"}}]}
        made = service("bucket", "--model", "s3://b/dir", container=container)
        assert send(platform.api, "localhost", SERVICES, made).status == 201
        wait_until(lambda: condition(platform, "bucket")["status"] != "Unknown", 60, "an answer")
        assert condition(platform, "bucket")["status"] == "True", condition(platform, "bucket")
    assert digest_of(platform, "bucket", "bucket.default.localhost") == PINNED


def test_an_inferenceservice_whose_model_is_in_an_archive(platform: Platform) -> None:
    path = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
    with serving(m__zip=an_archive(iris_x_1_x_model__onnx=SERVED)) as server:
        uri = f"{server.url}/m.zip"
        model = {"modelFormat": {"name": "onnx"}, "storageUri": uri}
        made = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "zipped", "namespace": "default"},
            "spec": {"predictor": {"minReplicas": 0, "model": model}},
        }
        assert send(platform.api, "localhost", path, made).status == 201
        wait_until(lambda: _is_served(platform, f"{path}/zipped"), 60, "it to be ready")
    assert digest_of(platform, "zipped", "zipped.default.localhost") == PINNED


def _is_served(platform: Platform, path: str) -> bool:
    conditions = platform.get(path).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def test_a_pod_that_nobody_pins_fetches_before_it_starts(platform: Platform) -> None:
    path = "/api/v1/namespaces/default/pods"
    with serving(m__onnx=SERVED) as server:
        container = {
            "name": "c",
            "image": "relight/predictor",
            "args": ["--model", f"{server.url}/m.onnx", "--model-name", "m"],
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "own", "namespace": "default"},
            "spec": {"containers": [container]},
        }
        assert send(platform.api, "localhost", path, pod).status == 201
        wait_until(lambda: _is_ready(platform, f"{path}/own"), 60, "the Pod to be ready")
    told = {"Fetching", "Fetched", "Started"}
    wait_until(lambda: told <= set(events(platform, "own")), 60, "its Events")


def _is_ready(platform: Platform, path: str) -> bool:
    statuses = platform.get(path).get("status", {}).get("containerStatuses") or [{}]
    return bool(statuses[0].get("ready"))
