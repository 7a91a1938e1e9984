"""The frozen tier of a whole platform: to zero and back, with memory, without, and its end."""

import json
from pathlib import Path
from typing import Any

from examples.running import Platform, wait_until
from tests.e2e.conftest import ROOT, at_zero, create, infer_body, service

INFER = "/v2/models/sleeper/infer"


def children(pid: int) -> list[int]:
    found = []
    for each in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in each.read_text().split()]
    return found


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def processes(platform: Platform) -> dict[int, str]:
    """All that the zygote forked, and whether each may run."""
    assert platform.process is not None
    pids = [pid for zygote in children(platform.process.pid) for pid in children(zygote)]
    return {pid: state(pid) for pid in pids}


def stopped(platform: Platform) -> int:
    """The one that is stopped, which is a moment after its Pod went."""

    def found() -> list[int]:
        return [pid for pid, how in processes(platform).items() if how == "T"]

    wait_until(lambda: len(found()) == 1, 60, "one process to be stopped")
    return found()[0]


def frozen(platform: Platform) -> dict[str, Any]:
    annotations = platform.get("/api/v1/nodes/localhost")["metadata"].get("annotations") or {}
    found: dict[str, Any] = json.loads(annotations.get("relight.dev/frozen", "{}"))
    return found


def test_what_is_at_zero_is_frozen_and_nothing_of_it_survives_a_power_cut(folder: Path) -> None:
    with Platform(folder / "d", cwd=ROOT) as platform:
        host = create(platform, service("sleeper"))
        assert platform.request(host, INFER, infer_body()).status == 200
        at_zero(platform, "sleeper")
        pid = stopped(platform)
        wait_until(lambda: frozen(platform).get("replicas") == 1, 60, "the Node to tell")
        assert frozen(platform)["revisions"] == {"default/sleeper-00001": 1}
        woken = platform.request(host, INFER, infer_body())
        assert woken.status == 200
        assert {"queue", "resume", "run"} <= woken.timing().keys()
        assert "load" not in woken.timing(), "no fork, no load"
        assert processes(platform)[pid] != "T"
        again = platform.request(host, INFER, infer_body())
        assert "resume" not in again.timing(), "told once"
        at_zero(platform, "sleeper")
        assert stopped(platform) == pid, "and the same one once more"
        alive = processes(platform)
        platform.kill()
        wait_until(
            lambda: all(state(pid) in ("gone", "Z") for pid in alive), 60, "every process to end"
        )


def test_without_memory_for_it_a_replica_ends_and_another_is_forked(folder: Path) -> None:
    with Platform(folder / "d", cwd=ROOT, args=("--frozen-memory", "0")) as platform:
        host = create(platform, service("sleeper"))
        at_zero(platform, "sleeper")
        assert "T" not in processes(platform).values()
        woken = platform.request(host, INFER, infer_body())
        assert woken.status == 200
        assert {"queue", "fork", "load", "run"} <= woken.timing().keys()


def test_a_deleted_service_takes_its_frozen_replicas_along(folder: Path) -> None:
    with Platform(folder / "d", cwd=ROOT) as platform:
        create(platform, service("sleeper"))
        at_zero(platform, "sleeper")
        pid = stopped(platform)
        platform.relight("delete", "sleeper")
        wait_until(lambda: state(pid) in ("gone", "Z"), 60, "the frozen replica to end")
