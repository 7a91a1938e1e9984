"""Free heap is given back."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import re
from pathlib import Path
from predictor import heap
def own():
    return int(re.search(r"Anonymous: +([0-9]+)", Path("/proc/self/smaps_rollup").read_text())[1])
kept = []
for _ in range(2000):
    lost = bytearray(100_000)  # small enough for the heap
    lost[::4096] = b"x" * 25
    kept += [lost, bytearray(600)]
before = own()
del kept[::2], lost
between = own()
heap.give_back()
print(before - between, between - own())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_free_between_what_is_used_goes_back() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", CODE]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    by_itself_kib, given_kib = map(int, found.stdout.split())
    assert by_itself_kib + given_kib > 100_000
    assert given_kib > by_itself_kib
