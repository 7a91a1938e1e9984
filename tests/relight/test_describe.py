from pathlib import Path

import orjson

from api import kinds
from tests.relight.conftest import Platform


async def event(platform: Platform, name: str, number: int) -> None:
    await platform.client.create(
        kinds.EVENTS,
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{number}", "namespace": "default"},
            "involvedObject": {"kind": "Revision", "name": name, "namespace": "default"},
            "type": "Normal",
            "reason": "RevisionReady",
            "message": f"number {number}",
            "lastTimestamp": f"2026-01-01T00:00:{number:02d}Z",
        },
    )


async def test_a_page(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    await event(platform, "iris-00001", 1)
    await event(platform, "somebody-else", 2)
    code, out, _ = await platform.type("describe", "iris")
    assert code == 0
    parts = [part.splitlines() for part in out.split("\n\n")]
    assert [part[0].split()[0] for part in parts] == [
        "NAMESPACE",
        "CONDITION",
        "REVISION",
        "POD",
        "EVENT",
    ]
    facts = dict(line.split(maxsplit=1) for line in parts[0])
    assert facts["TRAFFIC"] == "iris-00001=100%"
    assert parts[1][1].split() == ["Ready", "True"]
    assert parts[2][1].split()[0] == "iris-00001"
    assert parts[3][1].split()[0] == "iris-00001-deployment-abc"
    assert [line.rpartition("  ")[2].strip() for line in parts[4][1:]] == ["number 1"]


async def test_only_the_last_events_are_shown(platform: Platform, model: Path) -> None:
    await platform.type("deploy", "iris", "--model", str(model))
    for number in range(12, 0, -1):
        await event(platform, "iris-00001", number)
    code, out, _ = await platform.type("describe", "iris", "-o", "json")
    assert code == 0
    told = [each["message"] for each in orjson.loads(out)["events"]]
    assert told == [f"number {number}" for number in range(3, 13)]


async def test_a_service_without_anything(platform: Platform) -> None:
    platform.controller.cancel()
    await platform.type("deploy", "iris", "--image", "me/app", "--no-wait", "--command", "y")
    code, out, _ = await platform.type("describe", "iris")
    assert code == 0
    assert "no revisions\n\nno pods" in out


async def test_a_service_that_is_not_there_is_1(platform: Platform) -> None:
    code, _, err = await platform.type("describe", "iris")
    assert code == 1
    assert '"iris" not found' in err
