"""Where a container's process belongs: names that lead to this machine."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedded.containerplan import ContainerPlan
from embedded.mounts import Mount

NAMES = "iris-predictor.default.localhost, other.localhost"


def plan(folder: Path, *, hosts: str = NAMES, no_mounts: str = "", mounts: Any = ()) -> Any:
    container = {"name": "kserve-container", "image": "x/y"}
    home = SimpleNamespace(
        spec={"containers": [container]},
        serving=0,
        folder=folder,
        pod={"metadata": {"annotations": {"relight.dev/hosts": hosts} if hosts else {}}},
        files=SimpleNamespace(mounts=lambda *_, **__: list(mounts)),
        around=SimpleNamespace(
            machine=lambda: SimpleNamespace(
                no_mounts=no_mounts, owner=SimpleNamespace(is_root=True, uid=0, gid=0, groups=())
            )
        ),
    )
    return ContainerPlan(container, home, is_init=False)  # type: ignore[arg-type] # as far as it looks


def test_names_lead_to_this_machine_in_a_table_of_the_processes_own(tmp_path: Path) -> None:
    mount = plan(tmp_path)._hosts(["a.localhost", "b.localhost"])
    assert mount.target == str(Path("/etc/hosts").resolve())
    assert (mount.is_dir, mount.is_read_only) == (False, True)
    lines = Path(mount.source).read_text().splitlines()
    assert lines[-1] == "127.0.0.1 a.localhost b.localhost"
    known = Path("/etc/hosts").read_text().rstrip().splitlines()
    assert lines[:-1] == known  # what the machine knows stays known


@pytest.mark.parametrize(
    ("hosts", "no_mounts", "wanted"),
    [
        (NAMES, "", ["iris-predictor.default.localhost", "other.localhost"]),
        (NAMES, "the kernel forbids it", []),
        ("", "", []),
    ],
)
def test_only_where_a_process_can_have_files(
    tmp_path: Path, hosts: str, no_mounts: str, wanted: list[str]
) -> None:
    made = plan(tmp_path, hosts=hosts, no_mounts=no_mounts)
    assert made._host_names == wanted
    assert made._is_particular == bool(wanted)


def test_a_table_that_the_container_brings_is_left(tmp_path: Path) -> None:
    own = Mount(source=str(tmp_path), target="/etc/hosts", is_dir=False)
    file = plan(tmp_path, mounts=[own])._confinement({})
    assert "127.0.0.1" not in json.dumps(json.loads(Path(file).read_text()))
    assert not (tmp_path / "kserve-container/hosts").exists()
