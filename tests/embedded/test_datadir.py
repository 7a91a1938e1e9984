import os
from pathlib import Path

import orjson
import pytest
import yaml

from embedded.datadir import DataDirectory, DataDirectoryError


def test_two_platforms_never_share_a_folder(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "d"):
        with pytest.raises(DataDirectoryError, match="held by another platform"):
            DataDirectory(tmp_path / "d").__enter__()
        with DataDirectory(tmp_path / "other"):
            pass
    with DataDirectory(tmp_path / "d"):
        pass


def test_what_clients_read(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as folder:
        folder.publish(api="http://127.0.0.1:1", activator="http://127.0.0.1:2", domain="x.test")
        config = yaml.safe_load((tmp_path / "kubeconfig").read_text())
        assert config["clusters"][0]["cluster"]["server"] == "http://127.0.0.1:1"
        assert config["current-context"] == config["contexts"][0]["name"]
        told = orjson.loads(folder.addresses.read_bytes())
        assert told == {
            "api": "http://127.0.0.1:1",
            "activator": "http://127.0.0.1:2",
            "domain": "x.test",
            "pid": os.getpid(),
        }
    assert not folder.addresses.exists(), "a stopped platform has no address"


def test_what_a_killed_platform_left_is_removed(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as folder:
        (folder.run / "dead.sock").touch()
        (folder.models / "tmpabc").touch()
        (folder.models / "sha256-ab").mkdir()
    with DataDirectory(tmp_path) as folder:
        assert list(folder.run.iterdir()) == []
        assert [kept.name for kept in folder.models.iterdir()] == ["sha256-ab"]


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataDirectoryError, match="file"):
        DataDirectory(tmp_path / "file").__enter__()
