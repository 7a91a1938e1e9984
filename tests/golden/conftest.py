"""A folder for sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket."""
    folder = tempfile.mkdtemp(dir="/tmp", prefix="rl-")
    yield Path(folder)
    shutil.rmtree(folder)
