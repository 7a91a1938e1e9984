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
class Form:
    """How the attributions of an input are written: by names, as a grid of blocks, or as words."""

    input: str
    names: tuple[str, ...]  # of its features, in their order
    edges: tuple[tuple[int, ...], ...] = ()  # of blocks: along each axis, and the end of the last
    is_words: bool = False

    def attributions(self, values: Tensor) -> dict[str, Any]:
        """One number a name, or all of them under the input's."""
        if self.edges:
            grid = [len(edges) - 1 for edges in self.edges]
            return {self.input: values.reshape(grid).tolist()}
        if self.is_words:
            return {self.input: values.tolist()}
        return dict(zip(self.names, values.tolist(), strict=True))

    def blocks(self) -> dict[str, Any]:
        """What each block covers: from one edge up to the next, along each axis of an item."""
        return {
            "shape": [edges[-1] for edges in self.edges],
            "grid": [len(edges) - 1 for edges in self.edges],
            "edges": [list(edges) for edges in self.edges],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a row's value is what it is: base + the sum of the attributions."""

    row: int
    method: str
    forms: tuple[Form, ...]
    output: str
    label: Any  # of the class that the output is of; None where it is none, or nobody knows
    prediction: float  # of the row as it came, beside the request's others
    base: float
    values: Tensor  # one a feature
    baseline: str
    scale: str = "output"  # "score": what the output is made from, such as log-odds
    samples: int | None = None
    seed: int | None = None
    standard_error: float | None = None
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of all features, in the order of the values."""
        return tuple(name for form in self.forms for name in form.names)

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
            **self._attributed(),
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

    def _attributed(self) -> dict[str, Any]:
        attributions: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        words: dict[str, Any] = {}
        start = 0
        for form in self.forms:
            end = start + len(form.names)
            attributions |= form.attributions(self.values[start:end])
            if form.edges:
                blocks[form.input] = form.blocks()
            if form.is_words:
                words[form.input] = list(form.names)
            start = end
        found = {"attributions": attributions, "blocks": blocks, "words": words}
        return {name: each for name, each in found.items() if each or name == "attributions"}

    def _warning(self) -> str:
        if self.is_additive:
            return ""
        return (
            "the attributions do not add up: the model gives another answer for the same row, "
            "or one that depends on the rows beside it"
        )
