"""A burst from zero, and then the questions why, with real processes, sockets and kubectl."""

import json
import threading
from typing import Any

import pytest

from examples.running import Platform, send
from tests.e2e.conftest import Kubectl, at_zero, create, infer_body, service

pytestmark = pytest.mark.e2e
BURST = 12
ADMIN = "/api/v1/namespaces/relight-system/services"


def burst(platform: Platform, host: str, name: str) -> None:
    statuses: list[int] = []

    def one(number: int) -> None:
        headers = {"X-Request-Id": f"{name}-{number}"}
        path = f"/v2/models/{name}/infer"
        answer = send(platform.activator, host, path, infer_body(), headers=headers)
        statuses.append(answer.status)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(BURST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * BURST


def test_a_burst_from_zero_is_explained(platform: Platform, kubectl: Kubectl) -> None:
    host = create(platform, service("asked", containerConcurrency=1))
    at_zero(platform, "asked")
    asleep = platform.relight("why", "asked").stdout
    assert "It sleeps:" in asleep
    assert "A request wakes it" in asleep
    burst(platform, host, "asked")

    told = " ".join(platform.relight("why", "asked-00001").stdout.split())
    assert told.startswith("revision asked-00001 (namespace default, service asked) now ")
    assert "It went from 0 to" in told
    assert "a replica takes 1 (autoscaling.knative.dev/target)" in told

    lines = kubectl(
        "get", "--raw", f"{ADMIN}/activator:admin/proxy/requests?service=asked"
    ).stdout.splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert {row["id"] for row in rows} == {f"asked-{number}" for number in range(BURST)}

    # Who comes later may find a replica already.
    first = min(rows, key=lambda row: float(row["time"]))["id"]
    found = json.loads(platform.relight("why", first, "-o", "json").stdout)["requests"][0]
    timeline, decision = found["timeline"], found["decision"]
    assert (timeline["status"], timeline["cold"]) == (200, True)
    assert decision["wanted"] > decision["before"]
    order = [0, timeline["poked_s"], timeline["replica_ready_s"], timeline["held_s"]]
    assert order == sorted(order)
    page = platform.relight("why", first).stdout
    assert "  starting  " in page
    assert "  executing  " in page
    assert "  in all  " in page

    raw = kubectl("get", "--raw", f"{ADMIN}/autoscaler:admin/proxy/revisions").stdout
    assert "asked-00001" in [each["name"] for each in json.loads(raw)["revisions"]]
    for path, code in (("/nobody:admin/proxy/x", "NotFound"), ("/autoscaler:x/proxy/y", "Service")):
        refused = kubectl("get", "--raw", f"{ADMIN}{path}", check=False)
        assert refused.returncode != 0
        assert code in refused.stderr

    for kind in ("podautoscaler", "revision"):
        assert "went from 0 to" in kubectl("describe", kind, "asked-00001").stdout
    assert "asked-00001 went from 0 to" in kubectl("describe", "ksvc", "asked").stdout


def test_what_was_refused_is_explained_too(platform: Platform) -> None:
    headers = {"X-Request-Id": "stray-1"}
    answer = send(platform.activator, "nobody.localhost", "/", headers=headers)
    assert answer.status == 404
    page = platform.relight("why", "stray-1").stdout
    assert "refused with 404 UnknownHost" in page
    assert "no route has this host" in page
