"""Find a model and open it: path, digest, kind.

For: everything between the settings and a model that answers.
Must not know: HTTP, JSON, processes.
"""

import dataclasses
import logging
import urllib.parse
from pathlib import Path

from api.modeldigests import BASELINE, pair
from api.storage_uris import refusal
from predictor import (
    artifacts,
    declared,
    fetched,
    formats,
    naming,
    python_model,
    settings_files,
    transforming,
)
from predictor.config import Settings
from predictor.errors import LoadError
from predictor.loaded import Loaded

_LOG = logging.getLogger(__name__)


def load(settings: Settings) -> Loaded:
    """Open the model the settings name; LoadError is one sentence naming the file.

    Nothing is run here. Requests stored with the model are answered before it is ready
    (warmups.py); one without them is ready once it is open, as a replica woken for a request
    would otherwise run twice before its first answer.
    """
    if settings.transformer_file:
        return _load_pair(settings)
    if settings.python_file:
        return _load_python(settings)
    given, settings = settings, fetched.local(settings)
    artifact = artifacts.find(resolve(settings.model))
    said = settings_files.read(artifact)
    is_named = settings.is_name_given
    name = "" if is_named else naming.of(artifact, said, is_copy=settings is not given)
    digest = settings.model_digest or artifact.digest()
    known = dataclasses.replace(
        settings,
        model_digest=digest,  # what is prepared is found by it
        providers=settings.providers or said.providers,
    )
    if settings.signature_name and artifact.kind not in formats.WITH_SIGNATURES:
        raise LoadError(
            f"--signature-name: {artifact.path} is {artifact.kind.value}, which has no signatures"
        )
    for each in formats.unused(artifact.kind, known):
        _LOG.warning("WARNING: %s: %s", artifact.path, each)
    opened = formats.opener(artifact.kind)(artifact.path, artifact.kind, known)
    if said.signature is not None:
        opened = declared.applied(opened, said.signature, where=said.signature_by)
    facts = {**opened.facts, "labels": said.labels} if said.labels else opened.facts
    return dataclasses.replace(
        opened,
        digest=digest,
        facts=facts,
        name=name,
        batching=said.batching,
        warmups=said.warmups,
        **({} if said.baseline is None else {"baseline": said.baseline, "baseline_by": BASELINE}),
    )


def _load_pair(settings: Settings) -> Loaded:
    """A model with a transformer around it. A digest that is pinned is that of both."""
    path = resolve(settings.transformer_file)
    alone = dataclasses.replace(settings, transformer_file="", transformer_class="")
    opened = load(alone)
    digest = settings.model_digest or pair(opened.digest, artifacts.code_digest(path))
    found = transforming.around(opened, path, settings.transformer_class)
    return dataclasses.replace(found, digest=digest)


def _load_python(settings: Settings) -> Loaded:
    path = resolve(settings.python_file)
    opened = python_model.open_model(path, settings.python_class)
    return dataclasses.replace(opened, digest=settings.model_digest or artifacts.code_digest(path))


def resolve(uri: str) -> Path:
    """A local path or file:// as a path; relative ones start at the working directory."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return Path(uri)
    if scheme.lower() != "file":
        why = refusal(uri) or "it is fetched only as a model"
        raise LoadError(f"cannot fetch {uri}: {why}")
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise LoadError(f"{uri} names a file on another machine; write file:///path")
    return Path("/" + urllib.parse.unquote(path))
