"""The name of a model that nobody gave one: what its folder and its settings say.

For: a predictor run by hand, and the models of a repository.
Must not know: flags, how a model is opened or served.

As in Triton, a folder's name is its model's, and config.pbtxt can only say the same. As in
MLServer, a name in model-settings.json goes before the folder's.
"""

from api.repositories import TRITON
from predictor import config
from predictor.artifacts import Artifact
from predictor.errors import LoadError
from predictor.model_settings import ModelSettings


def of(artifact: Artifact, said: ModelSettings, *, is_copy: bool) -> str:
    """The name; "" where the file says it. LoadError for one that Triton would refuse.

    `is_copy`: its folder was named by whoever copied it.
    """
    found = artifact.found
    if found.is_alone:
        return ""
    # Without following links: the name that somebody sees is the one that is asked for.
    folder = (artifact.files.root / found.root).absolute()
    if is_copy and not found.root:
        return said.name
    if said.folder_name not in ("", folder.name):
        raise LoadError(
            f"{folder / TRITON} names the model '{said.folder_name}', while its folder is "
            f"'{folder.name}', and Triton takes only the same: make them equal, or serve it alone "
            "under a --model-name"
        )
    name = said.name or folder.name
    if not config.is_name(name):
        raise LoadError(f"{folder}: '{name}' can not be served as a name: give --model-name")
    return name
