"""How a replica is asked for its load: our own says at /relight/stats what it has counted.

For: one load of a Revision from its ready Pods. Other replicas have a `Meter` of their own
     (queue_proxies.py).
Must not know: when a Revision is measured, or what is decided from its load.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

import aiohttp
import orjson

from api.objects import Raw
from autoscaler.answers import whole
from autoscaler.sampling import Counters, Measured, Sampler
from autoscaler.scaler import Key
from autoscaler.trimming import Trimmer

ANSWER_S: Final = 3.0  # Knative's httpClientTimeout
BYTES_MAX: Final = 64 * 1024  # of an answer
_PATH: Final = "/relight/stats"


class Meter(Protocol):
    """Asks replicas."""

    def keep(self, raw: Raw) -> dict[str, Any]:
        """What of a Pod is kept: with a status whose `endpoint` is where to ask, while ready."""
        ...

    def retain(self, keys: Collection[Key]) -> None:
        """Forget every Revision but these."""
        ...

    async def load(
        self,
        key: Key,
        pods: Mapping[str, str],
        session: aiohttp.ClientSession,
        *,
        window_s: float,
        now_s: float,
    ) -> Measured | None:
        """The load of all `pods`, by name where each is asked; None: too few can tell."""
        ...


class OwnCounters:
    """Replicas of our predictor. `draw` gives a number in [0, 1)."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._samplers: dict[Key, Sampler] = {}
        self.keep = Trimmer().pod

    def retain(self, keys: Collection[Key]) -> None:
        """Forget every Revision but these."""
        for key in [key for key in self._samplers if key not in keys]:
            del self._samplers[key]

    async def load(
        self,
        key: Key,
        pods: Mapping[str, str],
        session: aiohttp.ClientSession,
        *,
        window_s: float,
        now_s: float,
    ) -> Measured | None:
        """The load since the last question."""
        sampler = self._samplers.setdefault(key, Sampler(self._draw))
        asked = sampler.ask(list(pods), window_s=window_s, now_s=now_s)
        places = [pods[name] for name in asked]
        answers = await asyncio.gather(*(_counters(session, each) for each in places))
        found = {name: each for name, each in zip(asked, answers, strict=True) if each is not None}
        return sampler.heard(found)


async def _counters(session: aiohttp.ClientSession, endpoint: str) -> Counters | None:
    """What one replica counts; None when it does not say, in time or at all."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with session.get(f"http://{endpoint}{_PATH}", timeout=timeout) as answer:
            body = await whole(answer, bytes_max=BYTES_MAX)
        raw: Any = orjson.loads(body)
        return Counters.read(raw)
    except (aiohttp.ClientError, OSError, KeyError, TypeError, ValueError):
        return None
