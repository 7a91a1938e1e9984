"""What happened, line by line: the last lines for a person, a hash of all for comparing runs.

For: telling one run from another, and reading how a failing one came to fail.
Must not know: what the lines mean.
"""

import hashlib
from collections import deque
from collections.abc import Callable

KEPT_LINES = 50


class Trace:
    """Notes lines until the first violation, which ends the run; later ones only follow from it."""

    def __init__(self, now_s: Callable[[], float], *, echo: Callable[[str], None] | None) -> None:
        self._now_s = now_s
        self._start_s = now_s()
        self._echo = echo
        self._hash = hashlib.blake2b(digest_size=8)
        self.last: deque[str] = deque(maxlen=KEPT_LINES)
        self.lines = 0
        self.violation = ""

    def note(self, text: str) -> None:
        if self.violation:
            return
        line = f"{self._now_s() - self._start_s:10.4f} {text}"
        self._hash.update(line.encode())
        self.last.append(line)
        self.lines += 1
        if self._echo is not None:
            self._echo(line)

    def violate(self, text: str) -> None:
        """An invariant does not hold."""
        if not self.violation:
            self.note(f"VIOLATION {text}")
            self.violation = text

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()
