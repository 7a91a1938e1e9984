"""A Hugging Face folder: its tokenizer and model, answering as KServe's server for them does.

For: texts in, classes, tokens, vectors or more text out; local files only.
Must not know: HTTP, JSON of requests, or where the folder came from.

Nothing is fetched. Weights are safetensors; pickled ones (.bin) and code of the author's beside
config.json need consent (--trust-pickle), as either runs code while the model is loaded.
"""

import dataclasses
import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from api.modelfiles import Kind
from predictor import config, datatypes, formats, generating, huggingface_folder, torch_model
from predictor.config import Settings
from predictor.errors import Fault, LoadError, RequestError
from predictor.generating import Texts
from predictor.huggingface_answers import OUTPUT, Answers, texts_of
from predictor.huggingface_folder import CONSENT, Folder, Task
from predictor.loaded import Loaded
from predictor.model import Generation, Piece, Tensor

_LOG = logging.getLogger(__name__)
PLATFORM = "huggingface"
ENVIRONMENT = {  # read at import
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",  # threads that a fork would lose
}
_CLASSES = {
    Task.CLASSIFY: "AutoModelForSequenceClassification",
    Task.TAG: "AutoModelForTokenClassification",
    Task.FILL: "AutoModelForMaskedLM",
    Task.WRITE: "AutoModelForCausalLM",
    Task.REWRITE: "AutoModelForSeq2SeqLM",
    Task.EMBED: "AutoModel",
}
_WHOLE = "tokenizer.json"
_OTHERS = ("tekken.json", "tokenizer.model", "tiktoken.model")  # that classes read unannounced
_OFFSET = ("roberta", "camembert", "mpnet", "longformer")  # positions start after the padding's
_UNBOUNDED = 10**9


class HuggingFaceModel:
    """One model with its tokenizer, in evaluation mode."""

    def __init__(self, folder: Folder, settings: Settings, *, tokenizer: Path) -> None:
        self.folder = folder
        self.device = "cpu"
        self._settings = settings
        self._tokenizer_path = tokenizer
        self._torch: Any = None
        self._model: Any = None
        self._tokenizer: Any = None
        self._answers: Any = None
        self.tokens_max = 0

    def load(self) -> None:
        """Open both; LoadError names the folder."""
        config.adopt(ENVIRONMENT)
        formats.imported(("torch", "transformers"), extra="huggingface")
        self._torch = torch = importlib.import_module("torch")
        torch_model.limit_threads(torch, self._settings.threads)
        self.device = torch_model.choose_device(torch, self._settings.providers)
        transformers = importlib.import_module("transformers")
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        try:
            self._open(transformers)
        except LoadError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever files make it raise
            _LOG.debug("loading %s failed", self.folder.path, exc_info=True)
            raise LoadError(self._explain(error, transformers)) from None
        self.tokens_max = self._limit()
        if self._tokenizer.pad_token is None and self._tokenizer.eos_token is not None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._answers = Answers(
            torch,
            self.folder,
            model=self._model,
            tokenizer=self._tokenizer,
            tokens_max=self.tokens_max,
            wants_probabilities=self._settings.predict_proba,
        )

    def run(self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        """`output-0` as KServe gives it; the outputs beside it when they are asked for."""
        outputs = self._asked(self._written if self._is_writer else self._answers.of, inputs)
        datatypes.check_wanted(outputs, wanted)
        return {name: outputs[name] for name in wanted or (OUTPUT,)}

    def scores(
        self, inputs: dict[str, Tensor], wanted: tuple[str, ...] | None
    ) -> dict[str, Tensor]:
        """The probabilities that explanations are of, and every other output."""
        del wanted
        return self._asked(partial(self._answers.of, is_whole=True), inputs)

    def _asked(self, answer: Callable[..., Any], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        try:
            outputs: dict[str, Tensor] = answer(inputs)
        except RequestError:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            _LOG.info("the model refused an input", exc_info=True)
            detail = f"the model: {torch_model.words(error)}"
            raise RequestError(Fault.REJECTED, detail=detail) from None
        except Exception as error:  # noqa: BLE001 - anybody's code; logged, and answered 500
            _LOG.exception("the model failed")
            raise RequestError(Fault.MODEL_RAISED, kind=type(error).__name__) from None
        return outputs

    def embed(self, texts: Sequence[str]) -> Tensor:
        """A row of FP32 for each text."""
        found: Tensor = self._answers.embedded(list(texts))
        return found

    def generate(self, prompt: str, how: Generation) -> Iterator[Piece]:
        """Text piece by piece; refuses a prompt that is longer than the model reads."""
        generating.check(how)
        first = self._prompt(prompt)
        room = self.tokens_max - len(first) if self.folder.task is Task.WRITE else how.max_tokens
        if self.tokens_max and (room < 1 or len(first) > self.tokens_max):
            expected = f"fewer than {self.tokens_max} tokens, which is all the model reads"
            got = f"{len(first)} tokens"
            raise RequestError(Fault.BAD_FIELD, field="prompt", expected=expected, got=got)
        if self.tokens_max and room < how.max_tokens:
            how = dataclasses.replace(how, max_tokens=room)
        step = self._writer(first) if self.folder.task is Task.WRITE else self._rewriter(first)
        texts = Texts(self._decode, how.stop)
        return generating.pieces(step, texts, how, torch=self._torch, ends=self._ends())

    def chat_prompt(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """The prompt for a conversation, by the tokenizer's own template."""
        try:
            text: str = self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # noqa: BLE001 - a template raises what it likes
            detail = f"messages: {torch_model.words(error)}"
            raise RequestError(Fault.REJECTED, detail=detail) from None
        return text

    def loaded(self) -> Loaded:
        """What the rest of the predictor asks of it."""
        is_writer = self._is_writer
        has_template = bool(getattr(self._tokenizer, "chat_template", None))
        facts: dict[str, Any] = {"task": self.folder.task.value, "device": self.device}
        if self.folder.task in (Task.CLASSIFY, Task.TAG):
            facts["labels"] = self._answers.labels
        if self.tokens_max:
            facts["max_tokens"] = self.tokens_max
        return Loaded(
            run=self.run,
            signature=None,
            platform=PLATFORM,
            described=self._answers.described(),
            facts=facts,
            is_rowwise=self.folder.task in (Task.CLASSIFY, Task.EMBED, Task.FILL),
            generate=self.generate if is_writer else None,
            chat_prompt=self.chat_prompt if is_writer and has_template else None,
            count_tokens=(lambda prompt: len(self._prompt(prompt))) if is_writer else None,
            scores=self.scores if self._has_labels_alone else None,
            embed=self.embed if self.folder.task is Task.EMBED else None,
        )

    @property
    def _has_labels_alone(self) -> bool:
        is_classifier = self.folder.task is Task.CLASSIFY and len(self._answers.labels) > 1
        return is_classifier and not self._settings.predict_proba

    @property
    def _is_writer(self) -> bool:
        return self.folder.task in (Task.WRITE, Task.REWRITE)

    def _written(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """As the answer to an infer: what is likeliest, as long as generate gives by default."""
        greedy = Generation(temperature=0.0)
        prompts = texts_of(inputs)
        answers = ["".join(one.text for one in self.generate(text, greedy)) for text in prompts]
        return {OUTPUT: np.array(answers, object)}

    def _open(self, transformers: ModuleType) -> None:
        folder, torch = self.folder, self._torch
        common = {"local_files_only": True, "trust_remote_code": self._settings.trust_pickle}
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(self._tokenizer_path), **common
        )
        self._check_vocabulary()
        made = getattr(transformers, _CLASSES[folder.task])
        self._model, told = made.from_pretrained(
            str(folder.path),
            use_safetensors=folder.is_safetensors,
            dtype="auto",
            output_loading_info=True,
            **common,
        )
        missing = sorted(str(key) for key in told["missing_keys"])
        if missing and not all("pooler" in key for key in missing):
            shown = ", ".join(missing[:3])
            raise LoadError(
                f"{folder.path} lacks {len(missing)} of its weights ({shown}): they would be random"
            )
        if mismatched := told["mismatched_keys"]:
            raise LoadError(f"{folder.path}: the shape of {next(iter(mismatched))} is not as told")
        self._model = self._model.eval().to(torch.device(self.device))

    def _check_vocabulary(self) -> None:
        """The library makes a tokenizer of no words where it finds none: LoadError instead."""
        said = getattr(self._tokenizer, "vocab_files_names", None)
        if not said:  # one of bytes or characters needs no file
            return
        names = dict.fromkeys((_WHOLE, *said.values()))
        if not any((self._tokenizer_path / name).is_file() for name in (*names, *_OTHERS)):
            raise LoadError(
                f"{self._tokenizer_path} has no tokenizer ({', '.join(names)}): it would know no "
                "words; have it saved there with tokenizer.save_pretrained"
            )

    def _limit(self) -> int:
        said = int(getattr(self._tokenizer, "model_max_length", _UNBOUNDED) or _UNBOUNDED)
        read = int(getattr(self._model.config, "max_position_embeddings", 0) or _UNBOUNDED)
        if any(word in self.folder.model_type for word in _OFFSET):
            read -= int(getattr(self._model.config, "pad_token_id", 0) or 0) + 1
        found = min(said, read, self.folder.tokens_max or _UNBOUNDED)
        return found if found < _UNBOUNDED else 0

    def _prompt(self, prompt: str) -> list[int]:
        start = self._tokenizer.bos_token
        is_started = bool(start) and prompt.startswith(start)  # a chat template's doing
        found: list[int] = self._tokenizer(prompt, add_special_tokens=not is_started)["input_ids"]
        if not found and self._tokenizer.bos_token_id is not None:
            found = [self._tokenizer.bos_token_id]
        if not found:
            raise RequestError(Fault.BAD_FIELD, field="prompt", expected="text", got="none")
        return found

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    def _ends(self) -> frozenset[int]:
        said = getattr(self._model.generation_config, "eos_token_id", None)
        found = said if isinstance(said, list) else [said, self._tokenizer.eos_token_id]
        return frozenset(int(one) for one in found if one is not None)

    def _writer(self, first: list[int]) -> Any:
        past: Any = None

        def step(token: int | None) -> Any:
            nonlocal past
            ids = first if token is None else [token]
            with self._torch.inference_mode():
                given = self._torch.tensor([ids], device=self.device)
                out = self._model(input_ids=given, past_key_values=past, use_cache=True)
            past = out.past_key_values
            return out.logits[0, -1].float().cpu()

        return step

    def _rewriter(self, first: list[int]) -> Any:
        torch, model = self._torch, self._model
        with torch.inference_mode():
            given = torch.tensor([first], device=self.device)
            read = model.get_encoder()(input_ids=given)
        start = model.generation_config.decoder_start_token_id
        if start is None:
            start = model.config.decoder_start_token_id
        past: Any = None

        def step(token: int | None) -> Any:
            nonlocal past
            with torch.inference_mode():
                last = torch.tensor([[start if token is None else token]], device=self.device)
                out = model(
                    encoder_outputs=read,
                    decoder_input_ids=last,
                    past_key_values=past,
                    use_cache=True,
                )
            past = out.past_key_values
            return out.logits[0, -1].float().cpu()

        return step

    def _explain(self, error: BaseException, transformers: ModuleType) -> str:
        path, said = self.folder.path, torch_model.words(error)
        if isinstance(error, MemoryError) or "out of memory" in said:
            return f"{path} needs more memory than there is"
        if "trust_remote_code" in str(error):
            return f"{path} needs code of its author's, which is in the folder: {CONSENT}"
        if isinstance(error, ModuleNotFoundError):
            return f"{path} needs the package {error.name}, which is not installed"
        if type(error).__name__ == "SafetensorError":
            return f"{path}: its weights are cut short or damaged: {said}"
        return f"{path} cannot be loaded with transformers {transformers.__version__}: {said}"


def open_model(path: Path, kind: Kind, settings: Settings) -> Loaded:
    """Open a folder as the settings ask; LoadError names it."""
    del kind  # there is one
    return open_folder(path, settings, tokenizer=None)


def open_folder(path: Path, settings: Settings, *, tokenizer: Path | None) -> Loaded:
    """The same with the tokenizer in a folder of its own, as MLflow saves it."""
    try:
        folder = huggingface_folder.look(path, is_trusted=settings.trust_pickle)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = f"its settings are not as such folders have them: {torch_model.words(error)}"
        raise LoadError(f"{path}: {said}") from None
    model = HuggingFaceModel(folder, settings, tokenizer=tokenizer or folder.path)
    model.load()
    return model.loaded()
