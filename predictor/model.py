"""What user code implements to be served: a Model, and how it describes its tensors.

For: `from predictor.model import Model`, the one import a model file needs.
Must not know: files, sockets, JSON, or ONNX Runtime.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Tensor = np.ndarray[Any, Any]


class InvalidInputError(Exception):
    """Raise it in `predict` to answer 400; the message goes to the client as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One tensor: its V2 datatype (`FP32`, `INT64`, `BYTES` …) and shape, -1 for any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The tensors a model takes and gives."""

    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """How text is to be generated; a model that can not honour a value refuses it by name."""

    max_tokens: int = 20  # Open Inference: generate_rest.yaml
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of generated text: one token, as a rule."""

    text: str
    token: int | None = None
    logprob: float | None = None
    is_special: bool = False
    finish_reason: str = ""  # of the last piece: length, eos_token or stop_sequence


class Model:
    """One model. Made without arguments; `load` once, then `predict` for every request.

    Calls to `predict` never overlap. It may run on the event loop's thread or on another
    one, so thread-local state does not carry from one call to the next.
    """

    def load(self) -> None:
        """Open what the model needs. An exception here fails the replica, with its message."""

    def signature(self) -> Signature | None:
        """The model's tensors, read once after `load`; None accepts any input.

        With a signature, inputs are checked and cast before `predict` sees them. Without
        one, V2 inputs arrive as the request declares them and V1 instances arrive as one
        array named `instances`.
        """
        return None

    def predict(self, inputs: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """Arrays by input name to arrays by output name; text is arrays of `str` objects.

        BYTES that came as bytes and are not all UTF-8 (images, say) are arrays of `bytes`.
        """
        raise NotImplementedError

    def explain(self, inputs: dict[str, Tensor]) -> Mapping[str, Any]:
        """Why the answers are what they are; a model that defines it is asked at `:explain`.

        Whatever it gives is the answer's `explanations`: what JSON can carry, and arrays. Models
        without it are explained by Shapley values of columns, of blocks, or of words.
        """
        raise NotImplementedError

    def load_metrics(self) -> Mapping[str, float]:
        """What this replica carries now: `tokens_in_flight`, `queue_delay_ms`, and any others.

        Reported with each answer of a Revision that scales on it. Called on the event loop's
        thread, also while `predict` runs on another one: read plain attributes, and be quick.
        """
        return {}

    def generate(self, prompt: str, how: Generation) -> Iterator[Piece]:
        """Text piece by piece; a model that defines it is served at generate and completions.

        Runs on the model's thread and is closed when its client leaves.
        """
        raise NotImplementedError

    def chat_prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt for a conversation: objects with `role` and `content`."""
        raise NotImplementedError

    def embed(self, texts: Sequence[str]) -> Tensor:
        """A row of FP32 for each text; a model that defines it is served at embeddings."""
        raise NotImplementedError

    def count_tokens(self, text: str) -> int:
        """How many tokens a prompt is, for the usage that OpenAI's clients are told."""
        raise NotImplementedError


class Transformer:
    """Code around a model in any format, in its process. Made without arguments, as a Model.

    Calls never overlap. What `signature` declares is what clients see; without one, inputs
    arrive as a request declares them.
    """

    is_rowwise = False  # True: each row is transformed by itself, so requests can be joined

    def load(self) -> None:
        """Open what it needs. An exception here fails the replica, with its message."""

    def signature(self) -> Signature | None:
        """The tensors that clients send and get, read once after `load`; None accepts any."""
        return None

    def preprocess(self, inputs: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """What clients send, as the model takes it; raise InvalidInputError to answer 400."""
        return inputs

    def postprocess(self, outputs: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """What the model gives, as clients get it."""
        return outputs
