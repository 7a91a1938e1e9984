"""Requests stored with a model."""

import json

import pytest

from predictor import warmup_files
from predictor.errors import LoadError

REQUEST = {"inputs": [{"name": "a", "shape": [1], "datatype": "INT8", "data": [1]}]}


def test_one_request_or_several() -> None:
    (only,) = warmup_files.parse(json.dumps(REQUEST), where="f")
    assert (only.name, json.loads(only.body), only.count) == ("f", REQUEST, 1)
    several = warmup_files.parse(json.dumps([REQUEST, REQUEST]), where="f")
    assert [each.name for each in several] == ["f[0]", "f[1]"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "f is not JSON"),
        ("[" * 100_000, "f is not JSON"),
        ("1", "f: request 0: expected a V2 request, with inputs"),
        ('[{"inputs": []}, {"instances": []}]', "f: request 1: expected"),
        (json.dumps([REQUEST] * 1001), "at most 1000 requests, got 1001"),
    ],
)
def test_what_is_no_request(text: str, words: str) -> None:
    with pytest.raises(LoadError) as caught:
        warmup_files.parse(text, where="f")
    assert words in str(caught.value)
