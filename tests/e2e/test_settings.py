"""Settings of the autoscaler changed with kubectl, for real."""

import json
from typing import Any

import pytest

from examples.running import Platform, wait_until
from tests.e2e.conftest import Kubectl, create, service

pytestmark = pytest.mark.e2e

AUTOSCALERS = "/apis/autoscaling.internal.knative.dev/v1alpha1/namespaces/default/podautoscalers"
PATCH = ("patch", "configmap", "config-autoscaler", "-n", "knative-serving", "--type=merge", "-p")
HPA = "hpa.autoscaling.knative.dev"


def refusal(kubectl: Kubectl, data: dict[str, str]) -> str:
    done = kubectl(*PATCH, json.dumps({"data": data}), check=False)
    assert done.returncode == 1
    return str(done.stderr)


def test_a_setting_holds_at_once_for_revisions_that_exist(
    platform: Platform, kubectl: Kubectl
) -> None:
    create(platform, service("settled", annotations={"autoscaling.knative.dev/window": "6s"}))

    def status() -> dict[str, Any]:
        return dict(platform.get(f"{AUTOSCALERS}/settled-00001").get("status") or {})

    wait_until(lambda: status().get("actualScale") == 1, 60, "the first replica")
    assert status()["mode"] == "Proxy"
    assert status()["activators"] == 4  # for a hundred at once and a burst of 211
    try:
        kubectl(*PATCH, json.dumps({"data": {"min-scale": "2"}}))
        wait_until(lambda: status().get("actualScale") == 2, 60, "the second replica")
        shown = kubectl("get", "podautoscaler", "settled-00001", "-o", "wide").stdout.splitlines()
        assert shown[0].split()[-2:] == ["MODE", "ACTIVATORS"]
        assert shown[1].split()[-2:] == ["Proxy", "5"]
    finally:
        kubectl(*PATCH, json.dumps({"data": {"min-scale": None}}))
    wait_until(lambda: status().get("actualScale", 0) < 2, 60, "one replica to go")


def test_what_can_not_be_is_refused_by_name(platform: Platform, kubectl: Kubectl) -> None:
    said = refusal(kubectl, {"stable-window": "1s", "frobnication": "high"})
    assert 'admission webhook "config.webhook.serving.knative.dev" denied the request' in said
    assert "stable-window = 1s, must be in [6s; 1h0m0s] range" in said
    assert '"frobnication" is not served: not a key that Relight knows' in said
    assert "nothing measures the cpu" in refusal(kubectl, {"pod-autoscaler-class": HPA})
    assert "the update modifies a key in" in refusal(kubectl, {"_example": "min-scale: 3"})
