"""Structured log lines: one key a fact, in logfmt, on standard error.

For: setting up logging once, when a process starts.
Must not know: what is logged.
"""

import logging
import sys
from typing import TextIO

from typing_extensions import override


class LogfmtFormatter(logging.Formatter):
    """`time=… level=… logger=… msg="…"`, with the last line of an exception as `error`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message contains."""
        facts = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            facts["error"] = f"{type(error).__name__}: {error}"
        line = " ".join(f"{key}={_quoted(value)}" for key, value in facts.items())
        if record.exc_info and record.levelno >= logging.ERROR:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure(*, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send every log line of this process to `stream` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LogfmtFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _quoted(value: str) -> str:
    if value and not any(c in value for c in ' "=\n\t\\'):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
