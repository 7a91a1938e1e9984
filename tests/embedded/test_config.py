from pathlib import Path
from typing import Any

import pytest

from embedded.config import (
    Settings,
    SettingsError,
    inherited_environment,
    machine_capacity,
    visible_gpus,
)
from embedded.frozen import Bounds


def settings(tmp_path: Path, **changes: Any) -> Settings:
    return Settings(**{"data_dir": Path("/tmp/x"), "model_root": tmp_path, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": 65536}, "--port"),
        ({"api_port": -1}, "--api-port"),
        ({"max_pods": 0}, "--max-pods"),
        ({"spares": 65}, "--spares"),
        ({"libraries": ("no",)}, "--libraries: expected some of sklearn, .*, got no"),
        ({"libraries": ("pfa", "pmml"), "libraries_max": 1}, "--libraries: more than .* 1"),
        ({"libraries_max": 12}, "--libraries-max: expected 0 to 11"),
        ({"frozen_memory": "91%"}, "--frozen-memory: expected 0% to 90%"),
        ({"fetched": "much"}, "--fetched: expected an amount such as 100Gi, got 'much'"),
        ({"fetched": "-1"}, "--fetched"),
        ({"frozen_memory": "much"}, "got 'much'"),
        ({"frozen_memory": "-1"}, "--frozen-memory"),
        ({"frozen_memory": "1e30"}, "--frozen-memory"),
        ({"state": "localhost:6379"}, "--state: expected redis://HOST"),
        ({"model_root": Path("/nowhere")}, "--model-root: /nowhere"),
        ({"data_dir": Path("/tmp/" + "x" * 100)}, "--data-dir"),
    ],
)
def test_what_is_out_of_bounds_is_named(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        settings(tmp_path, **changes)


def test_defaults_are_knatives_and_kubernetes(tmp_path: Path) -> None:
    made = settings(tmp_path)
    assert (made.port, made.api_port, made.max_pods) == (8080, 8001, 110)
    assert made.database.parent == made.kubeconfig.parent == made.data_dir


@pytest.mark.parametrize(
    ("text", "share", "size_bytes"),
    [("25%", 0.25, 0), ("90%", 0.9, 0), ("512Mi", 0.0, 1 << 29), ("0", 0.0, 0), ("0%", 0.0, 0)],
)
def test_what_may_be_frozen_is_a_share_or_an_amount(
    tmp_path: Path, text: str, share: float, size_bytes: int
) -> None:
    bounds = settings(tmp_path, frozen_memory=text, max_pods=7).frozen
    assert bounds == Bounds(share=share, size_bytes=size_bytes, replicas_max=7)
    assert bounds.is_off is (text in ("0", "0%"))


def test_secrets_of_the_shell_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    inherited = inherited_environment()
    assert "AWS_SECRET_ACCESS_KEY" not in inherited
    assert inherited["CUDA_VISIBLE_DEVICES"] == "0"
    assert "PATH" in inherited


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("2,3", ("2", "3")),
        (" GPU-8932f937 , MIG-1/2 ", ("GPU-8932f937", "MIG-1/2")),
        ("1,-1,2", ("1",)),  # CUDA reads no further than the first that is none
        ("", ()),
    ],
)
def test_pods_are_given_the_gpus_that_we_may_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert visible_gpus() == names
    assert machine_capacity(tmp_path)["nvidia.com/gpu"] == len(names)
