"""A model that is open: what it runs, and what every answer says of it.

For: the one form in which every format hands its model to whatever asks it.
Must not know: formats, files, HTTP.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from predictor.model import Generation, Piece, Signature, Tensor
from predictor.model_settings import Batching, Warmup

Run = Callable[[dict[str, Tensor], tuple[str, ...] | None], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """The trees that a model is made of, for attributions that come from them."""

    model: Any  # what shap's TreeExplainer takes
    matrix: Callable[[dict[str, Tensor]], Tensor]  # tensors of a request → rows, columns in order
    scores: Callable[[Tensor], Tensor]  # rows → what their trees add up to, (rows,) or (rows, K)
    # Rows → (rows, columns + 1, K), the base last; None where the library has none of its own.
    contributions: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that answers, and what every answer says of it."""

    run: Run
    signature: Signature | None  # what requests are checked against; None: the model itself does
    platform: str
    described: Signature | None  # what the metadata says
    digest: str = ""  # "sha256:<64 hex>"; put there by the loader
    provider: str = ""  # what ONNX Runtime really uses; "" for other models
    facts: Mapping[str, Any] = field(default_factory=dict)  # more of the metadata: "parameters"
    is_rowwise: bool = False  # a row in, a row out, whatever the signature says
    unbatchable: str = ""  # why requests can not be joined, whatever the signature says
    metrics: Callable[[], Mapping[Any, Any]] | None = None  # what the model says of its load
    prepare: Callable[[], None] | None = None  # makes its next loads faster; takes its time
    name: str = ""  # by its folder and its settings files, where none was given
    batching: Batching | None = None  # what its settings files ask for; a flag goes before
    warmups: tuple[Warmup, ...] = ()  # requests that were stored with it
    trees: Trees | None = None  # where the model is one of trees
    scores: Run | None = None  # probabilities or scores, one output, where `run` gives labels only
    baseline: Any = None  # of explanations, as baseline.json beside the model has it
    baseline_by: str = "baseline.json"  # who says so
    predicts: bool = True  # False: `run` only says that it does not
    # What only some models can; None where this one can not. See `model.Model`.
    generate: Callable[[str, Generation], Iterator[Piece]] | None = None
    chat_prompt: Callable[[Sequence[Mapping[str, Any]]], str] | None = None
    embed: Callable[[Sequence[str]], Tensor] | None = None
    count_tokens: Callable[[str], int] | None = None  # of a prompt, for OpenAI's usage
    explain: Callable[[dict[str, Tensor]], Mapping[str, Any]] | None = None
