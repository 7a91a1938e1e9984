"""Forks: when they are refused, and what the child is. Each runs in a process of its own."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from predictor import forking
from predictor.forking import UnsafeForkError

ROOT = Path(__file__).parents[2]


def run(code: str) -> subprocess.CompletedProcess[str]:
    head = "import os, signal, sys, time\nfrom predictor import forking\n"
    return subprocess.run(
        [sys.executable, "-c", head + code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


async def test_a_running_loop_forbids_a_fork(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tasks = tmp_path / "task"
    tasks.mkdir()
    (tasks / "1").touch()
    monkeypatch.setattr(forking, "_TASKS", tasks)
    with pytest.raises(UnsafeForkError, match="under a running event loop"):
        forking.check_safe()


def test_another_thread_forbids_a_fork() -> None:
    found = run(
        "import threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "forking.fork(lambda: 0, close=())\n"
    )
    assert "cannot fork beside 1 other threads" in found.stderr


def test_the_child_is_a_session_of_its_own_and_returns_its_code() -> None:
    found = run(
        "def main():\n"
        "    print('child', os.getsid(0) == os.getpid(), signal.getsignal(signal.SIGTERM) == 0)\n"
        "    return 7\n"
        "signal.signal(signal.SIGTERM, lambda *a: None)\n"
        "print('parent')\n"
        "pid = forking.fork(main, close=())\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    assert found.stdout.split("\n") == ["parent", "child True True", "7", ""], found.stderr


def test_what_a_child_raises_is_written_down_and_exits_with_one() -> None:
    found = run(
        "pid = forking.fork(lambda: 1 // 0, close=())\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    assert found.stdout == "1\n"
    assert "ZeroDivisionError" in found.stderr


def test_the_child_does_not_hold_what_it_must_not() -> None:
    found = run(
        "read, write = os.pipe()\n"
        "pid = forking.fork(lambda: time.sleep(60) or 0, close=(write,))\n"
        "os.close(write)\n"
        "print(os.read(read, 1))\n"
        "os.kill(pid, 9)\n"
    )
    assert found.stdout == "b''\n", found.stderr


def test_the_child_dies_with_its_parent() -> None:
    found = run(
        "read, write = os.pipe()\n"
        "middle = os.fork()\n"
        "if middle == 0:\n"
        "    pid = forking.fork(lambda: time.sleep(60) or 0, close=())\n"
        "    os.write(write, b'x')\n"
        "    time.sleep(60)\n"
        "os.close(write)\n"
        "os.read(read, 1)\n"
        "os.kill(middle, 9)\n"
        "print(os.read(read, 1))\n"  # the end: nobody holds the other end any more
    )
    assert found.stdout == "b''\n", found.stderr


def test_redirected_output_is_in_the_log_before_anything_is_flushed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = run(
        "def main():\n"
        f"    forking.redirect(os.open({str(log)!r}, os.O_CREAT | os.O_WRONLY))\n"
        "    print('out', end='')\n"
        "    sys.stderr.write('err')\n"
        "    assert sys.stdin.read() == ''\n"
        "    os.kill(os.getpid(), 9)\n"
        "forking.own_streams()\n"  # once, for all children
        "pid = forking.fork(main, close=())\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) + 9)\n"
    )
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)
    assert log.read_text() == "outerr"


def test_doubles_of_the_standard_streams_are_dropped_and_nothing_else(tmp_path: Path) -> None:
    found = run(
        "import errno\n"
        "doubles = [os.dup(each) for each in (0, 1, 2)]\n"
        "kept = os.dup(1)\n"
        f"other = os.open({str(tmp_path / 'other')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "for each in (*doubles, kept, other):\n"
        "    os.set_inheritable(each, True)\n"
        "own = os.dup(1)\n"  # made here, not inherited
        "forking.drop_doubles(keep=kept)\n"
        "for each in (0, 1, 2, kept, other, own):\n"
        "    os.fstat(each)\n"
        "for each in doubles:\n"
        "    try:\n"
        "        print(os.fstat(each))\n"
        "    except OSError as error:\n"
        "        print(error.errno == errno.EBADF)\n"
    )
    assert (found.stdout, found.stderr) == ("True\n" * 3, "")


def test_two_children_draw_different_numbers(tmp_path: Path) -> None:
    node = onnx.helper.make_node("RandomUniform", [], ["y"], shape=[4])
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4])
    graph = onnx.helper.make_graph([node], "dice", [], [output])
    opset = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, tmp_path / "dice.onnx")
    found = run(
        "os.environ.update(OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1')\n"
        "os.environ['ORT_DISABLE_TELEMETRY'] = '1'\n"
        "import random, uuid, numpy.random, onnxruntime as ort\n"
        "def main():\n"
        "    options = ort.SessionOptions()\n"
        "    options.intra_op_num_threads = options.inter_op_num_threads = 1\n"
        f"    dice = ort.InferenceSession({str(tmp_path / 'dice.onnx')!r}, options)\n"
        "    print(dice.run(None, {})[0].tolist())\n"
        "    print(numpy.random.random(), random.random(), uuid.uuid4(), sep='\\n')\n"
        "    return 0\n"
        "for _ in range(2):\n"
        "    os.waitpid(forking.fork(main, close=()), 0)\n"
    )
    drawn = found.stdout.splitlines()
    assert len(drawn) == len(set(drawn)) == 8, found.stdout + found.stderr
