"""A scikit-learn model at zero wakes in a fork of a zygote that has imported scikit-learn."""

import os
import re
import signal
from pathlib import Path

import pytest

from examples.running import Platform, children_of, is_alive, wait_until
from tests.e2e.conftest import ROOT, at_zero, create, service

pytestmark = pytest.mark.e2e

svm = pytest.importorskip("sklearn.svm", reason="pip install 'relight[sklearn]'")
skops = pytest.importorskip("skops.io", reason="pip install 'relight[sklearn]'")

BODY = {"instances": [[5.0, 5.0]]}
PREDICT = "/v1/models/flowers:predict"


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def of_scikit_learn(pid: int) -> dict[str, int]:
    """KiB of scikit-learn's own libraries that a process has written, alone or before a fork."""
    found, is_one = {"Private_Dirty": 0, "Shared_Dirty": 0}, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            is_one = bool(re.search(r"/sklearn/.*\.so", line))
        elif is_one and name in found:
            found[name] += int(rest.split()[0])
    return found


def replica(platform: Platform) -> int:
    """The process that serves: the one whose output is a Pod's log."""
    assert platform.process is not None
    for pid in children_of(platform.process.pid):
        try:
            if Path(f"/proc/{pid}/fd/1").readlink().parent.name == "pods":
                return pid
        except OSError:
            continue
    raise AssertionError("nothing serves")


def zygotes(platform: Platform) -> int:
    """How many zygotes of scikit-learn have been ready."""
    log = (platform.folder / "up.log").read_text()
    return len(re.findall(r"libraries/sklearn/[0-9]+ is ready", log))


def test_a_model_wakes_without_an_import(folder: Path) -> None:
    model = folder / "flowers.skops"
    skops.dump(svm.SVC().fit([[0.0, 0.0], [5.0, 5.0]], [0, 1]), model)
    args = ("--frozen-memory", "0", "--spares", "1")
    with Platform(folder / "d", cwd=ROOT, args=args) as platform:
        host = create(platform, service("flowers", "--model", str(model)))
        first = replica(platform)
        assert of_scikit_learn(first)["Private_Dirty"] > 0, "the first imported for itself"
        wait_until(lambda: zygotes(platform) == 1, 60, "the zygote of scikit-learn")
        at_zero(platform, "flowers")
        assert platform.request(host, PREDICT, BODY).json() == {"predictions": [1]}
        second = replica(platform)
        written = of_scikit_learn(second)
        assert written["Shared_Dirty"] > written["Private_Dirty"], "it has them from its parent"
        zygote = parent(second)
        assert of_scikit_learn(zygote)["Shared_Dirty"] > 0
        assert of_scikit_learn(parent(zygote)) == {"Private_Dirty": 0, "Shared_Dirty": 0}

        os.kill(zygote, signal.SIGKILL)
        wait_until(lambda: not is_alive(second), 60, "what it forked to end with it")
        wait_until(
            lambda: platform.request(host, PREDICT, BODY).status == 200, 60, "another replica"
        )

        assert platform.process is not None
        below = children_of(platform.process.pid)
        platform.kill()
        wait_until(lambda: not any(map(is_alive, below)), 60, "every process to end")
