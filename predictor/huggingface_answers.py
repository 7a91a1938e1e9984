"""What a transformer says of texts: classes, tags, missing words, vectors.

For: texts or tokens to arrays by name, `output-0` being what KServe's server gives.
Must not know: files, settings, or how text is generated.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from predictor import torch_tensors
from predictor.errors import Fault, RequestError
from predictor.huggingface_folder import Folder, Task
from predictor.model import Signature, Tensor, TensorSpec

INPUT, OUTPUT = "input-0", "output-0"  # KServe's names
PROBABILITIES = "probabilities"  # of all classes, which explanations are of
_TENSORS = ("input_ids", "attention_mask", "token_type_ids")
_KINDS = {"b": "BOOL", "i": "INT", "u": "UINT", "f": "FP"}  # of what came in place of text
_NO_TOKEN = -1  # where a row of token-classification has fewer tokens than the longest


class Answers:
    """One open model and its tokenizer, asked."""

    def __init__(
        self,
        torch: ModuleType,
        folder: Folder,
        *,
        model: Any,
        tokenizer: Any,
        tokens_max: int,
        wants_probabilities: bool,
    ) -> None:
        self._torch: Any = torch
        self._folder = folder
        self._model = model
        self._tokenizer = tokenizer
        self._tokens_max = tokens_max
        self._wants_probabilities = wants_probabilities
        names = getattr(model.config, "id2label", None) or {}
        self.labels = [str(names[key]) for key in sorted(names)]

    def embedded(self, texts: list[str]) -> Tensor:
        """A row of FP32 for each text."""
        return self._embedded(self._encoded(texts))

    def described(self) -> Signature:
        """What the metadata says."""
        kinds: dict[str, tuple[str, tuple[int, ...]]]
        if self._folder.task is Task.CLASSIFY:
            wide = self._wants_probabilities
            shape = (-1, len(self.labels)) if wide else (-1,)
            is_value = wide or len(self.labels) == 1
            kinds = {OUTPUT: ("FP32" if is_value else "INT64", shape)}
            kinds |= {"labels": ("BYTES", (-1,)), "scores": ("FP32", (-1,))}
        elif self._folder.task is Task.TAG:
            kinds = {OUTPUT: ("INT64", (-1, -1)), "labels": ("BYTES", (-1, -1))}
            kinds |= {"tokens": ("BYTES", (-1, -1)), "scores": ("FP32", (-1, -1))}
        elif self._folder.task is Task.EMBED:
            kinds = {OUTPUT: ("FP32", (-1, int(self._model.config.hidden_size)))}
        else:
            kinds = {OUTPUT: ("BYTES", (-1,))}
            if self._folder.task is Task.FILL:
                kinds["scores"] = ("FP32", (-1,))
        return Signature(
            inputs=[TensorSpec(name=INPUT, datatype="BYTES", shape=(-1,))],
            outputs=[TensorSpec(name=n, datatype=d, shape=s) for n, (d, s) in kinds.items()],
        )

    def of(self, inputs: dict[str, Tensor], *, is_whole: bool = False) -> dict[str, Tensor]:
        """Every output by name, for texts or for tokens that the client made itself.

        `is_whole`: the probabilities of all classes too, whatever `output-0` is.
        """
        task = self._folder.task
        encoded = self._given(inputs) if "input_ids" in inputs else self._encoded(texts_of(inputs))
        if task is Task.EMBED:
            return {OUTPUT: self._embedded(encoded)}
        with self._torch.inference_mode():
            logits = self._model(**encoded).logits.float()
        if task is Task.CLASSIFY:
            return self._classes(logits, is_whole=is_whole)
        if task is Task.TAG:
            return self._tags(logits, encoded)
        return self._filled(logits, encoded)

    def _classes(self, logits: Any, *, is_whole: bool) -> dict[str, Tensor]:
        torch = self._torch
        if logits.shape[-1] == 1:  # a regression: there is one class only
            values = _array(torch, logits[:, 0])
            return {OUTPUT: values, "scores": values, "labels": self._named(values.astype(int))}
        many = getattr(self._model.config, "problem_type", "") == "multi_label_classification"
        chances = torch.sigmoid(logits) if many else torch.softmax(logits, -1)
        scores, best = chances.max(-1)
        ids = _array(torch, best)
        first = _array(torch, chances) if self._wants_probabilities else ids
        found = {OUTPUT: first, "labels": self._named(ids), "scores": _array(torch, scores)}
        return found | {PROBABILITIES: _array(torch, chances)} if is_whole else found

    def _tags(self, logits: Any, encoded: Mapping[str, Any]) -> dict[str, Tensor]:
        torch = self._torch
        scores, best = torch.softmax(logits, -1).max(-1)
        is_padding = _array(torch, encoded["attention_mask"]) == 0
        ids = _array(torch, best)
        ids[is_padding] = _NO_TOKEN
        rows = [self._tokenizer.convert_ids_to_tokens(row) for row in encoded["input_ids"].tolist()]
        tokens = np.array(rows, object).reshape(ids.shape)
        return {
            OUTPUT: ids,
            "labels": self._named(ids),
            "scores": _array(torch, scores),
            "tokens": tokens,
        }

    def _filled(self, logits: Any, encoded: Mapping[str, Any]) -> dict[str, Tensor]:
        mask = self._tokenizer.mask_token_id
        words, sure = [], []
        for row, ids in zip(logits, encoded["input_ids"], strict=True):
            places = (ids == mask).nonzero()[:, 0]
            if not len(places):
                expected = f"{self._tokenizer.mask_token} where a word is wanted"
                raise RequestError(Fault.BAD_FIELD, field="text", expected=expected, got="none")
            chances, best = self._torch.softmax(row[places], -1).max(-1)
            words.append(self._tokenizer.decode(best.tolist()).strip())
            sure.append(float(chances.min()))
        return {OUTPUT: np.array(words, object), "scores": np.array(sure, np.float32)}

    def _embedded(self, encoded: Mapping[str, Any]) -> Tensor:
        torch = self._torch
        with torch.inference_mode():
            states = self._model(**encoded).last_hidden_state.float()
            mask = encoded["attention_mask"].unsqueeze(-1).to(states.dtype)
            if self._folder.pooling == "cls_token":
                found = states[:, 0]
            elif self._folder.pooling == "max_tokens":
                found = states.masked_fill(mask == 0, -torch.inf).amax(1)
            elif self._folder.pooling == "lasttoken":
                order = torch.arange(states.shape[1], device=states.device)
                last = (order * encoded["attention_mask"]).argmax(1)
                found = states[torch.arange(len(states), device=states.device), last]
            else:
                found = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            if self._folder.is_normalized:
                found = torch.nn.functional.normalize(found, dim=1)
        return _array(torch, found)

    def _encoded(self, texts: list[str]) -> dict[str, Any]:
        encoded = self._tokenizer(
            texts,
            padding=len(texts) > 1,
            truncation=bool(self._tokens_max),
            max_length=self._tokens_max or None,
            return_tensors="pt",
        )
        return {name: tensor.to(self._model.device) for name, tensor in encoded.items()}

    def _given(self, inputs: dict[str, Tensor]) -> dict[str, Any]:
        """Tokens that the client made itself."""
        torch = self._torch
        found = {}
        for name, array in inputs.items():
            if name not in _TENSORS:
                expected = ", ".join(_TENSORS)
                raise RequestError(Fault.UNKNOWN_INPUT, name=name, expected=expected)
            if array.dtype.kind not in "iu" or array.ndim != 2:
                expected = "INT64 of shape [-1, -1]"
                raise RequestError(
                    Fault.BAD_FIELD, field=name, expected=expected, got=str(list(array.shape))
                )
            found[name] = torch_tensors.to_torch(torch, name, array.astype(np.int64))
        found.setdefault("attention_mask", torch.ones_like(found["input_ids"]))
        return {name: tensor.to(self._model.device) for name, tensor in found.items()}

    def _named(self, ids: Tensor) -> Tensor:
        known = dict(enumerate(self.labels))
        flat = [known.get(int(one), "") for one in ids.ravel()]
        return np.array(flat, object).reshape(ids.shape)


def texts_of(inputs: dict[str, Tensor]) -> list[str]:
    """The one input as texts, whatever its name."""
    if len(inputs) != 1:
        got = ", ".join(inputs) or "none"
        raise RequestError(Fault.MISSING_INPUT, name=INPUT, expected="one of texts", got=got)
    name, array = next(iter(inputs.items()))
    if array.dtype.kind not in "OUS":
        bits = "" if array.dtype.kind == "b" else str(array.dtype.itemsize * 8)
        got = _KINDS.get(array.dtype.kind, "BF") + bits  # BF16 is no type of numpy's
        raise RequestError(Fault.WRONG_DATATYPE, name=name, expected="BYTES", got=got)
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise RequestError(
            Fault.WRONG_RANK,
            name=name,
            expected=[-1],
            rank=1,
            got=list(array.shape),
            got_rank=array.ndim,
        )
    try:
        return [one.decode() if isinstance(one, bytes) else str(one) for one in array.ravel()]
    except UnicodeDecodeError:
        raise RequestError(Fault.BAD_FIELD, field=name, expected="UTF-8", got="bytes") from None


def _array(torch: ModuleType, tensor: Any) -> Tensor:
    return torch_tensors.to_array(torch, tensor)
