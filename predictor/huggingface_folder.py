"""What a Hugging Face folder is for, read from its JSON files before any library sees it.

For: the task, the weights, the pooling and the code of its author's, or one sentence.
Must not know: transformers, torch, or how a model is run.
"""

import enum
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictor.errors import LoadError


class Task(enum.Enum):
    """What a model is for; the value is Hugging Face's word, as KServe takes it too."""

    CLASSIFY = "text-classification"
    TAG = "token-classification"
    FILL = "fill-mask"
    WRITE = "text-generation"
    REWRITE = "text2text-generation"
    EMBED = "feature-extraction"


_ENDINGS = (
    ("ForSequenceClassification", Task.CLASSIFY),
    ("ForTokenClassification", Task.TAG),
    ("ForMaskedLM", Task.FILL),
    ("ForCausalLM", Task.WRITE),
    ("LMHeadModel", Task.WRITE),
    ("ForConditionalGeneration", Task.REWRITE),
    ("Model", Task.EMBED),
)
_POOLINGS = ("cls_token", "mean_tokens", "max_tokens", "lasttoken")
CONSENT = (
    "if you trust whoever wrote it, say so with --trust-pickle (of an InferenceService: the "
    'annotation relight.dev/trust-pickle: "true")'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder that can be served."""

    path: Path  # of config.json and the weights
    top: Path
    task: Task
    is_safetensors: bool
    model_type: str = ""
    pooling: str = "mean_tokens"
    is_normalized: bool = False
    tokens_max: int = 0  # 0: the tokenizer or the model says


def look(top: Path, *, is_trusted: bool) -> Folder:
    """Read the folder's settings; LoadError says what keeps it from being served."""
    modules = _modules(top / "modules.json")
    path, pooling, is_normalized = _sentence(top, modules) if modules else (top, "", False)
    settings = _object(path / "config.json")
    is_safe = _weights(path, is_trusted=is_trusted)
    short = _object(top / "sentence_bert_config.json", default={}) if modules else {}
    tokens_max = short.get("max_seq_length") or 0
    if type(tokens_max) is not int:
        raise LoadError(
            f"{top / 'sentence_bert_config.json'}: max_seq_length: expected a whole number, "
            f"got {tokens_max!r}"
        )
    return Folder(
        path=path,
        top=top,
        task=Task.EMBED if modules else _task(path, settings),
        is_safetensors=is_safe,
        model_type=str(settings.get("model_type", "")),
        pooling=pooling or "mean_tokens",
        is_normalized=is_normalized,
        tokens_max=tokens_max,
    )


def _task(path: Path, settings: dict[str, Any]) -> Task:
    names = settings.get("architectures") or []
    if not isinstance(names, list) or not names:
        raise LoadError(f"{path / 'config.json'} names no architectures: which task is it for?")
    name = str(names[0])
    for ending, task in _ENDINGS:
        if name.endswith(ending):
            if task is Task.REWRITE and not settings.get("is_encoder_decoder", False):
                break
            return task
    served = ", ".join(task.value for task in Task)
    raise LoadError(f"{path} is a {name}, which is not served; these tasks are: {served}")


def _weights(path: Path, *, is_trusted: bool) -> bool:
    if next(path.glob("*.safetensors"), None) or (path / "model.safetensors.index.json").is_file():
        return True
    pickled = sorted(file.name for file in path.glob("pytorch_model*.bin"))
    if not pickled:
        raise LoadError(f"{path} has no weights: there is no model.safetensors in it")
    if is_trusted:
        return False
    raise LoadError(
        f"{path} has its weights in {pickled[0]}, a pickle, which can run any code while it is "
        f"loaded: {CONSENT}; otherwise have it saved as safetensors"
    )


def _modules(file: Path) -> list[dict[str, Any]]:
    found = _json(file, default=[])
    if not isinstance(found, list) or not all(
        isinstance(module, dict) and "\0" not in str(module.get("path")) for module in found
    ):
        raise LoadError(f"{file} is not a list of objects with paths")
    return found


def _sentence(top: Path, modules: list[dict[str, Any]]) -> tuple[Path, str, bool]:
    """The parts of a sentence-transformers folder: where its model is, and what comes after."""
    path, pooling, is_normalized = top, "", False
    for module in modules:
        kind = str(module.get("type", "")).rpartition(".")[2]
        at = top / str(module.get("path", ""))
        if not at.resolve().is_relative_to(top.resolve()):
            raise LoadError(f"{top / 'modules.json'} leads out of the folder: {module['path']}")
        if kind == "Transformer":
            path = at
        elif kind == "Pooling":
            pooling = _pooling(at / "config.json")
        elif kind == "Normalize":
            is_normalized = True
        else:
            raise LoadError(f"{top / 'modules.json'} has a {kind}, which is not served")
    return path, pooling, is_normalized


def _pooling(file: Path) -> str:
    settings = _object(file)
    modes = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value]
    found = [key.removeprefix("pooling_mode_") for key in modes]
    if len(found) != 1 or found[0] not in _POOLINGS:
        served = ", ".join(_POOLINGS)
        raise LoadError(f"{file} pools by {', '.join(found) or 'nothing'}; served: one of {served}")
    return str(found[0])


def _object(file: Path, *, default: dict[str, Any] | None = None) -> dict[str, Any]:
    found = _json(file, default=default)
    if not isinstance(found, dict):
        raise LoadError(f"{file} is not a JSON object")
    return found


def _json(file: Path, *, default: Any = None) -> Any:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        if default is not None:
            return default
        raise LoadError(f"there is no {file}") from None
    except OSError as error:
        raise LoadError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{file} is not JSON: {error}") from None
