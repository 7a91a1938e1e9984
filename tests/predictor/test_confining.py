"""Real processes in real namespaces, as root and as somebody else."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from predictor import confining
from predictor.confining import Confinement
from tests.users import another_user

ROOT = Path(__file__).parent.parent.parent
# Enters what the file says, then runs a shell there; a failure is told in a sentence.
ENTER = """
import os, sys
from predictor import confining
try:
    confining.enter(confining.read(sys.argv[1]))
except confining.ConfineError as error:
    print(error)
    sys.exit(9)
os.execvp("sh", ["sh", "-c", sys.argv[2]])
"""
NOBODY = 65534
USERS = [
    pytest.param(0, id="root", marks=pytest.mark.skipif(os.geteuid() != 0, reason="not root")),
    pytest.param(NOBODY, id="nobody", marks=another_user),
    pytest.param(
        None, id="as we are", marks=pytest.mark.skipif(os.geteuid() == 0, reason="that is root")
    ),
]


def run(folder: Path, script: str, *, user: int | None = None, **wanted: Any) -> list[str]:
    """What the script prints in a process of that user, confined so."""
    is_root = os.geteuid() == 0 and not user
    file = folder / "confinement.json"
    file.write_bytes(orjson.dumps({"is_user_namespace": not is_root, **wanted}))
    done = subprocess.run(
        [sys.executable, "-c", ENTER, str(file), script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        user=user or None,
        group=user or None,
        extra_groups=[] if user else None,
    )
    return (done.stdout + done.stderr).splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that everybody may enter."""
    if os.geteuid() == 0:
        ours = (path for path in (tmp_path, *tmp_path.parents) if path.name.startswith("pytest-of"))
        top = next(ours, tmp_path)
        for path in (tmp_path, *tmp_path.parents):
            path.chmod(0o755)
            if path == top:
                break
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o777)
    (volume / "file").write_text("from the volume")
    return tmp_path


def top() -> list[str]:
    """What stands in the machine's root."""
    return sorted(path.name for path in Path("/").iterdir())


def steps(volume: Path, target: str) -> list[list[Any]]:
    """Mount a volume at a path that does not exist: its parent is made anew."""
    names = top()
    entries = [
        ["link", name, str(Path("/", name).readlink())]
        if Path("/", name).is_symlink()
        else ["dir" if Path("/", name).is_dir() else "file", name, ""]
        for name in names
    ]
    return [
        ["tmpfs", "/", 0o755],
        ["mirror", "/", [*entries, ["dir", "went-meanwhile", ""]]],
        ["mkdir", target],
        ["bind", str(volume), target],
    ]


@pytest.mark.parametrize("user", USERS)
def test_a_volume_is_where_nothing_was_and_all_else_stays(folder: Path, user: int | None) -> None:
    before = top()
    made = steps(folder / "volume", "/nowhere/before/deep")
    script = "cat /nowhere/before/deep/file; echo; ls -A /; touch /nowhere/before/deep/new; id -u"
    first, *listed, uid = run(folder, script, user=user, steps=made)
    assert first == "from the volume"
    assert sorted({*listed} - {"nowhere", "went-meanwhile"}) == before
    assert (folder / "volume/new").exists()
    assert uid == str(os.geteuid() if user is None else user)
    assert top() == before, "nothing of the machine was written to"


@pytest.mark.parametrize("user", USERS)
def test_a_root_may_be_read_only_but_for_what_is_not(folder: Path, user: int | None) -> None:
    made = [
        ["bind", "/", "/"],
        ["bind", str(folder / "volume"), "/mnt"],
        ["readonly", "/"],
        ["writable", "/dev"],
        ["writable", "/mnt"],
    ]
    script = (
        "touch /tmp/x-relight 2>&1; echo said > /dev/null && echo null; touch /mnt/y && echo mnt"
    )
    refused, null, mnt = run(folder, script, user=user, steps=made)
    assert "Read-only file system" in refused
    assert (null, mnt) == ("null", "mnt")


@pytest.mark.parametrize("user", USERS)
def test_no_right_of_the_namespace_is_left(folder: Path, user: int | None) -> None:
    made = [["bind", "/", "/"]]
    script = "grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status"
    effective, privileges = run(folder, script, user=user, steps=made, no_new_privileges=True)
    if user != 0:
        assert int(effective.split()[1], 16) == 0
    assert privileges.split()[1] == "1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_somebody_else_with_fewer_rights(folder: Path) -> None:
    found = run(folder, "id -u; id -g; id -G", uid=2020, gid=3030, groups=[4040])
    assert found == ["2020", "3030", "3030 4040"]
    (effective,) = run(folder, "grep CapEff /proc/self/status", dropped=[0, 40])
    assert int(effective.split()[1], 16) & (1 | 1 << 40) == 0
    assert int(effective.split()[1], 16) != 0


def test_what_the_kernel_does_not_let_us_is_told(folder: Path) -> None:
    missing = [["bind", "/", "/"], ["bind", "/no/such/place", "/mnt"]]
    assert "mount /no/such/place at /mnt" in "".join(run(folder, "true", steps=missing))


@another_user
def test_whom_a_process_may_not_become_is_told(folder: Path) -> None:
    found = run(folder, "true", user=NOBODY, uid=1)
    assert found == ["cannot become user 1, group None, groups None: Operation not permitted"]


def test_ability_is_told_without_changing_this_process(tmp_path: Path) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    said = confining.ability()
    assert Path("/proc/self/mountinfo").read_text() == mounts
    if os.geteuid() == 0:
        assert said == ""


def test_nothing_asked_changes_nothing() -> None:
    confining.enter(Confinement())
    assert os.geteuid() == os.getuid()
