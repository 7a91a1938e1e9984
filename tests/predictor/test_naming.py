"""What a model is called where nobody says it."""

import json
from pathlib import Path

import pytest

from predictor import artifacts, naming, settings_files
from predictor.errors import LoadError

ONNX = b"\x08\x08\x12\x04tiny"


def named(top: Path, within: str = "", *, is_copy: bool = False, **files: str) -> str:
    for name, content in {"1/model.onnx": "", **files}.items():
        path = top / within / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() or ONNX)
    artifact = artifacts.find(top)
    return naming.of(artifact, settings_files.read(artifact), is_copy=is_copy)


@pytest.mark.parametrize("folder", ["iris", "iris-1.5"])
@pytest.mark.parametrize("config", ["", "max_batch_size: 0", 'name: "{}"'])
def test_a_folders_name_is_its_models(tmp_path: Path, folder: str, config: str) -> None:
    files = {"config.pbtxt": config.format(folder)} if config else {}
    assert named(tmp_path / folder, **files) == folder


def test_triton_refuses_another_name_and_so_does_this(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        named(tmp_path / "iris", **{"config.pbtxt": 'name: "theirs"'})
    told = str(caught.value)
    assert told.startswith(f"{tmp_path}/iris/config.pbtxt names the model 'theirs', while its ")
    assert "make them equal, or serve it alone under a --model-name" in told


def test_the_one_model_of_a_repository_is_called_as_its_own_folder(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    assert named(top, "iris", **{"config.pbtxt": 'name: "iris"'}) == "iris"
    with pytest.raises(LoadError, match=r"repository/iris/config\.pbtxt names the model 'b', whil"):
        named(top, "iris", **{"config.pbtxt": 'name: "b"'})


def test_a_name_of_mlservers_goes_before_the_folders(tmp_path: Path) -> None:
    settings = {"name": "theirs", "parameters": {"uri": "./1/model.onnx"}}
    files = {"model-settings.json": json.dumps(settings)}
    assert named(tmp_path / "iris", **files) == "theirs"
    del settings["name"]
    files = {"model-settings.json": json.dumps(settings)}
    assert named(tmp_path / "iris", **files) == "iris"


def test_a_copy_has_a_name_of_its_copiers(tmp_path: Path) -> None:
    top = tmp_path / "sha256-00"
    assert named(top, is_copy=True) == ""
    assert named(top, is_copy=True, **{"config.pbtxt": 'name: "theirs"'}) == "theirs"
    inner = tmp_path / "sha256-01"
    assert named(inner, "iris", is_copy=True) == "iris"


def test_a_file_that_was_named_is_called_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(ONNX)
    artifact = artifacts.find(tmp_path / "m.onnx")
    assert naming.of(artifact, settings_files.read(artifact), is_copy=False) == ""


def test_a_folder_whose_name_is_none(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"'my iris' can not be served as a name: give --model-"):
        named(tmp_path / "repository", "my iris")


def test_a_link_is_called_as_it_is_and_not_as_what_it_leads_to(tmp_path: Path) -> None:
    named(tmp_path / "store/ab12", **{"config.pbtxt": 'name: "iris"'}, is_copy=True)
    (tmp_path / "iris").symlink_to(tmp_path / "store/ab12")
    artifact = artifacts.find(tmp_path / "iris")
    assert naming.of(artifact, settings_files.read(artifact), is_copy=False) == "iris"
