"""Read the settings files that lie beside a model.

For: one ModelSettings for a model in a folder, whichever conventions the folder follows.
Must not know: what the fields mean, how a model is opened, or what its own file says.

A file in the version's folder goes before the same one beside all versions. Of a model that was
named as a file, nothing else is read.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePosixPath

from api.modeldigests import BASELINE, SIGNATURE, WARMUP, WARMUP_FOLDER
from api.modelfiles import ModelFileError
from api.modellayouts import join, visible
from api.repositories import MLSERVER, TRITON
from predictor import (
    baseline_file,
    config,
    mlserver_settings,
    signature_file,
    triton_settings,
    warmup_files,
)
from predictor.artifacts import Artifact
from predictor.errors import LoadError
from predictor.model_settings import ModelSettings, Warmup, merged
from wire.folders import Folder

_LOG = logging.getLogger(__name__)


def read(artifact: Artifact) -> ModelSettings:
    """What the files say; LoadError names the file and the field that can not be honoured."""
    found = ModelSettings()
    if artifact.found.is_alone:
        return found
    root, version = artifact.found.root, artifact.found.version
    try:
        for folder in dict.fromkeys((join(root, version), root)):
            found = merged(found, _in(artifact.files, folder))
    except ModelFileError as error:
        raise LoadError(f"{artifact.files.root} {error}") from None
    except OSError as error:
        raise LoadError(f"cannot read {error.filename}: {error.strerror}") from None
    if found.name and not config.is_name(found.name):
        top = artifact.files.root
        raise LoadError(f"the settings in {top} give a name that can not be served: {found.name}")
    for each in found.without_effect:
        _LOG.info("%s makes no difference here", each)
    return found


def _in(files: Folder, folder: str) -> ModelSettings:
    """What the files in one folder say: ours first, then Triton's, then MLServer's."""
    entries = visible(files.entries(folder))
    found = ModelSettings(warmups=tuple(_warmups(files, folder, entries.files, entries.folders)))
    readers: tuple[tuple[str, Callable[..., ModelSettings]], ...] = (
        (SIGNATURE, _signature),
        (BASELINE, _baseline),
        (TRITON, partial(triton_settings.parse, read=partial(_beside, files, folder))),
        (MLSERVER, mlserver_settings.parse),
    )
    for name, parse in readers:
        if name in entries.files:
            path = join(folder, name)
            found = merged(found, parse(files.text(path), where=str(files.root / path)))
    return found


def _signature(text: str, *, where: str) -> ModelSettings:
    return ModelSettings(signature=signature_file.parse(text, where=where), signature_by=where)


def _baseline(text: str, *, where: str) -> ModelSettings:
    return ModelSettings(baseline=baseline_file.parse(text, where=where))


def _beside(files: Folder, folder: str, name: str) -> bytes:
    """A file that a settings file names."""
    if ".." in PurePosixPath(name).parts or name.startswith("/"):
        raise ModelFileError(f"has settings that name a file outside of it: {name}")
    try:
        return b"".join(files.chunks(join(folder, name)))
    except FileNotFoundError:
        raise ModelFileError(f"holds no {name}, which its settings name") from None


def _warmups(
    files: Folder, folder: str, names: Sequence[str], folders: Sequence[str]
) -> list[Warmup]:
    paths = [join(folder, WARMUP)] if WARMUP in names else []
    if WARMUP_FOLDER in folders:
        inside = join(folder, WARMUP_FOLDER)
        requests = visible(files.entries(inside)).files
        paths += [join(inside, name) for name in requests if name.endswith(".json")]
    return [
        warmup
        for path in paths
        for warmup in warmup_files.parse(files.text(path), where=str(files.root / path))
    ]
