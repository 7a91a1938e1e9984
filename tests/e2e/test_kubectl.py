"""The real kubectl, with no flags but --kubeconfig."""

import json
import subprocess
from pathlib import Path

import pytest

from examples.running import Platform, wait_until
from tests.e2e.conftest import ALWAYS, Kubectl, create, infer_body, service

pytestmark = pytest.mark.e2e


def test_examples_apply_wait_answer_and_go(platform: Platform, kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "examples/")
    names = ["fahrenheit", "wordcount", "echo"]
    kubectl("wait", "--for=condition=Ready", "--timeout=60s", *(f"ksvc/{n}" for n in names))
    answer = platform.request(
        "fahrenheit.default.localhost", "/v2/models/fahrenheit/infer", infer_body()
    )
    assert answer.json()["outputs"][0]["data"] == [pytest.approx(212)]
    shown = kubectl("get", "ksvc,cfg,rev,rt,pods").stdout
    for word in ("service.serving.knative.dev/fahrenheit", "LATESTCREATED", "ACTUAL REPLICAS"):
        assert word in shown, shown
    kubectl("apply", "-f", "examples/")
    again = platform.service("fahrenheit")["status"]
    assert again["latestCreatedRevisionName"] == "fahrenheit-00001", "nothing changed"
    kubectl("delete", "-f", "examples/")
    wait_until(lambda: not platform.pods("fahrenheit"), 60, "the pods to go")
    assert kubectl("get", "rev", "fahrenheit-00001", check=False).returncode == 1


def test_describe_explain_and_events(platform: Platform, kubectl: Kubectl) -> None:
    create(platform, service("described", annotations=ALWAYS))
    text = kubectl("describe", "ksvc", "described").stdout
    for word in ("Latest Ready Revision Name:", "described-00001", "Events:", "Created"):
        assert word in text, text
    explained = kubectl("explain", "ksvc.spec.traffic").stdout
    for field in ("percent", "revisionName", "latestRevision", "tag"):
        assert field in explained, explained
    pod = platform.pods("described")[0]["metadata"]["name"]
    assert "relight/predictor" in kubectl("describe", "pod", pod).stdout


def test_logs(platform: Platform, kubectl: Kubectl) -> None:
    container = {
        "image": "x/echo",
        "args": ["-u", "examples/echo.py"],
        "command": ["python3"],
    }
    host = create(platform, service("talker", container=container, annotations=ALWAYS))
    platform.request(host, "/said-this")
    pod = platform.pods("talker")[0]["metadata"]["name"]
    wait_until(lambda: "/said-this" in kubectl("logs", pod).stdout, 60, "the log line")
    assert len(kubectl("logs", pod, "--tail=1").stdout.splitlines()) == 1


def test_watch_prints_changes(platform: Platform, kubectl_program: str) -> None:
    command = [kubectl_program, "--kubeconfig", str(platform.kubeconfig), "get", "rev", "-w"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        try:
            create(platform, service("watched"))
            assert watch.stdout is not None
            for line in watch.stdout:
                if line.startswith("watched-00001") and "True" in line:
                    break
        finally:
            watch.kill()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"traffic": [{"latestRevision": True, "percent": 99}]},
            "Traffic targets sum to 99, want 100",
        ),
        (
            {
                "traffic": [
                    {"latestRevision": True, "percent": 50, "tag": "a"},
                    {"latestRevision": True, "percent": 50, "tag": "a"},
                ]
            },
            'Multiple definitions for "a": spec.traffic[0].tag, spec.traffic[1].tag',
        ),
        ({"annotations": {"autoscaling.knative.dev/min-scale": "many"}}, "min-scale"),
        ({"annotations": {"autoscaling.knative.dev/metric": "moon"}}, "invalid value: moon"),
        ({"nodeSelector": {"a": "b"}}, "spec.template.spec.nodeSelector"),
        ({"colour": "red"}, "spec.template.spec.colour"),
        ({"timeoutSeconds": 601}, "expected 0 <= 601 <= 600: spec.template.spec.timeoutSeconds"),
        ({"revision": "other-name"}, 'must have prefix "refused-"'),
    ],
)
def test_bad_manifests_are_refused_by_name(
    kubectl: Kubectl, folder: Path, change: dict[str, object], words: str
) -> None:
    manifest = folder / "bad.json"
    manifest.write_text(json.dumps(service("refused", **change)))
    done = kubectl("apply", "-f", str(manifest), check=False)
    assert done.returncode != 0
    assert words in done.stderr, done.stderr
    assert kubectl("get", "ksvc", "refused", check=False).returncode == 1


def test_a_revision_name_is_taken_once(platform: Platform, kubectl: Kubectl, folder: Path) -> None:
    create(platform, service("named", revision="named-one"))
    manifest = folder / "again.json"
    again = service("named", revision="named-one", timeoutSeconds=7)
    manifest.write_text(json.dumps(again))
    done = kubectl("replace", "-f", str(manifest), check=False)
    assert "Saw the following changes without a name change" in done.stderr
