"""One line that says what is going on: repainted on a terminal, appended elsewhere.

For: telling a person who waits, without filling the log of a script that waits.
Must not know: what is waited for.
"""

import shutil
from collections.abc import Callable
from typing import TextIO

_REPAINT_S = 0.2
_CLEAR_LINE = "\r\x1b[2K"


class Progress:
    """Shows the latest text with the time since it was made. `clock` is in seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._start_s = clock()
        self._is_terminal = stream.isatty()
        self._shown = ""

    @property
    def repaint_s(self) -> float | None:
        """How often `show` should be called even when nothing changed; None: never."""
        return _REPAINT_S if self._is_terminal else None

    def show(self, text: str) -> None:
        """Say what is going on now. Saying it again only moves a terminal's clock."""
        line = f"{text} ({self._clock() - self._start_s:.1f} s)"
        if self._is_terminal:
            columns = shutil.get_terminal_size().columns
            self._stream.write(_CLEAR_LINE + line[: columns - 1])
            self._stream.flush()
        elif text != self._shown:
            self._stream.write(line + "\n")
            self._stream.flush()
        self._shown = text

    def close(self) -> None:
        """Leave the last line standing, so that what follows starts on its own."""
        if self._is_terminal and self._shown:
            self._stream.write("\n")
            self._stream.flush()
