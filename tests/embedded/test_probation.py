"""What a container's probes make of it, as news."""

import asyncio
from typing import Any

from embedded import probation
from embedded.probing import Probe, probes_of
from embedded.process import Condemned, News, Probed


class Answers:
    """Stands where `embedded.probers.Prober` stands: failures as they are given, then none."""

    def __init__(self, *failures: str) -> None:
        self._failures = list(failures)

    async def attempt(self, probe: Probe) -> str:
        return self._failures.pop(0) if self._failures else ""


class Home:
    """Stands where `embedded.residence.Residence` stands, and remembers what people are told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, reason: str, message: str, *, is_warning: bool = False) -> None:
        assert is_warning
        self.events.append(f"{reason}: {message}")


def probes(**kinds: Any) -> list[Probe]:
    return probes_of({"name": "c", **kinds}, is_knative=False)


async def test_it_says_when_it_is_ready_and_when_it_has_failed_for_good() -> None:
    news: asyncio.Queue[News] = asyncio.Queue()
    quick = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1}
    home: Any = Home()
    answers: Any = Answers("", "refused")
    found = probes(readinessProbe=quick, livenessProbe=quick)
    async with asyncio.timeout(20):
        await probation.run(answers, found, news, home)
    heard = [news.get_nowait() for _ in range(news.qsize())]
    assert isinstance(heard[-1], Condemned)
    assert heard[-1].kind == "liveness"
    assert home.events == ["Unhealthy: Liveness probe failed: refused"]
    assert all(isinstance(each, Probed) for each in heard[:-1])
