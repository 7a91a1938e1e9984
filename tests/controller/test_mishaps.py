from dataclasses import dataclass, field
from typing import Any

from cluster.client import ObjectList
from cluster.errors import ApiError, UnavailableError
from controller.failures import Fault
from controller.mishaps import Mishaps
from tests.controller.test_phases import CREATING, LOADING
from tests.controller.test_pod_events import event

POD = {**CREATING, "metadata": {"name": "p", "namespace": "ns", "uid": "u"}}
RUNNING = {**LOADING, "metadata": POD["metadata"]}
MOUNT = event("FailedMount", 'secret "nope" not found')


@dataclass
class Asked:
    """A client that answers with Events and counts."""

    events: list[dict[str, Any]] = field(default_factory=lambda: [MOUNT])
    selectors: list[str] = field(default_factory=list)
    error: ApiError | None = None
    now_s: float = 100.0

    async def list(self, _: Any, namespace: str, *, field_selector: str, page: Any) -> ObjectList:
        assert namespace == "ns"
        self.selectors.append(field_selector)
        if self.error is not None:
            raise self.error
        return ObjectList(items=self.events, resource_version="1")


async def test_a_pod_that_is_stuck_for_a_while_is_asked_about_seldom() -> None:
    client = Asked()
    mishaps = Mishaps(client, now_s=lambda: client.now_s)  # type: ignore[arg-type]
    assert await mishaps.of([POD]) == {}  # most start by themselves
    assert client.selectors == []
    client.now_s += 3.0
    fault = Fault(reason="FailedMount", message='secret "nope" not found')
    assert await mishaps.of([POD]) == {"u": fault}
    assert client.selectors == ["involvedObject.uid=u"]
    client.now_s += 1.0
    assert await mishaps.of([POD]) == {"u": fault}
    assert len(client.selectors) == 1
    client.now_s += 5.0
    client.error = UnavailableError("no")
    assert await mishaps.of([POD]) == {"u": fault}  # what was known holds
    assert len(client.selectors) == 2
    assert await mishaps.of([RUNNING]) == {}
    assert await mishaps.of([POD]) == {}  # from the beginning


async def test_of_very_many_some_are_asked_about() -> None:
    client = Asked()
    mishaps = Mishaps(client, now_s=lambda: client.now_s)  # type: ignore[arg-type]
    pods = [{**POD, "metadata": {**POD["metadata"], "uid": f"u{n}"}} for n in range(1000)]
    await mishaps.of(pods)
    client.now_s += 3.0
    assert list(await mishaps.of(pods)) == ["u0", "u1", "u2", "u3", "u4"]
    assert len(client.selectors) == 5
