"""What libraries say when they fail, in one line, and whose fault it was."""

import numpy as np
import pytest

from predictor.datatypes import check_wanted
from predictor.errors import RequestError
from predictor.refusals import first_line, guarded, words


def fail(error: Exception) -> None:
    raise error


def test_an_error_is_one_line_and_not_too_long() -> None:
    assert words(ValueError(" two\n  lines ")) == "two lines"
    assert words(ValueError()) == "ValueError"
    assert first_line(ValueError("what\nStack trace:\n 0x1")) == "what"
    assert first_line(ValueError()) == "ValueError"
    assert len(words("x" * 1000)) == 300


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("no such column"), 400, "the model: no such column"),
        (TypeError("what"), 500, "the model failed on this request (TypeError)"),
    ],
)
def test_whose_fault_it_was(error: Exception, status: int, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        guarded(lambda: fail(error), refusing=(ValueError,))
    assert caught.value.status == status
    assert str(caught.value).startswith(said)


def test_what_was_refused_already_stays_as_it_is() -> None:
    with pytest.raises(RequestError, match="unknown output 'b': the model gives a") as caught:
        guarded(lambda: check_wanted({"a": np.zeros(1)}, ("a", "b")))
    assert caught.value.status == 400
    assert guarded(lambda: 7) == 7
