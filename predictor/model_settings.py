"""What the settings files beside a model say of how it is served.

For: one value from signature.json, config.pbtxt and model-settings.json, whichever there are.
Must not know: how a model is opened, or what its own file says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from predictor.model import Signature

Labels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmup:
    """A request that is answered before the model is ready."""

    name: str
    body: bytes  # of a V2 request
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How requests are joined where no flag says otherwise."""

    size_max: int
    delay_s: float
    said_by: str  # the file and its fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """All that is said; empty values where nothing is."""

    name: str = ""
    folder_name: str = ""  # what config.pbtxt says the folder is called, as the model is
    signature: Signature | None = None
    signature_by: str = ""  # the file that gives it
    batching: Batching | None = None
    labels: Labels = field(default_factory=dict)  # of an output's classes, in their order
    warmups: tuple[Warmup, ...] = ()
    baseline: Any = None  # of explanations
    providers: tuple[str, ...] = ()  # a hint: what to try where no flag says otherwise
    without_effect: tuple[str, ...] = ()  # fields that change nothing here, as they stand


def merged(first: ModelSettings, second: ModelSettings) -> ModelSettings:
    """Both; what both say is taken from the first."""
    is_first = first.signature is not None
    return ModelSettings(
        name=first.name or second.name,
        folder_name=first.folder_name or second.folder_name,
        signature=first.signature if is_first else second.signature,
        signature_by=first.signature_by if is_first else second.signature_by,
        batching=first.batching or second.batching,
        labels=first.labels or second.labels,
        warmups=first.warmups + second.warmups,
        baseline=second.baseline if first.baseline is None else first.baseline,
        providers=first.providers or second.providers,
        without_effect=first.without_effect + second.without_effect,
    )
