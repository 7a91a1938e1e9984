"""What `relight why` asks, of what, and what it says when nothing is known."""

import json
from typing import Any

import pytest

from api import keys, kinds
from relight.errors import Exit
from tests.relight.conftest import Platform
from tests.relight.test_why_request import timeline
from tests.relight.test_why_revision import JOURNAL, told


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """However wide the terminal of whoever runs the tests is, which pytest-xdist hands on."""
    monkeypatch.setenv("COLUMNS", "100")


async def deployed(platform: Platform, model: Any, name: str = "iris") -> None:
    code, _, err = await platform.type("deploy", name, "--model", str(model))
    assert code == Exit.OK, err


def known(platform: Platform, name: str = "iris-00001") -> None:
    platform.told[f"autoscaler/revisions/default/{name}"] = told(name=name)
    platform.told[f"autoscaler/revisions/default/{name}/journal"] = JOURNAL


async def test_a_service_is_its_revisions_with_traffic(platform: Platform, model: Any) -> None:
    await deployed(platform, model)
    known(platform)
    code, out, err = await platform.type("why", "iris")
    assert code == Exit.OK, err
    assert out.startswith("revision iris-00001 (namespace default, service iris)\n\n  now  ")
    assert "15 requests were waiting." in out
    assert platform.asked == [
        "autoscaler/revisions/default/iris-00001?",
        "autoscaler/revisions/default/iris-00001/journal?",
    ]


async def test_a_revision_at_a_time(platform: Platform, model: Any) -> None:
    await deployed(platform, model)
    known(platform)
    code, out, _ = await platform.type("why", "iris-00001", "--at", "2026-01-02T00:00:00Z")
    assert code == Exit.OK
    assert "4 replicas were wanted of iris-00001." in out
    assert platform.asked[1].endswith("/journal?at=1767312000.000000")


async def test_a_request_is_joined_with_its_decision_and_its_replica(
    platform: Platform, model: Any
) -> None:
    await deployed(platform, model)
    known(platform)
    platform.told["activator/requests/burst-7"] = {
        "requests": [timeline(time=JOURNAL["entries"][1]["first"] - 0.001)]  # type: ignore[index] # a list
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "pod-x",
            "namespace": "default",
            "annotations": {keys.START_TIMING: '{"fork_ms": 3.1, "load_ms": 1.8}'},
        },
        "spec": {"containers": [{"name": "c", "image": "relight/predictor"}]},
    }
    await platform.client.create(kinds.PODS, pod)
    code, out, err = await platform.type("why", "burst-7")
    assert code == Exit.OK, err
    assert "the replica (fork 3.1, load 1.8 ms)" in out
    assert "It went from 0 to 4 replicas: 15 requests were waiting." in out
    code, out, _ = await platform.type("why", "burst-7", "--request", "-o", "json")
    (request,) = json.loads(out)["requests"]
    assert request["start"] == {"fork_ms": 3.1, "load_ms": 1.8}
    assert request["decision"]["wanted"] == 4
    await platform.client.delete(kinds.PODS, "default", "pod-x")
    _, out, _ = await platform.type("why", "burst-7")
    assert "its Pod is gone" in out


async def test_a_name_that_is_both_is_the_service_unless_said_otherwise(
    platform: Platform, model: Any
) -> None:
    await deployed(platform, model)
    known(platform)
    platform.told["activator/requests/iris"] = {"requests": [timeline(id="iris", cold=False)]}
    _, out, _ = await platform.type("why", "iris")
    assert out.startswith("revision iris-00001")
    _, out, _ = await platform.type("why", "iris", "--request")
    assert out.startswith("request iris to iris-00001")


async def test_an_inference_service_is_those_of_its_parts(platform: Platform, model: Any) -> None:
    await deployed(platform, model, "fruit-predictor")
    labels = {"metadata": {"labels": {keys.INFERENCE_SERVICE: "fruit"}}}
    await platform.client.patch(kinds.SERVICES, "default", "fruit-predictor", labels)
    known(platform, "fruit-predictor-00001")
    code, out, err = await platform.type("why", "fruit")
    assert code == Exit.OK, err
    assert out.startswith("revision fruit-predictor-00001")


async def test_what_is_unknown_is_said_with_what_exists(platform: Platform, model: Any) -> None:
    await deployed(platform, model)
    code, _, err = await platform.type("why", "nobody")
    assert code == Exit.FAILED
    assert "no service and no revision in namespace default is called nobody" in err
    assert "(services: iris; revisions: iris-00001); unknown" in err
    code, _, err = await platform.type("why", "No/Name", "--request")
    assert (code, "relight: unknown\n" in err) == (Exit.FAILED, True)
    assert platform.asked[-1] == "activator/requests/No/Name?"
    code, _, err = await platform.type("why", "nobody", "--at", "5m ago")
    assert (code, "a request has a time of its own" in err) == (Exit.FAILED, True)


async def test_a_revision_that_another_autoscaler_scales(platform: Platform, model: Any) -> None:
    await deployed(platform, model)
    code, _, err = await platform.type("why", "iris")
    assert code == Exit.FAILED
    assert "relight: the autoscaler does not tell: unknown\n" in err


async def test_a_revision_of_another_class_is_told_with_it(platform: Platform, model: Any) -> None:
    await deployed(platform, model)
    mark = {"metadata": {"annotations": {keys.SCALING_CLASS: "mine.example.com"}}}
    await platform.client.patch(kinds.REVISIONS, "default", "iris-00001", mark)
    code, _, err = await platform.type("why", "iris")
    assert code == Exit.FAILED
    assert f"unknown; iris-00001 is of class mine.example.com ({keys.SCALING_CLASS})" in err


async def test_a_revision_that_can_not_come_up_says_so(platform: Platform, model: Any) -> None:
    await deployed(platform, model)
    known(platform)
    asleep = {"type": "Ready", "status": "False", "reason": "NoTraffic", "message": "none"}
    failed = {"type": "Active", "status": "False", "reason": "ExitCode1", "message": "no weights"}
    await platform.client.patch(
        kinds.REVISIONS,
        "default",
        "iris-00001",
        {"status": {"conditions": [asleep, failed]}},
        subresource="status",
    )
    _, out, _ = await platform.type("why", "iris")
    assert "\n  fails     ExitCode1: no weights\n" in out
    _, out, _ = await platform.type("why", "iris", "-o", "json")
    fault = json.loads(out)["revisions"][0]["revision"]["fault"]
    assert fault == {"reason": "ExitCode1", "message": "no weights"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--last", "0"), "--last: expected 1 to 1000 decisions"),
        (("--at", "noon"), "--at: 'noon': expected RFC 3339"),
        (("--at", "12:00", "--request"), "--at: a request has a time of its own"),
    ],
)
async def test_what_is_typed_wrongly(platform: Platform, words: tuple[str, ...], said: str) -> None:
    code, _, err = await platform.type("why", "iris", *words)
    assert code == Exit.USAGE
    assert said in err
