"""The pool of children in waiting; what they become is in test_zygote.py."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# In a process of its own: pytest has threads and loops, and a fork of it would be wrong.
POOL = """
import os, signal, time
from predictor.spares import Spares
from predictor.warming import Rehearsal

held, let_go = os.pipe()

class Held(Rehearsal):
    def in_spare(self, loop, worker):
        os.read(held, 1)
        super().in_spare(loop, worker)

rehearsal = Held()
rehearsal.in_zygote()
pool = Spares(2, rehearsal, close=())
while pool.is_short:
    pool.add()
first, second = pool.pids
assert not pool.died(1) and pool.pids == (first, second)

message = b'{"id": "a", "args": [], "env": {}, "cwd": "/"}'
assert pool.assign(message, [], received_ns=0) is None, "nobody is warm yet"
os.write(let_go, b"1234")
while len(pool.warm_pids) < 2:
    time.sleep(0.01)
os.kill(first, signal.SIGKILL)
os.waitpid(first, 0)
assert pool.assign(message, [], received_ns=0) == second
assert os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]) == 1, "three descriptors are needed"
assert pool.assign(b"", [], received_ns=0) is None and pool.is_short

pool.add()
(third,) = pool.pids
assert pool.died(third) and not pool.died(third)
os.waitpid(third, 0)
pool.add()
(fourth,) = pool.pids
while not pool.warm_pids:
    time.sleep(0.01)
pool.dismiss()
assert os.waitstatus_to_exitcode(os.waitpid(fourth, 0)[1]) == 0
print("done")
"""


def test_spares_are_added_assigned_mourned_and_dismissed() -> None:
    env = {"OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1", "PATH": "/usr/bin:/bin"}
    found = subprocess.run(
        [sys.executable, "-c", POOL],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert found.stdout == "done\n", found.stderr
