"""The throw-away model and its rehearsals."""

import asyncio
import gc
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from predictor import loader, serving
from predictor.config import Settings
from predictor.draining import Connections
from predictor.errors import LoadError
from predictor.serving import Front
from predictor.warming import MODEL, Rehearsal
from predictor.worker import Worker


def test_the_model_is_valid_and_does_what_it_says() -> None:
    onnx.checker.check_model(onnx.load_model_from_string(MODEL))
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": np.array([[1, -2]], np.float32)})
    assert y.tolist() == [[2, 0]]


def test_a_gpu_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def note(settings: Settings) -> None:
        asked.append(settings.providers)
        raise LoadError("enough")

    monkeypatch.setattr(loader, "load", note)
    rehearsal = Rehearsal()
    with pytest.raises(LoadError, match="enough"):
        rehearsal.in_zygote()
    rehearsal.close()
    assert asked == [("CPUExecutionProvider",)]


def tasks() -> set[str]:
    """This process's threads, Python's and others'."""
    return {path.name for path in Path("/proc/self/task").iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_of_it_runs_on_beside_a_fork() -> None:
    before = tasks()
    handler = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # tests before this left their own
    rehearsal = Rehearsal()
    try:
        rehearsal.in_zygote(rounds=2)
        assert tasks() <= before, "what other tests left may end meanwhile"
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, handler)
        rehearsal.close()
        gc.unfreeze()


def test_a_stranger_who_found_the_socket_and_stays_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strangers: list[socket.socket] = []
    listen = serving.listen

    async def beset(
        server: Front, settings: Settings, listener: socket.socket, connections: Connections
    ) -> asyncio.Server:
        accepting = await listen(server, settings, listener, connections)
        strangers.append(socket.socket(socket.AF_UNIX))
        strangers[-1].connect(listener.getsockname())
        return accepting

    monkeypatch.setattr(serving, "listen", beset)
    rehearsal = Rehearsal()
    try:
        rehearsal.in_zygote(rounds=2)  # it waited for ever
    finally:
        rehearsal.close()
        gc.unfreeze()
    assert len(strangers) == 2
    for stranger in strangers:
        stranger.close()


def test_both_rehearsals_run_and_a_worker_knows_nothing_afterwards() -> None:
    rehearsal = Rehearsal()
    loop = asyncio.new_event_loop()
    try:
        assert rehearsal.model_path.exists()
        rehearsal.in_zygote()
        worker = Worker(loop)
        rehearsal.in_spare(loop, worker)
        assert not worker.is_quick
    finally:
        rehearsal.close()
        loop.close()
        gc.unfreeze()
    assert not rehearsal.model_path.exists()
