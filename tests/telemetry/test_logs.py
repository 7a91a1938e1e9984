import io
import logging
from collections.abc import Iterator

import pytest

from telemetry import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure(stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_has_one_key_a_fact(stream: io.StringIO) -> None:
    logging.getLogger("activator.proxy").warning("pod %s is gone", 'a"b')
    line = stream.getvalue()
    assert "level=warning logger=activator.proxy" in line
    assert 'msg="pod a\\"b is gone"' in line


def test_a_message_never_makes_a_second_line(stream: io.StringIO) -> None:
    logging.getLogger("x").info("a\nb")
    assert stream.getvalue().count("\n") == 1


def test_an_exception_is_told_and_traced_when_it_is_an_error(stream: io.StringIO) -> None:
    try:
        raise ValueError("why not")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert 'error="ValueError: why not"' in stream.getvalue()
    assert "Traceback" in stream.getvalue()


def test_what_is_below_the_level_is_not_told(stream: io.StringIO) -> None:
    logging.getLogger("x").debug("quiet")
    assert stream.getvalue() == ""
