"""What a command may fail with, and the exit code of each.

For: one table that `relight --help`, the shells of the verbs and scripts agree on.
Must not know: any verb, or how a message is printed.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; scripts rely on them, so a number never changes its meaning."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    ANSWERED = 4
    INTERRUPTED = 130


EXPLAINED = """exit codes:
  0    done
  1    the operation failed, for example a revision did not become ready
  2    the command line or the input is wrong; nothing was changed
  3    the platform cannot be reached
  4    the request was answered with an error (invoke)
  130  interrupted
"""


class CommandError(Exception):
    """An expected failure: its text is for a person and is printed without a traceback."""

    exit_code = Exit.FAILED


class FailedError(CommandError):
    """The platform was asked and could not do it."""


class UsageError(CommandError):
    """What was typed cannot be carried out; nothing was changed."""

    exit_code = Exit.USAGE


class UnreachableError(CommandError):
    """No platform answers."""

    exit_code = Exit.UNREACHABLE


class AnsweredError(CommandError):
    """A model answered with an error."""

    exit_code = Exit.ANSWERED
