"""Hosts, upgrades, bounds and payload events of a running platform."""

import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from examples.running import Platform, send, wait_until
from tests.e2e.conftest import FAHRENHEIT, SERVICES, create, infer_body, service

pytestmark = pytest.mark.e2e

GROUP = "/apis/serving.knative.dev"
CHATTY = Path(__file__).parent / "chatty.py"


def program(name: str, **spec: Any) -> dict[str, Any]:
    """A Service whose program answers in every way the tests want."""
    container = {"image": "example/chatty", "command": [sys.executable, str(CHATTY)], "args": []}
    return service(name, container=container, **spec)


def test_a_cluster_local_service_has_local_hosts_only(platform: Platform) -> None:
    made = service("inner")
    made["metadata"]["labels"] = {"networking.knative.dev/visibility": "cluster-local"}
    create(platform, made)
    path = "/v2/models/inner/infer"
    for host in ("inner.default.svc.cluster.local", "inner.default.svc", "inner.default"):
        assert platform.request(host, path, infer_body()).status == 200
    assert platform.request("inner.default.localhost", path, infer_body()).status == 404
    assert platform.service("inner")["status"]["url"] == "http://inner.default.svc.cluster.local"


def test_a_domain_mapping_leads_to_its_service_until_it_goes(platform: Platform) -> None:
    create(platform, service("mapped"))
    mappings = f"{GROUP}/v1beta1/namespaces/default/domainmappings"
    mapping = {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": "www.mapped.example", "namespace": "default"},
        "spec": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}},
    }
    mapping["spec"]["ref"]["name"] = "mapped"  # type: ignore[index] # an object
    answer = send(platform.api, "localhost", mappings, mapping)
    assert answer.status == 201, answer.body

    def status() -> int:
        return platform.request("WWW.mapped.example:80", "/v2/models/mapped").status

    wait_until(lambda: status() == 200, 60, "the mapped host to be served")
    platform.relight("delete", "mapped")
    wait_until(lambda: status() == 404, 60, "the mapped host to go with its Service")


def test_a_websocket_wakes_its_service_and_is_passed_through(platform: Platform) -> None:
    host = create(platform, program("chat"))
    parts = urlsplit(platform.activator)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as link:
        link.sendall(
            f"GET /chat HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
            "early".encode()
        )
        link.settimeout(30)
        seen = b""
        while not seen.endswith(b"EARLY"):
            seen += link.recv(1000)
        assert seen.startswith(b"HTTP/1.1 101 ")
        link.sendall(b"and late")
        while not seen.endswith(b"AND LATE"):
            seen += link.recv(1000)


def test_an_answer_that_does_not_begin_in_time_is_504(platform: Platform) -> None:
    host = create(platform, program("slow", timeoutSeconds=20, responseStartTimeoutSeconds=4))
    answer = platform.request(host, "/sleep")
    assert (answer.status, answer.json()["reason"]) == (504, "ResponseStartTimeout")
    assert platform.request(host, "/").status == 200


def test_an_inference_service_logs_to_a_service_without_a_name_server(platform: Platform) -> None:
    sink = create(platform, program("sink"))
    model = {"modelFormat": {"name": "onnx"}, "storageUri": str(FAHRENHEIT)}
    logger = {"url": "http://sink.default/event", "metadataHeaders": ["X-User"]}
    made = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "logged", "namespace": "default"},
        "spec": {"predictor": {"minReplicas": 0, "model": model, "logger": logger}},
    }
    path = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
    answer = send(platform.api, "localhost", path, made)
    assert answer.status == 201, answer.body

    def ask(path: str) -> int:
        headers = {"X-User": "Ann"}
        host = "logged-default.localhost"
        return platform.request(host, path, infer_body(), headers=headers).status

    wait_until(lambda: ask("/v2/models/logged/infer") == 200, 60, "the model to answer")
    assert ask("/v2/models/nobody/infer") == 404

    def events() -> list[dict[str, str]]:
        return platform.request(sink, "/events").json()

    wait_until(lambda: len(events()) >= 4, 60, "the events to arrive")
    for event in events():
        assert event["ce-inferenceservicename"] == "logged"
        assert event["ce-component"] == "predictor"
        assert event["ce-revisionname"] == "logged-predictor-00001"
        assert event["ce-metadata"] == "{%22X-User%22:[%22Ann%22]}"
    kinds = Counter(event["ce-type"].rpartition(".")[2] for event in events())
    assert kinds["request"] == kinds["response"]
    assert {event["ce-statuscode"] for event in events() if "ce-statuscode" in event} == {
        "200",
        "404",
    }


def test_a_logger_that_makes_no_sense_is_refused_by_the_field(platform: Platform) -> None:
    made = service("unlogged", annotations={"relight.dev/logger": '{"url": "nowhere"}'})
    answer = send(platform.api, "localhost", SERVICES, made)
    assert answer.status in {400, 422}
    assert b"relight.dev/logger" in answer.body
    assert b"url: must be an http or https URL" in answer.body
