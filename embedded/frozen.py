"""Which replicas may be kept frozen, for whom, how many, and which go first: pure.

For: the tier between warm and gone. A process that was scaled away is stopped instead of ended,
and the next Pod that would start the very same process goes on with it.
Must not know: processes, signals, sockets, where memory is measured, clocks.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson

from api.keys import MODEL_DIGEST, REVISION, REVISION_UID
from api.objects import Raw
from embedded.room import GPU, Limits
from embedded.workloads import TEMPLATE_HASH

_CPU: Final = "CPUExecutionProvider"
_RESERVE: Final = 0.1  # of the machine's memory stays available, or frozen replicas go
_PRESSURE_PERCENT: Final = 10.0  # of the time something waits for memory (PSI, avg10)
AGE_MAX_S: Final = 3600.0
_TOLD_MAX: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may be frozen. Nothing is, where both are zero."""

    share: float = 0.25  # of the memory that would be available without them
    size_bytes: int = 0  # this much instead, unless 0
    replicas_max: int = 110

    @property
    def is_off(self) -> bool:
        """Whether nothing is ever frozen."""
        return not (self.share or self.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is so of the machine's memory now."""

    total_bytes: int
    available_bytes: int
    pressure_percent: float = 0.0

    def is_ample(self, coming_bytes: int) -> bool:
        """Whether so much more leaves twice the reserve, so that another look can wait."""
        return self.available_bytes - coming_bytes >= 2 * _RESERVE * self.total_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One frozen replica."""

    name: str
    key: str
    revision: str  # namespace/name
    owner: str  # uid of the Deployment that may want it again
    size_bytes: int
    since_s: float


def tied(pod: Raw, request: Mapping[str, Any], *, provider: str, has_gpus: bool) -> str:
    """What ties a replica to its Pod, so that no other may go on with it; "" for nothing.

    `request` is what it was made of, `provider` what it says it runs on ("" if not ONNX).
    """
    metadata, spec = pod["metadata"], pod["spec"]
    containers = spec.get("containers") or [{}]
    found = (
        (request.get("kind") != "predictor", "it is not our predictor"),
        (REVISION_UID not in (metadata.get("labels") or {}), "it is of no Revision"),
        (not (metadata.get("annotations") or {}).get(MODEL_DIGEST), "nothing pins its model"),
        (len(containers) > 1 or bool(spec.get("initContainers")), "others run beside or before it"),
        (bool(spec.get("volumes")), "it has volumes"),
        (bool(request.get("confinement")), "it has files, a user or rights of its own"),
        (_knows_its_pod(containers[0]), "its environment tells of its Pod"),
        (_has_gpu(containers[0]), "it has a GPU"),
        (provider not in ("", _CPU), f"it runs on {provider}"),
        (not provider and has_gpus, "it may hold a GPU's memory"),
    )
    return next((why for is_so, why in found if is_so), "")


def _knows_its_pod(container: Raw) -> bool:
    sources = ((each.get("valueFrom") or {}) for each in container.get("env") or ())
    return any("fieldRef" in each for each in sources)


def _has_gpu(container: Raw) -> bool:
    resources = container.get("resources") or {}
    return any(GPU in (resources.get(part) or {}) for part in ("limits", "requests"))


def key_of(pod: Raw, request: Mapping[str, Any], limits: Limits) -> str:
    """The same for two replicas of which either may stand in for the other."""
    metadata = pod["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    whose = [metadata["namespace"], labels.get(REVISION), labels.get(REVISION_UID)]
    what = [labels.get(TEMPLATE_HASH), annotations.get(MODEL_DIGEST), asdict(limits), request]
    data = orjson.dumps([*whose, *what], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(data).hexdigest()


class Shelf:
    """The frozen replicas, the longest unused first, and what they cost."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._held: dict[str, Held] = {}  # in the order in which they came
        self._seconds = 0.0  # of those that are no longer held

    def __len__(self) -> int:
        """How many are held."""
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        """All, the longest unused first."""
        return iter(self._held.values())

    @property
    def size_bytes(self) -> int:
        """What they occupy together."""
        return sum(each.size_bytes for each in self)

    def seconds(self, now_s: float) -> float:
        """Frozen replica-seconds so far."""
        return self._seconds + sum(max(0.0, now_s - each.since_s) for each in self)

    def put(self, held: Held) -> None:
        """Hold one more; what is too much is told by `excess`."""
        assert held.name not in self._held
        self._held[held.name] = held

    def find(self, key: str) -> str | None:
        """The one to go on with: the last that was used, whose memory is the warmest."""
        return next((each.name for each in reversed(self._held.values()) if each.key == key), None)

    def remove(self, name: str, *, now_s: float) -> Held | None:
        """It is resumed, or gone; nothing happens if it was not held."""
        held = self._held.pop(name, None)
        if held is not None:
            self._seconds += max(0.0, now_s - held.since_s)
        return held

    def excess(
        self, memory: Memory, *, now_s: float, coming_bytes: int = 0, going_bytes: int = 0
    ) -> dict[str, str]:
        """Those that must go and why, the longest unused first.

        `coming_bytes` is what a Pod that starts now will take; `going_bytes` is what those hold
        that were told to go and are not gone: no other goes for what they will give back.
        """
        held = tuple(self)
        size_bytes, left = self.size_bytes, len(held)
        memory = replace(memory, available_bytes=memory.available_bytes + going_bytes)
        limit_bytes = self._limit_bytes(memory)
        lacking = _RESERVE * memory.total_bytes + coming_bytes - memory.available_bytes
        is_pressed = memory.pressure_percent >= _PRESSURE_PERCENT and not going_bytes
        gone: dict[str, str] = {}
        for each in held:
            if lacking > 0 or is_pressed:
                gone[each.name] = "memory is scarce"
                is_pressed = False  # one at a time: the next look tells whether it helped
            elif size_bytes > limit_bytes:
                gone[each.name] = "more would be frozen than may be"
            elif left > self._bounds.replicas_max:
                gone[each.name] = f"at most {self._bounds.replicas_max} are kept"
            elif now_s - each.since_s >= AGE_MAX_S:
                gone[each.name] = "nobody wanted it for long"
            else:
                break
            lacking -= each.size_bytes
            size_bytes -= each.size_bytes
            left -= 1
        return gone

    def _limit_bytes(self, memory: Memory) -> float:
        if self._bounds.size_bytes:
            return self._bounds.size_bytes
        return self._bounds.share * (memory.available_bytes + self.size_bytes)

    def told(self, *, now_s: float) -> dict[str, Any]:
        """What people may know: totals, and how many of which Revision, as far as they fit."""
        counts = Counter(each.revision for each in self)
        return {
            "replicas": len(self),
            "mebibytes": round(self.size_bytes / (1 << 20), 1),
            "seconds": round(self.seconds(now_s), 3),
            "revisions": dict(counts.most_common(_TOLD_MAX)),
        }
