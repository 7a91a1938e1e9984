"""Do once, with a throw-away model, everything a replica will do.

For: paying for first times before the fork: ONNX Runtime's kernels, lazy imports, caches, what
the interpreter learns of code that ran often; and in a spare the pages that a fork shares until
they are written. A replica's own memory is these pages (docs/decisions/0031-own-pages.md).
Must not know: control messages, processes, the model that will be served.
"""

import asyncio
import base64
import gc
import os
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from api import keys
from predictor import config, forking, heap, loader, providers, serving
from predictor.draining import Connections
from predictor.loaded import Loaded
from predictor.server import Server
from predictor.worker import Worker

# y = relu(x @ [[1, 0], [0, 1]] + [1, 1]) with x FP32 [n, 2], opset 13, IR version 8. Made by
# onnx.helper.make_model (see tests/predictor/test_warming.py); onnx is not needed to run it.
MODEL = base64.b64decode(
    "CAgSADqTAQoRCgF4CgF3EgFhIgZNYXRNdWwKDgoBYQoBYhIBYyIDQWRkCgwKAWMSAXkiBFJlbHUSBHdhcm0qGwgC"
    "CAIQASIQAACAPwAAAAAAAAAAAACAP0IBdyoRCAIQASIIAACAPwAAgD9CAWJaFAoBeBIPCg0IARIJCgMSAW4KAggC"
    "YhQKAXkSDwoNCAESCQoDEgFuCgIIAkIECgAQDQ=="
)
_V1 = b'{"instances":[[1.0,2.0]]}'
_V2 = b'{"id":"w","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,-2.0]}]}'
_HEAD = (
    b"POST %b HTTP/1.1\r\nhost: warm\r\ncontent-type: application/json\r\n"
    b"x-request-id: warm\r\nk-proxy-request: activator\r\ncontent-length: %d\r\n\r\n%b"
)
_BY_V1 = _HEAD % (b"/v1/models/warm:predict", len(_V1), _V1)
_BY_V2 = _HEAD % (b"/v2/models/warm/infer", len(_V2), _V2)
_REQUESTS = (_BY_V2, _BY_V2)  # the first of a model runs aside, later ones on the loop
ROUNDS = 16  # code is specialised after eight calls, and looked at again where that failed
_THREAD_ENDS_S = 5.0
_TURNS_MAX = 100  # of a loop, until it has seen that our own client is gone: it takes a few


class Rehearsal:
    """A throw-away model that can be loaded and asked, here and in forked children."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(buffering=0) as file:  # no name: nothing is left behind
            file.write(MODEL)
            self.descriptor = os.dup(file.fileno())
        # On the CPU even where there is a GPU: a CUDA context does not survive a fork.
        flags = f"--model /dev/fd/{self.descriptor} --model-name warm --providers {providers.CPU}"
        self._arguments = tuple(flags.split())
        self._environment = {
            keys.ENV_REVISION: "warm-00001",
            keys.ENV_MODEL_DIGEST: f"sha256:{0:064}",  # as the kubelet pins every model's
        }
        self._settings = config.parse(self._arguments, self._environment)

    @property
    def model_path(self) -> Path:
        """Where the model can be opened, in this process and its children."""
        return Path(self._settings.model)

    def in_zygote(self, rounds: int = ROUNDS) -> None:
        """Load and serve as often as the interpreter learns from it; freeze what children share.

        The loops are closed and their threads gone when this returns. On the main thread.
        """
        threads = forking.threads()
        for _ in range(rounds):
            self._once()
            _wait_for_fewer(threads + 1)
        gc.collect()
        heap.level()
        _wait_for_fewer(threads + 1)
        gc.freeze()  # else the first full collection of a child copies every page

    def in_spare(self, loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
        """Serve over a socket, so that the pages are this process's own."""
        config.parse(self._arguments, self._environment)
        loop.run_until_complete(self._serve(worker, _REQUESTS))
        gc.collect()
        gc.freeze()

    def _once(self) -> None:
        loop = new_loop()
        worker = Worker(loop)
        try:
            config.parse(self._arguments, self._environment)
            loop.run_until_complete(self._serve(worker, (*_REQUESTS, _BY_V1)))
        finally:
            worker.stop()
            loop.close()

    def close(self) -> None:
        """Forget the model's file."""
        os.close(self.descriptor)

    def _load(self) -> Loaded:
        os.lseek(self.descriptor, 0, os.SEEK_SET)  # where /dev/fd shares the offset
        return loader.load(self._settings)

    async def _serve(self, worker: Worker, requests: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, _nothing)  # one that nobody is missed by
        loaded = await serving.load_aside(worker, self._load)
        if isinstance(loaded, BaseException):
            raise loaded
        server = Server(self._settings, loaded, worker, start_timing="fork;dur=0.00")
        connections = Connections()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("")  # Linux chooses a name, which is in no folder
        accepting = await serving.listen(server, self._settings, listener, connections)
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            await loop.sock_connect(client, listener.getsockname())
            for request in requests:
                await loop.sock_sendall(client, request)
                answer = await loop.sock_recv(client, 65536)
                assert answer.startswith(b"HTTP/1.1 200"), answer
        accepting.close()
        for _ in range(_TURNS_MAX):
            if not connections.transports:
                break
            await asyncio.sleep(0)
        for stranger in tuple(connections.transports):
            stranger.abort()  # any user of this machine finds such a name, and may stay
        while connections.transports:  # noqa: ASYNC110 - an abort takes a turn or two
            await asyncio.sleep(0)
        loop.remove_signal_handler(signal.SIGWINCH)
        worker.forget()


def new_loop() -> asyncio.AbstractEventLoop:
    """A replica's."""
    loop = uvloop.new_event_loop()
    heap.forget_zeros(loop)  # 250 KiB to read into, which it fills with zeros
    return loop


def _wait_for_fewer(threads: int) -> None:
    """Until a thread that was told to end is gone: a fork is alone, and its heap is the next's."""
    until_s = time.monotonic() + _THREAD_ENDS_S
    while forking.threads() >= threads and time.monotonic() < until_s:
        time.sleep(0.0002)


def _nothing() -> None:
    """Stand in for a signal's handler."""
