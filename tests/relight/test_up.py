import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from embedded.config import Settings
from embedded.datadir import DataDirectoryError
from embedded.storage_errors import StorageError
from relight.__main__ import main


@dataclass
class Addresses:
    api: str = "http://127.0.0.1:8001"
    activator: str = "http://127.0.0.1:8080"
    kubeconfig: str = "/data/kubeconfig"


class Platform:
    """Stands in for `embedded.up`, which the end-to-end tests run for real."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.failure: Exception | None = None

    def run(self, settings: Settings, *, announce: Callable[[Any], None]) -> int:
        self.settings = settings
        if self.failure:
            raise self.failure
        announce(Addresses())
        return 0


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform()
    module = ModuleType("embedded.up")
    module.Addresses = Addresses  # type: ignore[attr-defined]  # the module is made here
    module.run = platform.run  # type: ignore[attr-defined]  # likewise
    monkeypatch.setitem(sys.modules, "embedded.up", module)
    return platform


def test_flags_become_settings(started: Platform, tmp_path: Path) -> None:
    words = (
        f"up --data-dir {tmp_path}/d --host 127.0.0.2 --port 0 --api-port 1 --domain example.com "
        f"--model-root {tmp_path} --max-pods 5 --spares 0 --state redis://h "
        "--frozen-memory 1Gi --fetched 1Gi --libraries pfa,tflite --libraries-max 3"
    )
    assert main(words.split()) == 0
    assert started.settings == Settings(
        data_dir=tmp_path / "d",
        host="127.0.0.2",
        port=0,
        api_port=1,
        domain="example.com",
        model_root=tmp_path,
        max_pods=5,
        spares=0,
        frozen_memory="1Gi",
        fetched="1Gi",
        libraries=("pfa", "tflite"),
        libraries_max=3,
        state="redis://h",
    )


def test_the_defaults_are_those_of_the_platform(
    started: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELIGHT_DATA_DIR", "here")
    assert main(["up"]) == 0
    assert started.settings == Settings(data_dir=tmp_path / "here", model_root=tmp_path)


def test_addresses_are_told_unless_quiet(
    started: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["up", "--data-dir", str(tmp_path)])
    assert "http://127.0.0.1:8080" in capsys.readouterr().out
    main(["up", "--data-dir", str(tmp_path), "--quiet"])
    assert capsys.readouterr().out == ""


def test_a_setting_out_of_bounds_is_2(
    started: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--data-dir", str(tmp_path), "--port", "70000"]) == 2
    assert capsys.readouterr().err == "relight: --port: expected 0 to 65535\n"
    assert started.settings is None


@pytest.mark.parametrize(
    "failure", [DataDirectoryError("held"), StorageError("full"), OSError("taken")]
)
def test_what_cannot_start_is_1(
    failure: Exception, started: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started.failure = failure
    assert main(["up", "--data-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"relight: {failure}\n"
