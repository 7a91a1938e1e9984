"""Models over HTTP from this machine, for Pods and for processes alike."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.k8s.cluster import ROOT

IRIS = ROOT.parent / "shared/data/kserve"  # KServe's own, where the founders' data is
FILES = {
    "fahrenheit.onnx": ROOT / "examples/models/fahrenheit.onnx",
    "fahrenheit-rounded.onnx": ROOT / "examples/models/fahrenheit-rounded.onnx",
    "iris.onnx": IRIS / "onnx/model.onnx",
}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def served(folder: Path, host: str) -> Iterator[str]:
    """The address of a server of the models; `host` is how Pods reach this machine."""
    for name, source in FILES.items():
        if source.exists():
            (folder / name).write_bytes(source.read_bytes())
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer((host, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{host}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def need_iris() -> None:
    if not FILES["iris.onnx"].exists():
        pytest.skip(f"no iris model: {FILES['iris.onnx']} is not there")
