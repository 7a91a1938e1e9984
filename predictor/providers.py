"""Choose execution providers by name: the GPU first where there is one, else the CPU.

For: deciding from what was asked for and what this build offers, and saying so aloud.
Must not know: ONNX Runtime, devices, or the environment; CUDA_VISIBLE_DEVICES is the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from predictor.errors import LoadError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
BINDING = frozenset({CUDA, TENSORRT})  # cards whose memory inputs and outputs are bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Providers in order of preference, and what the operator must be told about them."""

    providers: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def choose(
    asked: Sequence[str], *, available: Sequence[str], known: Sequence[str], visible: str = ""
) -> Choice:
    """The providers to open a session with; the CPU always ends the list.

    `visible`: CUDA_VISIBLE_DEVICES, by which a card may be meant that no provider here can use.
    A provider that exists but not on this machine is warned about and passed over. A name
    that ONNX Runtime never heard of is refused, because it is a slip of the pen.
    """
    if not asked:
        if CUDA in available:
            return Choice(providers=(CUDA, CPU))
        lost = (
            f"CUDA_VISIBLE_DEVICES={visible}, and ONNX Runtime has no {CUDA} here; running on {CPU}"
        )
        return Choice(providers=(CPU,), warnings=(lost,) if visible not in ("", "-1") else ())
    chosen: list[str] = []
    warnings: list[str] = []
    for name in dict.fromkeys(asked):
        if name in available:
            chosen.append(name)
        elif name in known:
            offered = ", ".join(available)
            warnings.append(f"{name} was asked for and is not available here; have {offered}")
        else:
            raise LoadError(
                f"--providers: ONNX Runtime knows no provider '{name}'; it knows {', '.join(known)}"
            )
    if CPU not in chosen:
        chosen.append(CPU)
    return Choice(providers=tuple(chosen), warnings=tuple(warnings))


def missed(asked: Sequence[str], used: Sequence[str]) -> str:
    """The warning for a provider that was chosen and did not come up; '' when all did."""
    lost = [name for name in asked if name not in used]
    if not lost:
        return ""
    return f"{', '.join(lost)} did not start on this machine; running on {used[0]}"
