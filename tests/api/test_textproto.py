"""Protobuf's text format, beside protobuf's own reader."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.textproto import TextFormatError, Word, parse


def test_a_message_as_people_write_it() -> None:
    said = parse("""
        name: "iris"  # a comment
        max_batch_size : 8;
        input [ { name: "a" data_type: TYPE_FP32 dims: [ -1, 4 ] }, < name: 'b' dims: 3 dims: 4 > ]
        output { name: "o", dims: [] }
        dynamic_batching { }
        scale: 1.5f small: 1e-3 hex: 0x10 is_on: true
        text: "a\\"b\\n" 'c\\x41\\101'
    """)
    assert said == {
        "name": ["iris"],
        "max_batch_size": [8],
        "input": [
            {"name": ["a"], "data_type": ["TYPE_FP32"], "dims": [-1, 4]},
            {"name": ["b"], "dims": [3, 4]},
        ],
        "output": [{"name": ["o"], "dims": []}],
        "dynamic_batching": [{}],
        "scale": [1.5],
        "small": [0.001],
        "hex": [16],
        "is_on": ["true"],
        "text": ['a"b\ncAA'],
    }
    assert isinstance(said["is_on"][0], Word)
    assert not isinstance(said["name"][0], Word)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", "line 1: expected ':' or '{'"),
        ("a:", "expected a value"),
        ("\n\na: {", "it ends before '}'"),
        ("a: [1 2]", "expected ',' or ']', got '2'"),
        ("a: 1\n}", "line 2: expected a field's name, got '}'"),
        ("@", "line 1: '@'"),
        ('a: "x', "line 1"),
        ("a {" * 60, "more than 50 messages"),
        ("a: 1 " * 100_000, "line 1"),
    ],
)
def test_what_is_no_message_is_told_by_its_line(text: str, words: str) -> None:
    with pytest.raises(TextFormatError) as caught:
        parse(text)
    assert words in str(caught.value)


@given(st.text(alphabet="abc{}[]<>:,;\"'\\ \n0123.-#", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(TextFormatError):
        assert isinstance(parse(text), dict)


VALUES = st.recursive(
    st.integers(-(2**31), 2**31) | st.text(max_size=8) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES))
def test_what_protobuf_writes_is_read(content: dict[str, Any]) -> None:
    pytest.importorskip("google.protobuf")
    from google.protobuf import json_format, struct_pb2, text_format

    message = struct_pb2.Struct()
    json_format.ParseDict(content, message)
    said = parse(text_format.MessageToString(message))
    assert {field["key"][0] for field in said.get("fields", [])} == set(content)
