"""Which file a Revision's model is, and whether its digest is known.

For: deciding that a Revision must be pinned to the bytes it was made with.
Must not know: files, hashing, threads, or any store of models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from api import keys
from api.images import is_predictor_image
from api.model_reports import MODEL_MISSING, MODEL_UNSUPPORTED
from api.modelfiles import FLAGS
from api.objects import Raw
from api.pods import serving_index
from api.storage_uris import is_fetched, refusal
from controller.children import annotations_of

FETCHING = "Fetching"
_TRANSFORMER = "--transformer"


MODEL_RETRY_S = 10.0  # a model that is missing may be put there later


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The model's digest, "sha256:<64 hex>"."""

    text: str
    told: str = ""  # what people may want to know of how it was found


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why there is no digest; the message names the file."""

    reason: str
    message: str
    retry_s: float | None = MODEL_RETRY_S  # None: it would end the same
    is_of_resources: bool = False  # not of the model: what looks for it does not get to run


@dataclass(frozen=True, slots=True, kw_only=True)
class Underway:
    """The model is being fetched; the message says how far that is."""

    message: str
    has_begun: bool  # something came already
    reason: str = FETCHING


Resolution = Digest | Problem | Underway | None  # None: not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """The file or folder to hash, as the user wrote it: relative to a folder the reader knows."""

    path: str
    is_code: bool = False  # a Python file, pinned with the neighbours it imports
    transformer: str = ""  # the Python file of the code around it, pinned with it


def needs_digest(revision: Raw) -> bool:
    """Whether the Revision runs our predictor and is not pinned yet.

    A repository of models is never pinned: they come and go, and each answer names its own.
    """
    container = serving_container(revision)
    if not is_predictor(container) or pinned_digest(revision):
        return False
    return not flag_of([str(arg) for arg in container.get("args") or ()], "--repository")


def pinned_digest(revision: Raw) -> str:
    """The digest the Revision is pinned to; empty if none."""
    return annotations_of(revision).get(keys.MODEL_DIGEST, "")


def serving_container(revision: Raw) -> Mapping[str, Any]:
    """The container that answers requests: the only one, or the one with a port."""
    containers: Sequence[Mapping[str, Any]] = revision["spec"]["containers"]
    return containers[serving_index(containers)]


def is_predictor(container: Mapping[str, Any]) -> bool:
    """Whether the container runs our predictor.

    A command of the user's own replaces what the image would run, and so our flags too.
    """
    return is_predictor_image(str(container.get("image", ""))) and not container.get("command")


def fetched_model(container: Mapping[str, Any]) -> str:
    """The URI of a model that must be fetched; empty if there is none."""
    args = [str(arg) for arg in container.get("args") or ()]
    if flag_of(args, "--python") or flag_of(args, _TRANSFORMER):
        return ""
    model = _model(args)
    return model if is_fetched(model) else ""


def model_file(container: Mapping[str, Any]) -> ModelFile | Problem:
    """The file that the predictor's arguments name."""
    args = [str(arg) for arg in container.get("args") or ()]
    python = flag_of(args, "--python")
    model = _model(args)
    around = flag_of(args, _TRANSFORMER)
    transformer = around.rpartition(":")[0] or around
    if python:
        path = python.rpartition(":")[0] or python
        return ModelFile(path=path, is_code=True, transformer=transformer)
    if not model:
        message = f"{keys.PREDICTOR_IMAGE} needs --model, --python or --repository in args"
        return Problem(reason=MODEL_MISSING, message=message)
    parts = urlsplit(model)
    if not parts.scheme:
        return ModelFile(path=model, transformer=transformer)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return ModelFile(path=unquote(parts.path), transformer=transformer)
    if transformer and is_fetched(model):
        message = (
            f'"{model}" with {_TRANSFORMER}: the two are pinned together, and a model that is '
            "fetched is pinned alone; use a local model, or a transformer component"
        )
        return Problem(reason=MODEL_UNSUPPORTED, message=message)
    message = f'"{model}": {refusal(model) or "it is fetched by replicas, not where this runs"}'
    return Problem(reason=MODEL_UNSUPPORTED, message=message)


def _model(args: Sequence[str]) -> str:
    return next(filter(None, (flag_of(args, flag) for flag in FLAGS)), "")


def flag_of(args: Sequence[str], flag: str) -> str:
    """The value of a flag, `--flag value` or `--flag=value`; the last one counts."""
    found = ""
    for index, arg in enumerate(args):
        if arg == flag and index + 1 < len(args):
            found = args[index + 1]
        elif arg.startswith(f"{flag}="):
            found = arg.removeprefix(f"{flag}=")
    return found
