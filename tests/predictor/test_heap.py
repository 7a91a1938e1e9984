"""Free heap is given back, or filled so that what comes next lies together."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from predictor import heap

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


# Both count pages that a child writes to; holes are made in the C library's heap and in Python's.
LEVEL = """
import gc, os, sys
from pathlib import Path
from predictor import heap
kept = [(bytearray(900), bytes(100), bytes(200)) for _ in range(30_000)]
for index in range(0, len(kept), 10):
    kept[index] = None  # holes, far from each other
if sys.argv[1] == "level":
    heap.level()
gc.freeze()

def own():
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if "Private_D" in line)

if os.fork() == 0:
    before = own()
    made = [(bytearray(900), bytes(100), bytes(200)) for _ in range(300)]
    print(own() - before, flush=True)
    os._exit(0)
os.wait()
"""

ZEROS = """
import re
from pathlib import Path
from predictor import heap
def own():
    return int(re.search(r"Anonymous: +([0-9]+)", Path("/proc/self/smaps_rollup").read_text())[1])
import uvloop
loop = uvloop.new_event_loop()
before = own()
heap.forget_zeros(loop)
print(before - own())
async def work():
    import asyncio, socket
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    sent = bytes(range(1, 251)) * 800
    theirs.setblocking(False)
    sending = loop.sock_sendall(theirs, sent)
    task = loop.create_task(sending)
    assert await reader.readexactly(len(sent)) == sent
    await task
    writer.close()
    theirs.close()
loop.run_until_complete(work())
loop.close()
print("works")
"""


def _said(code: str, *arguments: str) -> list[str]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, *arguments]
    found = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    return found.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_of_a_level_heap_owns_fewer_pages_for_the_same_objects() -> None:
    (holed,) = map(int, _said(LEVEL, "as it is"))
    (level,) = map(int, _said(LEVEL, "level"))
    assert level < holed / 2


FOREIGN = """
import resource
from predictor import heap
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
heap.level()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "debug"])
def test_levelling_stays_small_whatever_allocates_pythons_objects(
    allocator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONMALLOC", allocator)
    (grown_kib,) = map(int, _said(FOREIGN))
    assert grown_kib < 16_384  # it was 1.7 GB without pools to fill


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pages_of_zeros_inside_an_object_are_given_back_and_it_works_on() -> None:
    given_kib, works = _said(ZEROS)
    assert int(given_kib) > 150
    assert works == "works"


class Circle:
    def __init__(self) -> None:
        self.own = self


def test_what_only_holds_itself_is_freed_at_once() -> None:
    gc.disable()
    try:
        lost = weakref.ref(Circle())
        assert lost() is not None
        heap.collect()
        assert lost() is None
    finally:
        gc.enable()
