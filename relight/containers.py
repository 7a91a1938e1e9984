"""The one container of a revision: what it runs, kept or changed by what was typed.

For: merging `--model`, `--image`, `--env` and their like into a container that may exist.
Must not know: Services, files on disk, or how anything is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api import images, keys
from relight.errors import UsageError

Raw = Mapping[str, Any]

# Arguments of our predictor that take one value, in the order they are written.
_MODEL, _PYTHON = "--model", "--python"
_OPTIONS = (_MODEL, _PYTHON, "--transformer", "--model-name", "--providers", "--threads")
_TRUST = "--trust-pickle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a replica shall run. What is None (or not named in `env`) stays as it is."""

    model: str | None = None  # a URI or an absolute path
    python: str | None = None  # FILE.py:CLASS, the path absolute
    transformer: str | None = None  # the same, around either
    image: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] | None = None
    env: Mapping[str, str | None] = field(default_factory=dict)  # None removes the variable
    model_name: str | None = None
    providers: str | None = None
    threads: int | None = None
    trust_pickle: bool = False

    @property
    def has_source(self) -> bool:
        """Whether it says what to run, so that a Service can be made of it."""
        return bool(self.model or self.python or self.image)

    @property
    def options(self) -> dict[str, str]:
        """What was said of our predictor, by the name of its argument."""
        said = (
            self.model,
            self.python,
            self.transformer,
            self.model_name,
            self.providers,
            self.threads,
        )
        return {
            name: str(value)
            for name, value in zip(_OPTIONS, said, strict=True)
            if value is not None
        }


def build(run: Run, old: Raw | None) -> dict[str, Any]:
    """The container that runs what is asked, from the one there was."""
    container = dict(old or {})
    is_ours = is_predictor(container) and not run.image
    if run.model or run.python or is_ours:
        container = _predictor(run, container if is_ours else _without_program(container))
    else:
        container = _program(run, container)
    env = _environment(container.get("env") or (), run.env)
    container.pop("env", None)
    if env:
        container["env"] = env
    return container


def is_predictor(container: Raw) -> bool:
    """Whether the container runs our own predictor."""
    return images.is_predictor_image(str(container.get("image") or ""))


def model_source(container: Raw) -> str:
    """What the container serves: the model, the class or the image."""
    options, _ = split_args(container.get("args") or ())
    return options.get(_MODEL) or options.get(_PYTHON) or str(container.get("image") or "")


def _without_program(container: Raw) -> dict[str, Any]:
    return {
        key: value
        for key, value in container.items()
        if key not in ("image", "command", "args", "ports", "readinessProbe", "livenessProbe")
    }


def _predictor(run: Run, container: Raw) -> dict[str, Any]:
    options, rest = split_args(container.get("args") or ())
    if run.model or run.python:
        options.pop(_MODEL, None)
        options.pop(_PYTHON, None)
    options |= run.options
    extra = rest if run.args is None else list(run.args)
    if run.args is None and (run.model or run.python):
        extra = [word for word in extra if word != _TRUST]  # consent is to one model
    if run.trust_pickle and _TRUST not in extra:
        extra = [*extra, _TRUST]
    args = [word for name in _OPTIONS if name in options for word in (name, options[name])]
    image = container.get("image") or keys.PREDICTOR_IMAGE
    return {**container, "image": image, "args": args + extra}


def _program(run: Run, container: Raw) -> dict[str, Any]:
    if said := [*run.options, *([_TRUST] if run.trust_pickle else [])]:
        raise UsageError(
            f"{', '.join(said)}: only for Relight's own predictor; pass arguments to "
            "another image with --arg"
        )
    if run.image and run.image != container.get("image"):
        container = {**_without_program(container), "image": run.image}
    changed = dict(container)
    if run.command:
        changed["command"] = list(run.command)
    if run.args is not None:
        changed["args"] = list(run.args)
    return changed


def split_args(args: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split a predictor's arguments into those we know, by name, and the rest in order."""
    known: dict[str, str] = {}
    rest: list[str] = []
    words = iter(args)
    for word in words:
        name, is_joined, value = word.partition("=")
        if name in _OPTIONS:
            known[name] = value if is_joined else next(words, "")
        else:
            rest.append(word)
    return known, rest


def _environment(old: Sequence[Raw], changes: Mapping[str, str | None]) -> list[dict[str, Any]]:
    kept = [dict(variable) for variable in old if variable.get("name") not in changes]
    added = [{"name": k, "value": v} for k, v in changes.items() if v is not None]
    return kept + added
