"""Which part of a folder is the model: a file, the folder itself, or one of its versions.

For: repositories as Triton, TensorFlow Serving and MLServer lay them out, the folders that
MLflow, Hugging Face and TensorFlow save, and a file or two in a folder of the user's own.
Must not know: how files are listed or read, nor how a model is loaded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from api.modelfiles import (
    LOADABLE,
    VAGUE,
    Kind,
    ModelFileError,
    is_archive,
    is_pointer,
    kind_of,
    listed,
    recognise,
    suffix_of,
    top_level_keys,
)
from api.modelrefusals import BY_SUFFIX
from api.repositories import MLSERVER, TRITON, Wanted, of_mlserver, of_triton

_CHOOSE = "name the one to serve, or all with --repository"
_LOOKS_MAX = 64  # files whose content is looked at because their names say nothing
_FOLDERS_MAX = 100  # sub-folders that are looked into for a model
_SETTINGS = frozenset(
    (
        TRITON,
        MLSERVER,
        "settings.json",
        "signature.json",
        "warmup.json",
        "baseline.json",
        "labels.txt",
    )
)
_NOBODYS = frozenset(("__pycache__", "lost+found", "__MACOSX"))
_TRITONS = "model.onnx"  # also in a folder of such a name, its weights beside it
_TORCH_WEIGHTS = (".safetensors", ".bin")


class Entries(NamedTuple):
    """What lies directly in a folder, by name."""

    files: Sequence[str]
    folders: Sequence[str]
    strays: Sequence[str] = ()  # links that lead out of it


class Files(Protocol):
    """A folder as far as somebody looks; names are relative to it, with slashes.

    What can not be looked at is an OSError, what must not be a ModelFileError.
    """

    def entries(self, folder: str) -> Entries:
        """What lies in a folder, "" the top one."""

    def head(self, name: str) -> bytes:
        """The first HEAD_BYTES of a file."""

    def members(self, name: str) -> Sequence[str]:
        """The names in a zip archive; none if it can not be read as one."""

    def text(self, name: str) -> str:
        """All of a settings file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A model in a folder."""

    kind: Kind
    path: str  # of its file or folder, from the top; "" the top itself
    root: str = ""  # the folder of the settings that go with it, from the top
    version: str = ""  # the sub-folder of `root` that it is a version in
    is_alone: bool = False  # a file that was named itself: no settings go with it

    @property
    def is_folder(self) -> bool:
        """Whether the model is more than a file."""
        return self.kind in (Kind.SAVED_MODEL, Kind.MLFLOW, Kind.HUGGINGFACE)


def find(files: Files) -> Found:
    """The model in a folder; ModelFileError says what there is instead of one."""
    top = _entries(files, "")
    return (
        _model(files, "")
        or _only_folder(files, top.folders)
        or _lone(files, "", Wanted())
        or _nothing(files, top)
    )


def located(files: Files, name: str) -> Found:
    """The model that a person named: a file, or "" for the one in a folder."""
    return Found(kind=kind_in(files, name), path=name, is_alone=True) if name else find(files)


def kind_in(files: Files, name: str) -> Kind:
    """What one file holds; ModelFileError says what else it is."""
    head = files.head(name)
    return recognise(name, head, files.members(name) if is_archive(head) else ())


def visible(entries: Entries) -> Entries:
    """Without what is nobody's: dot-files, as volumes' and editors', and caches."""
    return Entries(*(sorted(filter(_is_somebodys, names)) for names in entries))


def _is_somebodys(name: str) -> bool:
    return name[:1] != "." and name not in _NOBODYS


def stray(name: str) -> ModelFileError:
    """What to say of a link that leads out of the folder."""
    return ModelFileError(
        f"holds {name}, a link that leads out of the folder: put the file itself there"
    )


def join(*parts: str) -> str:
    """A name from its parts, of which some are empty."""
    return "/".join(part for part in parts if part not in ("", "."))


def _entries(files: Files, folder: str) -> Entries:
    return visible(files.entries(folder))


def _model(files: Files, at: str) -> Found | None:
    """The model that a folder is or has, alone or in its highest version."""
    entries = _entries(files, at)
    wanted = Wanted()
    if TRITON in entries.files:
        wanted = of_triton(files.text(join(at, TRITON)))
    elif MLSERVER in entries.files:
        wanted = of_mlserver(files.text(join(at, MLSERVER)))
    if wanted.uri:
        return _named(files, at, wanted)
    if found := _here(files, at, wanted):
        return Found(kind=found[0], path=found[1], root=at)
    version = _version(entries, wanted)
    if not version:
        return None
    inside = join(at, version)
    found = _here(files, inside, wanted) or _lone_in(files, inside, wanted)
    return Found(kind=found[0], path=found[1], root=at, version=version) if found else None


def _version(entries: Entries, wanted: Wanted) -> str:
    versions = [name for name in (*entries.folders, *entries.strays) if _is_number(name)]
    if wanted.versions:
        versions = [name for name in versions if int(name) in wanted.versions]
        if not versions:
            asked = ", ".join(map(str, wanted.versions))
            raise ModelFileError(f"holds none of the versions {TRITON} names: {asked}")
    version = max(versions, key=int, default="")
    if version in entries.strays:
        raise stray(version)
    return version


def _named(files: Files, at: str, wanted: Wanted) -> Found:
    """The file or folder beside model-settings.json that it names."""
    path = join(at, wanted.uri)
    parent, _, name = path.rpartition("/")
    entries = files.entries(parent)
    if name in entries.files:
        kind = _kind(files, path)
        wanted.check(kind, path)
        return Found(kind=kind, path=path, root=at)
    if name in entries.strays:
        raise stray(path)
    if path != at and name not in entries.folders:
        raise ModelFileError(f"holds no {wanted.uri}, which {MLSERVER} names")
    inside = Wanted(kinds=wanted.kinds, because=wanted.because)
    found = _here(files, path, inside) or _lone_in(files, path, inside)
    if found is None:
        raise ModelFileError(f"holds no model in {wanted.uri}, which {MLSERVER} names")
    return Found(kind=found[0], path=found[1], root=at)


def _here(files: Files, at: str, wanted: Wanted) -> tuple[Kind, str] | None:
    """The model in this very folder, or a folder in it that is one."""
    entries = _entries(files, at)
    if kind := _folder_kind(files, at, entries):
        wanted.check(kind, at or "itself")
        return kind, at
    if wanted.file:
        if wanted.file in entries.files:
            path = join(at, wanted.file)
            kind = _kind(files, path)
            wanted.check(kind, path)
            return kind, path
        if wanted.file not in entries.folders:
            return None
    models = list(_models(files, at, entries.files, wanted)) + list(
        _folders(files, at, entries.folders, wanted)
    )
    if len(models) > 1:
        where = f" in {at}" if at else ""
        names = listed([path for _, path in models])
        raise ModelFileError(f"holds {len(models)} model files{where} ({names}): {_CHOOSE}")
    if models:
        wanted.check(*models[0])
        return models[0]
    return None


def _models(
    files: Files, at: str, names: Sequence[str], wanted: Wanted
) -> Iterator[tuple[Kind, str]]:
    """The files that are models: by their names, or where none says so by their content."""
    certain = [name for name in names if kind_of(name)]
    if wanted.kinds and len(certain) > 1:
        certain = [name for name in certain if kind_of(name) in wanted.kinds]
    if len(certain) > 1:
        for name in certain:
            yield kind_of(name) or Kind.ONNX, join(at, name)
        return
    for name in certain:
        yield _kind(files, join(at, name)), join(at, name)
    vague = [name for name in names if suffix_of(name) in VAGUE and name not in _SETTINGS]
    if certain or len(vague) <= 1 == len(names):
        return  # of a lone file is said what it is
    if len(vague) > _LOOKS_MAX:
        raise ModelFileError(f"holds {len(vague)} files that may be models: name the one to serve")
    for name in vague:
        head = files.head(join(at, name))
        try:
            yield recognise(name, head), join(at, name)
        except ModelFileError:
            continue


def _folders(
    files: Files, at: str, names: Sequence[str], wanted: Wanted
) -> Iterator[tuple[Kind, str]]:
    for name in names[:_FOLDERS_MAX]:
        if not _is_number(name) and wanted.file in ("", name):
            path = join(at, name)
            entries = _entries(files, path)
            if kind := _folder_kind(files, path, entries):
                yield kind, path
            elif suffix_of(name) == ".onnx" and _TRITONS in entries.files:
                yield _kind(files, join(path, _TRITONS)), join(path, _TRITONS)


def _folder_kind(files: Files, at: str, entries: Entries) -> Kind | None:
    """What a folder is by the files that its writer always puts into it."""
    if "MLmodel" in entries.files:
        return Kind.MLFLOW
    if "saved_model.pb" in entries.files:
        _require_fetched(files, join(at, "saved_model.pb"))
        return Kind.SAVED_MODEL
    if "saved_model.pbtxt" in entries.files:
        raise ModelFileError("holds a SavedModel written as text: save it again as saved_model.pb")
    if "config.json" not in entries.files:
        return None
    weights = [name for name in entries.files if suffix_of(name) in _TORCH_WEIGHTS]
    keys = top_level_keys(files.head(join(at, "config.json")))
    if not keys & {"model_type", "architectures"} or not weights:
        return None
    for name in weights:
        _require_fetched(files, join(at, name))
    return Kind.HUGGINGFACE


def _require_fetched(files: Files, path: str) -> None:
    head = files.head(path)
    if not head or is_pointer(head):
        what = "a Git LFS pointer, not the file; run git lfs pull" if head else "empty"
        raise ModelFileError(f"holds {path}, which is {what}")


def _only_folder(files: Files, folders: Sequence[str]) -> Found | None:
    """The one model of a repository."""
    found: list[Found] = []
    refusals: list[ModelFileError] = []
    for name in folders[:_FOLDERS_MAX]:
        if _is_number(name):
            continue
        try:
            if model := _model(files, name):
                found.append(model)
        except ModelFileError as error:
            refusals.append(ModelFileError(f"has a folder {name}, which {error}"))
    if len(found) > 1:
        names = listed([model.root for model in found])
        raise ModelFileError(f"holds {len(found)} models ({names}): {_CHOOSE}")
    if not found and refusals:
        raise refusals[0]
    return found[0] if found else None


def _lone(files: Files, at: str, wanted: Wanted) -> Found | None:
    found = _lone_in(files, at, wanted)
    return Found(kind=found[0], path=found[1], root=at) if found else None


def _lone_in(files: Files, at: str, wanted: Wanted) -> tuple[Kind, str] | None:
    """The only file, whatever its name: what it holds decides, and says what is wrong."""
    names = [name for name in _entries(files, at).files if name not in _SETTINGS]
    if len(names) != 1 or wanted.file not in ("", names[0]):
        return None
    path = join(at, names[0])
    kind = _kind(files, path)
    wanted.check(kind, path)
    return kind, path


def _kind(files: Files, path: str) -> Kind:
    try:
        return kind_in(files, path)
    except ModelFileError as error:
        raise ModelFileError(f"holds {path}, which {error}") from None


def _nothing(files: Files, top: Entries) -> Found:
    """Nothing is found: say what there is."""
    for name in top.strays:
        raise stray(name)
    for name in top.files:
        if (sentence := BY_SUFFIX.get(suffix_of(name))) and name not in _SETTINGS:
            raise ModelFileError(f"holds {name}, which {sentence}")
    names = [*top.files, *(f"{name}/" for name in top.folders)]
    found = f"holds {listed(names)}, none of which is a model" if names else "holds no file"
    raise ModelFileError(
        f"{found}; a folder is served that has one file of {LOADABLE}, or one in a sub-folder "
        "named by a version number, or that TensorFlow, MLflow or Hugging Face's libraries saved"
    )


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 19
