"""Hosts, upgrades, bounds and payload events of a running platform."""

import json
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from examples.running import Platform, send, wait_until
from tests.e2e.conftest import create, infer_body, service

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
    mapping["spec"]["ref"]["name"] = "mapped"  # type: ignore[index]
    answer = send(platform.api, "localhost", mappings, mapping)
    assert answer.status == 201, answer.body

    def status() -> int:
        return platform.request("WWW.mapped.example:80", "/v2/models/mapped").status

    wait_until(lambda: status() == 200, 30, "the mapped host to be served")
    platform.relight("delete", "mapped")
    wait_until(lambda: status() == 404, 30, "the mapped host to go with its Service")


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
    host = create(platform, program("slow", timeoutSeconds=20, responseStartTimeoutSeconds=1))
    answer = platform.request(host, "/sleep")
    assert (answer.status, answer.json()["reason"]) == (504, "ResponseStartTimeout")
    assert platform.request(host, "/").status == 200


def test_a_service_is_a_sink_of_payload_events_without_a_name_server(platform: Platform) -> None:
    sink = create(platform, program("sink"))
    logger = json.dumps({"url": "http://sink.default/event", "mode": "all"})
    host = create(platform, service("logged", annotations={"relight.dev/logger": logger}))
    assert platform.request(host, "/v2/models/logged/infer", infer_body()).status == 200

    def events() -> list[str]:
        return platform.request(sink, "/events").json()

    wait_until(lambda: len(events()) == 2, 30, "both events to arrive")
    assert sorted(events()) == [
        "org.kubeflow.serving.inference.request",
        "org.kubeflow.serving.inference.response",
    ]
