from pathlib import Path

import pytest

from predictor import config
from predictor.errors import LoadError
from predictor.repository import Repository, files_of


def test_folders_and_model_files_are_models(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "b.onnx").write_bytes(b"xy")
    (tmp_path / "README.md").write_text("no model")
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "light.txt").write_text("tree\nversion=v4\n")
    repository = Repository(tmp_path)
    assert repository.names() == ["a", "b", "light"]
    assert repository.path("b") == tmp_path / "b.onnx"
    assert repository.path("c") is None
    (tmp_path / "c.skops").write_bytes(b"")
    assert repository.path("c") == tmp_path / "c.skops", "it came later"
    (tmp_path / "c.skops").unlink()
    assert repository.path("c") is None


def test_a_name_has_one_meaning(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").touch()
    (tmp_path / "a.skops").touch()
    with pytest.raises(LoadError, match=r"two models named 'a': a.onnx and a.skops"):
        Repository(tmp_path).names()


def test_a_name_of_mlservers_goes_before_its_folders(tmp_path: Path) -> None:
    said = {"a": '{"name": "theirs"}', "b": "{}", "c": '{"name": "c/d"}', "d": "{", "e": "[]"}
    for folder, text in said.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model-settings.json").write_text(text)
    (tmp_path / "f").mkdir()
    (tmp_path / "f/model-settings.json").write_text('{"name": "g"}')
    (tmp_path / "f/config.pbtxt").touch()
    repository = Repository(tmp_path)
    assert repository.names() == ["b", "c", "d", "e", "f", "theirs"]
    assert repository.path("theirs") == tmp_path / "a"
    (tmp_path / "b/model-settings.json").write_text('{"name": "theirs"}')
    with pytest.raises(LoadError, match="two models named 'theirs': a and b"):
        repository.names()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"--repository: cannot read .*/no: No such file"):
        Repository(tmp_path / "no").names()


def test_settings_of_one_model(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    flags = ["--repository", str(tmp_path), "--threads", "2"]
    of_all = config.parse(flags, {"RELIGHT_MODEL_DIGEST": "sha256:" + "0" * 64})
    repository = Repository(tmp_path)
    repository.names()
    of_one = repository.settings("a", tmp_path / "a", of_all)
    assert (of_one.model, of_one.model_name) == (str(tmp_path / "a"), "a")
    assert (of_one.repository, of_one.model_digest, of_one.threads) == ("", "", 2)


def test_a_size_is_that_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"123")
    (tmp_path / "b").write_bytes(b"4567")
    (tmp_path / "deep" / "link").symlink_to(tmp_path / "nowhere")
    found = files_of(tmp_path)
    assert found.size_bytes == 7, "what has gone counts nothing"
    assert files_of(tmp_path / "b").size_bytes == 4
    assert files_of(tmp_path / "no").size_bytes == 0
    assert files_of(tmp_path) == found
    (tmp_path / "deep" / "a").write_bytes(b"1234")
    assert files_of(tmp_path).stamp != found.stamp


def test_a_model_whose_name_can_not_be_served_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a b.onnx").touch()
    for folder in ("a+b", ".git", "__pycache__", "lost+found", "good"):
        (tmp_path / folder).mkdir()
    (tmp_path / "what else.md").touch()
    repository = Repository(tmp_path)
    assert repository.names() == ["good"]
    repository.names()
    told = [
        record.getMessage().partition("name: ")[2].partition(":")[0] for record in caplog.records
    ]
    assert told == ["a b.onnx", "a+b"]
