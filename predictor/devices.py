"""The CPU or the GPU, for libraries that are not ONNX Runtime.

For: one reading of --providers and CUDA_VISIBLE_DEVICES, and saying aloud what is not there.
Must not know: torch, TensorFlow, or the environment; what is visible is the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from predictor.providers import CPU, CUDA


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where a model runs, and what the operator must be told about it."""

    is_gpu: bool
    warnings: tuple[str, ...] = ()


def choose(asked: Sequence[str], *, has_gpu: bool, visible: str, library: str) -> Device:
    """The first of the asked that is here; none asked: the GPU where there is one."""
    warnings: list[str] = []
    for name in asked:
        if name == CPU:
            return Device(is_gpu=False, warnings=tuple(warnings))
        if name == CUDA and has_gpu:
            return Device(is_gpu=True, warnings=tuple(warnings))
        if name == CUDA:
            warnings.append(f"{CUDA} was asked for and {library} sees no GPU; running on the CPU")
        else:
            warnings.append(f"{name} is ONNX Runtime's; {library} has only {CUDA} and {CPU}")
    if not asked and not has_gpu and visible not in ("", "-1"):
        warnings.append(
            f"CUDA_VISIBLE_DEVICES={visible} and {library} sees no GPU; running on the CPU"
        )
    return Device(is_gpu=has_gpu and not asked, warnings=tuple(warnings))
