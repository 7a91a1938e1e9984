"""Prepared models: what one is called, what is written of it, and which variant is kept.

For: the rules of the cache, in one place that its writer and its readers share.
Must not know: ONNX Runtime, files, processes, or how anything was measured.
"""

import enum
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

RECIPE = 2  # another number makes every entry another's: what is written or chosen has changed
FOLDER = "prepared"  # in the cache
GRAPH = "model.onnx"
WEIGHTS = "weights.bin"
ENTRY = "entry.json"

SIZE_MIN_BYTES = 1024 * 1024  # a smaller model loads in milliseconds as it is
SIZE_MAX_BYTES = 2**31 - 1  # what one ONNX file can hold; a larger model keeps its weights beside
LOAD_MIN_MS = 10.0  # nor is there anything to gain from one that loaded faster than this
RETRY_AFTER_S = 3600.0  # what failed for want of memory or time may do better later

# What a variant may cost beyond the plain model and still be kept: see `choose`.
_RUN_RATIO_MAX, _RUN_SLACK_MS = 1.05, 0.05
_RESIDENT_RATIO_MAX, _RESIDENT_SLACK_MIB = 1.25, 4.0
_GAIN_RATIO = 0.8
_UNPACKED_GAIN_RATIO = 0.5


class Variant(enum.Enum):
    """A way to have a model ready to load."""

    PLAIN = "plain"  # the file as it came
    PACKED = "packed"  # optimised, weights mapped; those that kernels want otherwise are packed
    SAVED = "saved"  # the same, the packed ones written down too
    UNPACKED = "unpacked"  # the same, none packed: loads fastest, may run slower


# Options of a session that opens a variant, beyond the graph's being optimised already.
OPENING: Mapping[Variant, Mapping[str, str]] = {
    Variant.PACKED: {},
    Variant.SAVED: {},
    Variant.UNPACKED: {"session.disable_prepacking": "1"},
}
# Options of the session that writes the graph a variant is opened from.
_EXTERNAL = {
    "session.optimized_model_external_initializers_file_name": WEIGHTS,
    "session.optimized_model_external_initializers_min_size_in_bytes": "1024",
}
WRITING: Mapping[Variant, Mapping[str, str]] = {
    Variant.PACKED: _EXTERNAL,
    Variant.SAVED: {**_EXTERNAL, "session.save_external_prepacked_constant_initializers": "1"},
}
# Which written graph each variant is opened from.
SOURCE: Mapping[Variant, Variant] = {
    Variant.PACKED: Variant.PACKED,
    Variant.SAVED: Variant.SAVED,
    Variant.UNPACKED: Variant.PACKED,
}


def key(*, digest: str, runtime: str, provider: str, processor: str) -> str:
    """The name of a model's entry; a change in any of these is another entry.

    `processor` are its features: an optimised graph is laid out for them.
    """
    parts = [RECIPE, digest, runtime, provider, processor]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a variant costs. Private: what a further replica of it costs; resident: a first one."""

    load_ms: float
    run_ms: float
    private_mib: float
    resident_mib: float

    @property
    def cost(self) -> float:
        """A millisecond of loading is worth a MiB of private memory."""
        return self.load_ms + self.private_mib

    @property
    def words(self) -> str:
        """For people."""
        return (
            f"load {self.load_ms:.0f} ms, run {self.run_ms:.1f} ms, own {self.private_mib:.0f} MiB"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The variant that is kept, and why in words."""

    variant: Variant
    reason: str


def choose(measured: Mapping[Variant, Measure]) -> Choice:
    """The variant to keep; the plain one where none of the others is better.

    A variant is in the running when it loads in at most 0.8 of the plain load or takes at most
    0.8 of its private memory, is worse in neither, runs at most 1.05 times as long, and one
    replica alone is at most 1.25 times as large (constant folding can blow a graph up). Among
    those the least milliseconds of load + MiB of private memory wins. One without packed
    weights, whose answers may differ in the last bits, must halve the best of the others.
    """
    plain = measured[Variant.PLAIN]
    good = {
        variant: measure
        for variant, measure in measured.items()
        if variant is not Variant.PLAIN and not _fault(measure, plain)
    }
    if not good:
        faults = (
            f"{variant.value} {_fault(measure, plain)} ({measure.words})"
            for variant, measure in measured.items()
            if variant is not Variant.PLAIN
        )
        tried = "; ".join(faults) or "no variant gave its answers"
        return Choice(variant=Variant.PLAIN, reason=f"plain is better ({plain.words}): {tried}")
    best = min(good, key=lambda each: good[each].cost * _handicap(each))
    return Choice(variant=best, reason=f"{best.value}: {good[best].words}; plain: {plain.words}")


def _handicap(variant: Variant) -> float:
    return 1 / _UNPACKED_GAIN_RATIO if variant is Variant.UNPACKED else 1.0


def _fault(measure: Measure, plain: Measure) -> str:
    """Why a variant is out of the running; "" when it is in it."""
    if measure.run_ms > plain.run_ms * _RUN_RATIO_MAX + _RUN_SLACK_MS:
        return "runs slower"
    if measure.resident_mib > plain.resident_mib * _RESIDENT_RATIO_MAX + _RESIDENT_SLACK_MIB:
        return "is larger in memory"
    if measure.load_ms > plain.load_ms:
        return "loads slower"
    if measure.private_mib > plain.private_mib + 1.0:
        return "takes more private memory"
    is_better = (
        measure.load_ms <= plain.load_ms * _GAIN_RATIO
        or measure.private_mib <= plain.private_mib * _GAIN_RATIO
    )
    return "" if is_better else "gains too little"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of an entry: how large it was written, and a hash of it or of samples of it."""

    size_bytes: int
    check: str


class EntryError(ValueError):
    """What was found is no entry, or not a whole one; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is written of one key. Without files nothing is to be loaded, for the reason given."""

    variant: Variant
    reason: str
    is_final: bool = True  # else it may be tried again later
    files: Mapping[str, File] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)  # for people

    @property
    def size_bytes(self) -> int:
        """Of its files."""
        return sum(file.size_bytes for file in self.files.values())

    def write(self) -> bytes:
        """The content of ENTRY."""
        return orjson.dumps(
            {
                "recipe": RECIPE,
                "variant": self.variant.value,
                "reason": self.reason,
                "final": self.is_final,
                "files": {
                    name: {"bytes": file.size_bytes, "check": file.check}
                    for name, file in self.files.items()
                },
                "measured": self.measured,
            },
            option=orjson.OPT_INDENT_2,
        )


def read(data: bytes) -> Entry:
    """An entry from the content of ENTRY; EntryError."""
    try:
        raw = orjson.loads(data)
        if raw["recipe"] != RECIPE:
            raise EntryError(f"is of recipe {raw['recipe']}, not {RECIPE}")
        entry = Entry(
            variant=Variant(raw["variant"]),
            reason=str(raw["reason"]),
            is_final=bool(raw["final"]),
            files={
                name: File(size_bytes=int(file["bytes"]), check=str(file["check"]))
                for name, file in raw["files"].items()
            },
            measured=raw["measured"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, EntryError):
            raise
        raise EntryError(f"{ENTRY} can not be read ({type(error).__name__})") from None
    if (entry.variant is not Variant.PLAIN) != (GRAPH in entry.files):
        raise EntryError(f"{ENTRY} says {entry.variant.value}, and names no such files")
    if not entry.files.keys() <= {GRAPH, WEIGHTS}:
        raise EntryError(f"{ENTRY} names files that are none of ours")
    return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An entry as eviction sees it."""

    key: str
    size_bytes: int
    used_s: float  # when it was last loaded


def evictions(kept: Iterable[Kept], *, limit_bytes: int) -> list[str]:
    """The keys that must go for the rest to fit, least lately loaded first."""
    oldest_first = sorted(kept, key=lambda each: (each.used_s, each.key))
    total_bytes = sum(each.size_bytes for each in oldest_first)
    going: list[str] = []
    for each in oldest_first:
        if total_bytes <= limit_bytes:
            break
        going.append(each.key)
        total_bytes -= each.size_bytes
    return going
