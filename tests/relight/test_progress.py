import io
from collections.abc import Iterator

import pytest

from relight.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Iterator[float]:
    return iter((0.0, 0.5, 1.0, 2.25, 3.0))


def test_a_pipe_gets_one_line_for_each_change(clock: Iterator[float]) -> None:
    stream = io.StringIO()
    progress = Progress(stream, clock.__next__)
    for text in ("loading", "loading", "ready"):
        progress.show(text)
    progress.close()
    assert stream.getvalue() == "loading (0.5 s)\nready (2.2 s)\n"
    assert progress.repaint_s is None


def test_a_terminal_gets_one_line_in_all(clock: Iterator[float]) -> None:
    stream = Terminal()
    progress = Progress(stream, clock.__next__)
    for text in ("loading", "loading", "ready"):
        progress.show(text)
    progress.close()
    painted = stream.getvalue().split("\r\x1b[2K")
    assert painted == ["", "loading (0.5 s)", "loading (1.0 s)", "ready (2.2 s)\n"]
    assert progress.repaint_s is not None


def test_a_line_never_wraps(clock: Iterator[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Progress(stream, clock.__next__).show("x" * 100)
    assert stream.getvalue() == "\r\x1b[2K" + "x" * 19


def test_closing_without_a_word_says_nothing(clock: Iterator[float]) -> None:
    stream = Terminal()
    Progress(stream, clock.__next__).close()
    assert stream.getvalue() == ""
