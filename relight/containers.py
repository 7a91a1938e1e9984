"""The one container of a revision: what it runs, kept or changed by what was typed.

For: merging `--model`, `--repository`, `--env` and their like into a container that may exist.
Must not know: Services, files on disk, or how anything is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api import images, keys
from relight.errors import UsageError

Raw = Mapping[str, Any]

# Arguments of our predictor that take one value, in the order they are written.
_MODEL, _PYTHON, _REPOSITORY = _SOURCES = "--model", "--python", "--repository"
_SIGNATURE = "--signature-name"  # of a model that is no program
_OF_ONE = {  # of one model: why not of a repository's
    "--transformer": "it is around one model, not around a repository's",
    "--model-name": "the models of a repository are named by their folders and files",
    _SIGNATURE: "it is one model's",
}
_OF_MANY = ("--models-memory-mib", "--models-max")  # of a repository only
_OPTIONS = (*_SOURCES, *_OF_ONE, "--providers", "--threads")
_SPELLINGS = {"--model_dir": _MODEL, "--model_name": "--model-name", "--nthread": "--threads"}
_TRUST = "--trust-pickle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a replica shall run. What is None (or not named in `env`) stays as it is."""

    model: str | None = None  # a URI or an absolute path
    python: str | None = None  # FILE.py:CLASS, the path absolute
    repository: str | None = None  # the absolute path of a folder of models
    transformer: str | None = None  # as `python`, around one model
    image: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] | None = None
    env: Mapping[str, str | None] = field(default_factory=dict)  # None removes the variable
    model_name: str | None = None
    signature_name: str | None = None  # of TensorFlow's; "" for the default
    providers: str | None = None
    threads: int | None = None
    trust_pickle: bool = False

    @property
    def has_source(self) -> bool:
        """Whether it says what to run, so that a Service can be made of it."""
        return bool(self.is_served or self.image)

    @property
    def is_served(self) -> bool:
        """Whether it says what our predictor shall serve."""
        return bool(self.model or self.python or self.repository)

    @property
    def options(self) -> dict[str, str]:
        """What was said of our predictor, by the name of its argument."""
        said = (
            self.model,
            self.python,
            self.repository,
            self.transformer,
            self.model_name,
            self.signature_name,
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
    if run.is_served or is_ours:
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
    """What the container serves: the model, the class, the repository or the image."""
    options, _ = split_args(container.get("args") or ())
    said = (options.get(name) for name in _SOURCES)
    return next(filter(None, said), "") or str(container.get("image") or "")


def has_repository(container: Raw) -> bool:
    """Whether the container serves many models, each by its own name."""
    options, _ = split_args(container.get("args") or ())
    return is_predictor(container) and _REPOSITORY in options


def _without_program(container: Raw) -> dict[str, Any]:
    return {
        key: value
        for key, value in container.items()
        if key not in ("image", "command", "args", "ports", "readinessProbe", "livenessProbe")
    }


def _predictor(run: Run, container: Raw) -> dict[str, Any]:
    options, rest = split_args(container.get("args") or ())
    if run.is_served:  # consent is to what was served, and so is what only that takes
        of_model = _OF_ONE if run.repository else (_SIGNATURE,) if run.python else ()
        gone = (*_SOURCES, *of_model)
        options = {name: value for name, value in options.items() if name not in gone}
        _, rest = split_args(rest, () if run.repository else _OF_MANY)
        rest = [word for word in rest if word != _TRUST]
    options |= run.options
    for name, why in _OF_ONE.items() if _REPOSITORY in options else ():
        if name in options:
            raise UsageError(f"{name}: {why} ({_REPOSITORY} {options[_REPOSITORY]})")
    extra = rest if run.args is None else list(run.args)
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


def split_args(
    args: Sequence[str], names: Sequence[str] = _OPTIONS
) -> tuple[dict[str, str], list[str]]:
    """Split a predictor's arguments into those of some names, and the rest in order."""
    known: dict[str, str] = {}
    rest: list[str] = []
    words = iter(args)
    for word in words:
        name, is_joined, value = word.partition("=")
        name = _SPELLINGS.get(name, name)
        if name in names:
            known[name] = value if is_joined else next(words, "")
        else:
            rest.append(word)
    return known, rest


def _environment(old: Sequence[Raw], changes: Mapping[str, str | None]) -> list[dict[str, Any]]:
    kept = [dict(variable) for variable in old if variable.get("name") not in changes]
    added = [{"name": k, "value": v} for k, v in changes.items() if v is not None]
    return kept + added
