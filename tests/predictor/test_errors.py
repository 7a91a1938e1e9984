"""The table of faults."""

import string

import orjson
import pytest

from predictor.errors import Fault, RequestError


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_every_fault_is_an_http_error_with_json_that_says_why(fault: Fault) -> None:
    blanks = [name for _, name, _, _ in string.Formatter().parse(fault.value[1]) if name]
    error = RequestError(fault, **dict.fromkeys(blanks, "{it}"))
    assert 400 <= error.status < 600
    body = orjson.loads(error.body)
    assert list(body) == ["error"]
    assert body["error"].count("{it}") == len(blanks)
