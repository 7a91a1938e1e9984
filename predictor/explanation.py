"""One explanation, and how it is written.

For: the same fields whatever the method, with the check that they add up.
Must not know: how it was found, HTTP.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from predictor.model import Tensor

_RELATIVE, _ABSOLUTE = 1e-4, 1e-6  # FP32 sums of thousands of values


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a row's value is what it is: base + the sum of the attributions."""

    row: int
    method: str
    names: tuple[str, ...]
    output: str
    label: Any  # of the class that the output is of; None where it is none, or nobody knows
    prediction: float  # of the row as it came, alone
    base: float
    values: Tensor  # one a feature
    baseline: str
    scale: str = "output"  # "score": what the output is made from, such as log-odds
    samples: int | None = None
    seed: int | None = None
    standard_error: float | None = None
    note: str = ""

    @property
    def additivity_error(self) -> float:
        """How far the sum is from the prediction."""
        return abs(float(self.values.sum()) + self.base - self.prediction)

    @property
    def is_additive(self) -> bool:
        """Whether the sum is the prediction, as far as sums of such numbers can be."""
        largest = float(np.abs(self.values).max(initial=0.0))
        scale = max(abs(self.prediction), abs(self.base), largest)
        return self.additivity_error <= _RELATIVE * scale + _ABSOLUTE

    def written(self) -> dict[str, Any]:
        """As it is sent."""
        found: dict[str, Any] = {"row": self.row, "method": self.method, "output": self.output}
        if self.label is not None:
            found["class"] = self.label
        found |= {
            "scale": self.scale,
            "prediction": self.prediction,
            "base_value": self.base,
            "attributions": dict(zip(self.names, self.values.tolist(), strict=True)),
            "additivity_error": self.additivity_error,
            "is_additive": self.is_additive,
            "baseline": self.baseline,
        }
        for name in ("samples", "seed", "standard_error"):
            value = getattr(self, name)
            if value is not None and value != float("inf"):
                found[name] = value
        if note := "; ".join(filter(None, (self.note, self._warning()))):
            found["note"] = note
        return found

    def _warning(self) -> str:
        if self.is_additive:
            return ""
        return (
            "the attributions do not add up: the model gives another answer for the same row, "
            "or one that depends on the rows beside it"
        )
