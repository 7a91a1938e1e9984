"""Requests that move a few percent at a time, and Revisions that nobody needs, for real."""

import json
from collections import Counter
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from examples.running import Platform, wait_until
from tests.e2e.conftest import SERVICES, Kubectl, condition, create, infer_body, service

pytestmark = pytest.mark.e2e

REVISIONS = "/apis/serving.knative.dev/v1/namespaces/default/revisions"


def changed(platform: Platform, name: str, note: str) -> None:
    template = {"metadata": {"annotations": {"example.com/note": note}}}
    patch = {"spec": {"template": template}}
    address = urlsplit(platform.api)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
    headers = {"content-type": "application/merge-patch+json"}
    connection.request("PATCH", f"{SERVICES}/{name}", json.dumps(patch), headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()


def split(platform: Platform, name: str) -> list[tuple[str, int]]:
    traffic = platform.service(name)["status"]["traffic"]
    return [(each["revisionName"], each["percent"]) for each in traffic]


def test_a_gradual_rollout_moves_every_request_and_loses_none(platform: Platform) -> None:
    made = service("slowly", annotations={"autoscaling.knative.dev/min-scale": "1"})
    made["metadata"]["annotations"] = {"serving.knative.dev/rollout-duration": "4s"}
    host = create(platform, made)
    changed(platform, "slowly", "two")
    seen: list[list[tuple[str, int]]] = []
    answered: Counter[str] = Counter()
    reasons: set[str] = set()

    def is_done() -> bool:
        answer = platform.request(host, "/v2/models/slowly/infer", infer_body())
        assert answer.status == 200, answer.body
        answered[answer.headers["relight-revision"]] += 1
        now = split(platform, "slowly")
        if not seen or now != seen[-1]:
            seen.append(now)
        reasons.add(condition(platform, "slowly", "RoutesReady").get("reason", ""))
        return now == [("slowly-00002", 100)]

    wait_until(is_done, 60, "all requests at the second Revision")
    assert any(len(each) == 2 for each in seen)
    assert "RolloutInProgress" in reasons
    shares = [dict(each).get("slowly-00002", 0) for each in seen]
    assert shares == sorted(shares)
    assert all(sum(percent for _, percent in each) == 100 for each in seen)
    assert set(answered) == {"slowly-00001", "slowly-00002"}
    wait_until(lambda: condition(platform, "slowly")["status"] == "True", 60, "it to be ready")


def test_old_revisions_are_collected_as_the_cluster_says(
    platform: Platform, kubectl: Kubectl
) -> None:
    create(platform, service("kept"))
    for generation in (2, 3):
        changed(platform, "kept", str(generation))
        latest = f"kept-{generation:05d}"
        wait_until(
            lambda latest=latest: split(platform, "kept") == [(latest, 100)],  # type: ignore[misc] # a lambda with a default
            60,
            f"requests at {latest}",
        )
    wanted = {"min-non-active-revisions": "0", "max-non-active-revisions": "0"}
    change = ("patch", "configmap", "config-gc", "--namespace", "knative-serving", "--type=merge")
    try:
        kubectl(*change, "--patch", json.dumps({"data": wanted}))

        def names() -> set[str]:
            found: Any = platform.get(REVISIONS)["items"]
            return {
                each["metadata"]["name"]
                for each in found
                if each["metadata"]["name"].startswith("kept-")
            }

        wait_until(lambda: names() == {"kept-00003"}, 60, "the older Revisions to go")
    finally:
        kubectl(*change, "--patch", json.dumps({"data": None}))
