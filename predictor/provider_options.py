"""What may be set of an execution provider, in one table: `--provider-options`.

For: refusing by name an option that is unknown, or a value that can not be, before any load.
Must not know: ONNX Runtime, devices, or which providers this machine has.

Options that replicas could not keep are not in the table: a CUDA graph, say, wants inputs of
one shape at one address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import orjson

from predictor.errors import SettingsError
from predictor.providers import CPU, CUDA, TENSORRT

FLAG = "--provider-options"
Options = Mapping[str, Mapping[str, str]]  # by provider, as ONNX Runtime takes them
NONE: Options = MappingProxyType({})
_BYTES_MAX = 1 << 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number:
    low: int
    high: int

    def text(self, value: object) -> str | None:
        """What ONNX Runtime is told; None for a value that can not be."""
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return str(value) if self.low <= value <= self.high else None

    @property
    def words(self) -> str:
        """What is expected."""
        return f"a whole number, {self.low} to {self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    allowed: tuple[str, ...]

    def text(self, value: object) -> str | None:
        """As above."""
        return value if isinstance(value, str) and value in self.allowed else None

    @property
    def words(self) -> str:
        """What is expected."""
        return f"one of {', '.join(self.allowed)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Switch:
    def text(self, value: object) -> str | None:
        """As above."""
        return {"true": "1", "1": "1", "false": "0", "0": "0"}.get(str(value).lower())

    @property
    def words(self) -> str:
        """What is expected."""
        return "true or false"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    def text(self, value: object) -> str | None:
        """As above."""
        return value if isinstance(value, str) and value else None

    @property
    def words(self) -> str:
        """What is expected."""
        return "a text"


_Value = _Number | _Word | _Switch | _Text
_DEVICE = _Number(low=0, high=1023)
_SIZE = _Number(low=1, high=_BYTES_MAX)
_STRATEGY = _Word(allowed=("kNextPowerOfTwo", "kSameAsRequested"))

KNOWN: Mapping[str, Mapping[str, _Value]] = {
    CPU: {
        "enable_cpu_mem_arena": _Switch(),
        "arena_mem_limit": _SIZE,
        "arena_extend_strategy": _STRATEGY,
    },
    CUDA: {
        "device_id": _DEVICE,  # among those that CUDA_VISIBLE_DEVICES shows
        "gpu_mem_limit": _SIZE,
        "arena_extend_strategy": _STRATEGY,
        "cudnn_conv_algo_search": _Word(allowed=("EXHAUSTIVE", "HEURISTIC", "DEFAULT")),
        "cudnn_conv_use_max_workspace": _Switch(),
        "cudnn_conv1d_pad_to_nc1d": _Switch(),
        "do_copy_in_default_stream": _Switch(),
        "prefer_nhwc": _Switch(),
        "use_tf32": _Switch(),
    },
    TENSORRT: {
        "device_id": _DEVICE,
        "trt_max_workspace_size": _SIZE,
        "trt_max_partition_iterations": _Number(low=1, high=100_000),
        "trt_min_subgraph_size": _Number(low=1, high=100_000),
        "trt_builder_optimization_level": _Number(low=0, high=5),
        "trt_fp16_enable": _Switch(),
        "trt_bf16_enable": _Switch(),
        "trt_int8_enable": _Switch(),
        "trt_engine_cache_enable": _Switch(),
        "trt_engine_cache_path": _Text(),
        "trt_timing_cache_enable": _Switch(),
        "trt_timing_cache_path": _Text(),
        "trt_profile_min_shapes": _Text(),
        "trt_profile_opt_shapes": _Text(),
        "trt_profile_max_shapes": _Text(),
    },
}


def read(text: str) -> Options:
    """The options of a JSON object {provider: {option: value}}; SettingsError names the wrong."""
    if not text:
        return NONE
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"{FLAG}: not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise SettingsError(f'{FLAG}: expected an object such as {{"{CUDA}": {{"device_id": 0}}}}')
    return MappingProxyType({name: _of(name, options) for name, options in raw.items()})


def _of(provider: str, raw: object) -> Mapping[str, str]:
    known = KNOWN.get(provider)
    if known is None:
        names = ", ".join(KNOWN)
        raise SettingsError(f"{FLAG}: no options are known of '{provider}', but of {names}")
    if not isinstance(raw, dict):
        raise SettingsError(f"{FLAG}: {provider}: expected an object of options")
    found: dict[str, str] = {}
    for name, value in raw.items():
        if name not in known:
            raise SettingsError(
                f"{FLAG}: {provider}: unknown option '{name}'; known are {', '.join(known)}"
            )
        said = known[name].text(value)
        if said is None:
            got = orjson.dumps(value).decode()[:60]
            raise SettingsError(
                f"{FLAG}: {provider}: {name}: expected {known[name].words}, got {got}"
            )
        found[name] = said
    if "arena_mem_limit" in found and found.get("enable_cpu_mem_arena") == "0":
        raise SettingsError(f"{FLAG}: {provider}: arena_mem_limit: there is no arena to limit")
    if provider == CPU and "arena_extend_strategy" in found and "arena_mem_limit" not in found:
        raise SettingsError(f"{FLAG}: {CPU}: arena_extend_strategy: give arena_mem_limit as well")
    return MappingProxyType(found)
