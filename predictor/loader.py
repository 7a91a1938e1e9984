"""Find a model and open it: path, digest, kind.

For: everything between the settings and a model that answers.
Must not know: HTTP, JSON, processes.
"""

import hashlib
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.modelfiles import Kind
from predictor import artifacts
from predictor.config import Settings
from predictor.errors import LoadError
from predictor.model import Signature, Tensor
from predictor.onnx_model import OnnxModel
from predictor.python_model import PythonModel
from predictor.sklearn_model import SklearnModel

Run = Callable[[dict[str, Tensor], tuple[str, ...] | None], Mapping[str, Tensor]]

PLATFORM_ONNX = "onnx_onnxv1"
PLATFORM_PYTHON = "python"
PLATFORM_SKLEARN = "sklearn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that answers, and what every answer says of it."""

    run: Run
    signature: Signature | None  # what requests are checked against; None: the model itself does
    digest: str  # "sha256:<64 hex>"
    provider: str  # what ONNX Runtime really uses; "" for other models
    platform: str
    described: Signature | None  # what the metadata says
    facts: Mapping[str, Any] = field(default_factory=dict)  # more of the metadata: "parameters"
    is_rowwise: bool = False  # a row in, a row out, whatever the signature says
    metrics: Callable[[], Mapping[Any, Any]] | None = None  # what the model says of its load


def load(settings: Settings) -> Loaded:
    """Open the model the settings name; LoadError is one sentence naming the file.

    Nothing is run: readiness means that the model is open. A replica woken for a request
    would otherwise run twice before its first answer.
    """
    if settings.python_file:
        return _load_python(settings)
    path, kind = artifacts.find(resolve(settings.model))
    return (_load_onnx if kind is Kind.ONNX else _load_sklearn)(settings, path, kind)


def _load_onnx(settings: Settings, path: Path, kind: Kind) -> Loaded:
    del kind
    model = OnnxModel(path, asked_providers=settings.providers, threads=settings.threads)
    model.load()
    signature = model.signature()
    return Loaded(
        run=model.run,
        signature=signature,
        digest=settings.model_digest or digest(path),
        provider=model.provider,
        platform=PLATFORM_ONNX,
        described=signature,
        facts={"execution_provider": model.provider},
    )


def _load_sklearn(settings: Settings, path: Path, kind: Kind) -> Loaded:
    model = SklearnModel(
        path,
        kind,
        trust_pickle=settings.trust_pickle,
        threads=settings.threads,
        probabilities=settings.predict_proba,
    )
    model.load()
    return Loaded(
        run=model.run,
        signature=None,
        digest=settings.model_digest or digest(path),
        provider="",
        platform=PLATFORM_SKLEARN,
        described=model.describe(),
        facts=model.facts(),
        is_rowwise=True,
    )


def _load_python(settings: Settings) -> Loaded:
    path = resolve(settings.python_file)
    model = PythonModel(path, settings.python_class)
    model.load()
    signature = model.signature()
    return Loaded(
        run=model.run,
        signature=signature,
        digest=settings.model_digest or digest(path),
        provider="",
        platform=PLATFORM_PYTHON,
        described=signature,
        metrics=model.metrics(),
    )


def resolve(uri: str) -> Path:
    """A local path or file:// as a path; relative ones start at the working directory."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return Path(uri)
    if scheme != "file":
        raise LoadError(f"cannot fetch {uri}: only local paths and file:// are served")
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise LoadError(f"{uri} names a file on another machine; write file:///path")
    return Path("/" + urllib.parse.unquote(path))


def digest(path: Path) -> str:
    """The sha256 of a file, as Revisions pin it. Costs a read of the whole file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
