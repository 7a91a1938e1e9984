"""What parameters ask for, which of them are hints, and which are refused."""

from typing import Any

import pytest

from predictor import parameters_v2
from predictor.errors import RequestError
from predictor.parameters_v2 import OfInput, OfOutput, OfRequest


def test_what_changes_the_answer_is_read() -> None:
    asked = parameters_v2.of_request({"binary_data_output": True, "content_type": "str"})
    assert asked == OfRequest(True, "str")
    assert parameters_v2.of_input("p", {"binary_data_size": 0}) == OfInput(0, "")
    assert repr(parameters_v2.of_input("p", {"binary_data_size": 8.0}).binary_size) == "8"
    assert parameters_v2.of_output("p", {"binary_data": False}) == OfOutput(False, "")
    assert parameters_v2.of_output("p", {"content_type": "base64"}) == OfOutput(None, "base64")


@pytest.mark.parametrize("raw", [None, {}, {"content_type": None, "headers": {"a": "b"}}])
def test_nothing_is_asked(raw: Any) -> None:
    assert parameters_v2.of_request(raw) == OfRequest()
    assert parameters_v2.of_input("p", raw) == OfInput()
    assert parameters_v2.of_output("p", raw) == OfOutput()


def test_unknown_ones_are_hints() -> None:
    raw = {"sequence_id": 5, "priority": 1, "timeout": 9, "mine": [1, {"deep": None}]}
    assert parameters_v2.of_request(raw) == OfRequest()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "p: expected an object, got a list"),
        ("x", "p: expected an object, got text"),
        ({"headers": []}, "p.headers: expected an object, got a list"),
        ({"content_type": 5}, "p.content_type: expected text, got a whole number"),
        ({"binary_data_size": -1}, "p.binary_data_size: expected a number of bytes, got -1"),
        ({"binary_data_size": True}, "p.binary_data_size: expected a number of bytes, got true"),
        ({"binary_data_size": 1.5}, "p.binary_data_size: expected a number of bytes, got a number"),
        ({"shared_memory_region": "r"}, "p.shared_memory_region: shared memory .* is not served"),
        ({"shared_memory_byte_size": 1}, "p.shared_memory_byte_size: shared memory"),
        ({"shared_memory_offset": 0}, "p.shared_memory_offset: shared memory"),
    ],
)
def test_malformed_and_unserved_ones_of_inputs_are_refused(raw: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        parameters_v2.of_input("p", raw)
    assert caught.value.status == 400


def test_malformed_and_unserved_ones_elsewhere_are_refused() -> None:
    with pytest.raises(RequestError, match=r"binary_data_output: expected true or false"):
        parameters_v2.of_request({"binary_data_output": 1})
    with pytest.raises(RequestError, match=r"p.binary_data: expected true or false, got text"):
        parameters_v2.of_output("p", {"binary_data": "yes"})
    with pytest.raises(RequestError, match=r"p.classification: .* is not served"):
        parameters_v2.of_output("p", {"classification": 3})
