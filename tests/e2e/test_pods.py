"""What a Pod may ask of one machine, by way of a Knative Service and kubectl."""

import json
from typing import Any

import pytest

from examples.running import Platform, wait_until
from tests.e2e.conftest import ALWAYS, Kubectl, condition, create, service
from tests.embedded.test_containerlife import SERVER

pytestmark = pytest.mark.e2e

# Answers with what it was given: variables, and the files it is asked for.
TELL = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body = open(self.path).read() if self.path != "/" else os.environ["SAY"]
            code = 200
        except OSError as error:
            code, body = 404, str(error)
        self.send_response(code)
        self.send_header("content-length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def ksvc(name: str, script: str, *beside: dict[str, Any], **spec: Any) -> dict[str, Any]:
    container = spec.pop("container", {})
    made = service(name, **spec)
    main = {
        "name": "main",
        "image": "x/y",
        "command": ["python3", "-c", script],
        **({"ports": [{"containerPort": 8080}]} if beside else {}),
        **container,
    }
    made["spec"]["template"]["spec"]["containers"] = [main, *beside]
    return made


def test_a_service_with_configuration_files_and_a_container_beside(
    platform: Platform, kubectl: Kubectl
) -> None:
    kubectl("create", "configmap", "words", "--from-literal=greeting=hello")
    kubectl("create", "secret", "generic", "hidden", "--from-literal=password=s3cret")
    mounts = [{"name": "shared", "mountPath": "/srv/shared"}]
    first = {
        "name": "first",
        "image": "x/y",
        "command": ["sh", "-c", "echo prepared > /srv/shared/first"],
        "volumeMounts": mounts,
    }
    beside = {
        "name": "beside",
        "image": "x/y",
        "command": ["sh", "-c", "echo beside > /srv/shared/beside; sleep 600"],
        "volumeMounts": mounts,
    }
    container = {
        "env": [
            {"name": "W", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "greeting"}}},
            {"name": "P", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "password"}}},
            {"name": "SAY", "value": "$(W) $(P)"},
        ],
        "volumeMounts": [
            *mounts,
            {"name": "all", "mountPath": "/etc/all"},
        ],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
    }
    made = ksvc(
        "whole",
        TELL,
        beside,
        annotations=ALWAYS,
        container=container,
        initContainers=[first],
        volumes=[
            {"name": "shared", "emptyDir": {}},
            {
                "name": "all",
                "projected": {
                    "sources": [
                        {"configMap": {"name": "words"}},
                        {"secret": {"name": "hidden"}},
                    ]
                },
            },
        ],
    )
    host = create(platform, made)
    for path, said in {
        "/": "hello s3cret",
        "/srv/shared/first": "prepared\n",
        "/srv/shared/beside": "beside\n",
        "/etc/all/greeting": "hello",
        "/etc/all/password": "s3cret",
        "/etc/hostname": None,
    }.items():
        answer = platform.request(host, path)
        assert answer.status == 200, answer.body
        assert said is None or answer.body.decode() == said
    pod = platform.pods("whole")[0]["metadata"]["name"]
    line = kubectl("get", "pods", pod, "--no-headers").stdout.split()
    assert line[1:3] == ["2/2", "Running"]
    told = kubectl("describe", "pod", pod).stdout
    for words in ("Init Containers:", "Completed", "beside:", "Running"):
        assert words in told
    assert kubectl("logs", pod, "-c", "beside").stdout == ""


def test_a_failing_init_container_is_told_by_the_service(
    platform: Platform, kubectl: Kubectl
) -> None:
    first = {
        "name": "first",
        "image": "x/y",
        "command": ["sh", "-c", "echo no licence found; exit 3"],
    }
    made = ksvc("unlicensed", SERVER, initContainers=[first])
    kubectl("apply", "-f", "-", stdin=json.dumps(made))
    wait_until(lambda: condition(platform, "unlicensed")["status"] == "False", 60, "it to fail")
    assert "no licence found" in condition(platform, "unlicensed")["message"]
    words: list[str] = []

    def has_status() -> bool:
        printed = kubectl("get", "pods", "--no-headers").stdout.splitlines()
        words[:] = [line.split()[2] for line in printed if line.startswith("unlicensed")]
        return bool(words) and words[0].startswith("Init:")

    wait_until(has_status, 60, "the Pod's status")
    assert words[0] in ("Init:0/1", "Init:Error", "Init:CrashLoopBackOff")
    kubectl("delete", "ksvc", "unlicensed")


def test_a_missing_secret_is_told_and_waited_for(platform: Platform, kubectl: Kubectl) -> None:
    source = {"secretKeyRef": {"name": "late", "key": "word"}}
    made = ksvc("patient", TELL, container={"env": [{"name": "SAY", "valueFrom": source}]})
    kubectl("apply", "-f", "-", stdin=json.dumps(made))
    wait_until(lambda: condition(platform, "patient")["status"] == "False", 60, "it to fail")
    assert 'secret "late" not found' in condition(platform, "patient")["message"]
    kubectl("create", "secret", "generic", "late", "--from-literal=word=here")
    wait_until(lambda: condition(platform, "patient")["status"] == "True", 60, "it to be ready")
    assert platform.request("patient.default.localhost", "/").body == b"here"


def test_what_a_process_can_not_do_is_refused_at_once(kubectl: Kubectl) -> None:
    made = ksvc("refused", SERVER, runtimeClassName="gvisor")
    refused = kubectl("apply", "-f", "-", stdin=json.dumps(made), check=False)
    assert refused.returncode != 0
    assert "spec.template.spec.runtimeClassName" in refused.stderr
    assert "not served on one machine" in refused.stderr
