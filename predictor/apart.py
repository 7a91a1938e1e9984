"""Do one piece of work in a child process, for its answer.

For: work that can crash, block, or take more memory than there is, without taking us with it.
Must not know: what the work is.
"""

import os
import select
import signal
import time
from collections.abc import Callable

import orjson

from predictor import forking

Answer = dict[str, object]
_CHUNK_BYTES = 64 * 1024


class ApartError(Exception):
    """No answer came; the message is a clause that says why."""


def run(work: Callable[[], Answer], *, timeout_s: float) -> Answer:
    """What `work` returns in a fork of this process; ApartError. Only without threads here."""
    reading, writing = os.pipe()

    def child() -> int:
        answer = work()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(orjson.dumps(answer))
        return 0

    pid = forking.fork(child, close=(reading,))
    os.close(writing)
    try:
        data = _read(reading, time.monotonic() + timeout_s)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        raise ApartError(f"the process was ended by {signal.Signals(os.WTERMSIG(status)).name}")
    if os.WEXITSTATUS(status) or not data:
        raise ApartError("the process failed; what it wrote says why")
    answer: Answer = orjson.loads(data)
    return answer


def _read(descriptor: int, end_s: float) -> bytes:
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end_s - time.monotonic()))
        if not ready:
            raise ApartError("it takes too long")
        part = os.read(descriptor, _CHUNK_BYTES)
        if not part:
            return b"".join(parts)
        parts.append(part)
