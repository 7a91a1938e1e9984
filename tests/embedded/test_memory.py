"""Linux's own figures, from files as it writes them."""

import os
import subprocess
import sys
from pathlib import Path

from embedded import memory
from embedded.frozen import Memory
from tests.predictor.talking import wait_until

KIB = 1024
MEMINFO = (
    "MemTotal:       24000 kB\nMemFree:  100 kB\nMemAvailable:   9000 kB\nHugePages_Total:   0\n"
)


def machine(folder: Path, *, pressure: str = "", group: str = "0::/a/b\n") -> tuple[Path, Path]:
    proc, groups = folder / "proc", folder / "groups"
    (proc / "self").mkdir(parents=True)
    (groups / "a/b").mkdir(parents=True)
    (proc / "meminfo").write_text(MEMINFO)
    (proc / "self/cgroup").write_text(group)
    if pressure:
        (proc / "pressure").mkdir()
        (proc / "pressure/memory").write_text(pressure)
    return proc, groups


def test_the_machines_memory(tmp_path: Path) -> None:
    found = memory.read(*machine(tmp_path))
    assert found == Memory(total_bytes=24000 * KIB, available_bytes=9000 * KIB)


def test_the_control_group_and_those_above_bound_it(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path)
    (groups / "a/b/memory.max").write_text("max\n")
    (groups / "a/b/memory.current").write_text("5000\n")
    (groups / "a/memory.max").write_text(f"{8000 * KIB}\n")
    (groups / "a/memory.current").write_text(f"{6000 * KIB}\n")
    (groups / "a/memory.stat").write_text(f"anon 1\ninactive_file {500 * KIB}\n")
    found = memory.read(proc, groups)
    assert found == Memory(total_bytes=8000 * KIB, available_bytes=2500 * KIB)
    (groups / "a/memory.current").write_text(f"{9000 * KIB}\n")
    assert memory.read(proc, groups).available_bytes == 0


def test_pressure_is_that_of_ten_seconds_for_anyone(tmp_path: Path) -> None:
    text = (
        "some avg10=12.50 avg60=3.00 avg300=1 total=9\nfull avg10=1.00 avg60=0 avg300=0 total=1\n"
    )
    assert memory.read(*machine(tmp_path, pressure=text)).pressure_percent == 12.5


def test_where_nothing_can_be_read_nothing_is_available(tmp_path: Path) -> None:
    found = memory.read(tmp_path / "no", tmp_path / "neither")
    assert found == Memory(total_bytes=0, available_bytes=0)


def test_this_machine_has_some() -> None:
    found = memory.read()
    assert 0 < found.available_bytes <= found.total_bytes


def test_a_process_holds_its_part_of_what_is_shared(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    (folder / "task/7").mkdir(parents=True)
    (folder / "task/7/children").write_text("")
    (folder / "smaps_rollup").write_text(
        "00-ff ---p 00:00 0 [rollup]\nRss:  900 kB\nPss:  300 kB\n"
    )
    (folder / "status").write_text("Name:\tx\nVmRSS:\t     900 kB\n")
    assert memory.of_process(7, tmp_path) == 300 * KIB
    (folder / "smaps_rollup").unlink()
    assert memory.of_process(7, tmp_path) == 900 * KIB
    (folder / "task/8").mkdir()
    (folder / "task/8/children").write_text("9 ")
    assert memory.of_process(7, tmp_path) is None, "a thread of it started another process"


def test_one_that_is_gone_has_no_size_and_one_with_children_is_not_alone() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as child:
        wait_until(lambda: memory.of_process(child.pid) is None, "it started one")
        assert child.stdin is not None
        child.stdin.close()
    assert memory.of_process(child.pid) is None
    size = memory.of_process(os.getpid())
    assert size is None or size > 0
