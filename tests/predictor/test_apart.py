"""Work in a child: its answer, and the ways in which none comes. In a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAD = """
import os, signal, time
from predictor import apart
def work():
    %s
try:
    print(apart.run(work, timeout_s=%s))
except apart.ApartError as error:
    print("none:", error)
"""


@pytest.mark.parametrize(
    ("body", "timeout_s", "said"),
    [
        ("return {'pid': os.getpid() != os.getppid(), 'long': 'x' * 3}", 20, "'long': 'xxx'"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 20, "none: the process was ended by SIGSEGV"),
        ("raise MemoryError", 20, "none: the process failed; what it wrote says why"),
        ("os._exit(0)", 20, "none: the process failed"),
        ("signal.pause()", 0.1, "none: it takes too long"),
    ],
)
def test_the_answer_or_why_there_is_none(body: str, timeout_s: float, said: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", HEAD % (body, timeout_s)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert said in found.stdout, found.stderr
