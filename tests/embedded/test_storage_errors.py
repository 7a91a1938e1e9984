import sqlite3

import orjson
import pytest

from cluster.errors import BadRequestError, InternalError
from embedded.storage_errors import StorageError, answered, explained


def failing(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("sqlite's own words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (sqlite3.SQLITE_FULL, "free space"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "make both writable"),
        (sqlite3.SQLITE_BUSY, "close that program"),
        (sqlite3.SQLITE_IOERR_FSYNC, "check the disk"),
        (sqlite3.SQLITE_CORRUPT, "restore it"),
        (sqlite3.SQLITE_NOTADB, "choose another path"),
        (sqlite3.SQLITE_MISMATCH, "try again"),
    ],
)
def test_each_cause_says_what_to_do(code: int, advice: str) -> None:
    with pytest.raises(StorageError, match=advice) as refused, explained("/data/objects.db"):
        raise failing(code)
    assert str(refused.value).startswith("/data/objects.db: sqlite's own words; ")


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), explained("x"):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), answered():
        raise ZeroDivisionError


def test_a_refused_write_is_an_internal_error_with_the_advice() -> None:
    with pytest.raises(InternalError, match="storage refused the write: disk full"), answered():
        raise StorageError("disk full")


def test_what_is_not_json_is_the_callers_fault() -> None:
    with pytest.raises(BadRequestError, match="not JSON"), answered():
        orjson.dumps({1})
