"""The short way through a parser's flags says what the parser says, or leaves it to the parser."""

import argparse
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.short_way import ShortWay


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False, add_help=False)
    found.add_argument("--model", "--model_uri", default="")
    found.add_argument("--threads", type=int, default=1)
    found.add_argument("--delay", type=float)
    found.add_argument("--prepared", choices=("auto", "off"), default="auto")
    found.add_argument("--trust", action="store_true")
    found.add_argument("--many", nargs="*")
    return found


PARSER = parser()
SHORT = ShortWay(PARSER)


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        ((), "threads", 1),
        (("--model", "a", "--model_uri", "b"), "model", "b"),
        (("--model=a=b",), "model", "a=b"),
        (("--threads", "4"), "threads", 4),
        (("--delay", "0.5"), "delay", 0.5),
        (("--prepared", "off"), "prepared", "off"),
        (("--trust",), "trust", True),
        (("--model", ""), "model", ""),
    ],
)
def test_flags_and_their_values_are_read(
    arguments: Sequence[str], name: str, expected: object
) -> None:
    found = SHORT.read(arguments)
    assert found is not None
    assert vars(found)[name] == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("model.onnx",),
        ("--unknown", "1"),
        ("--mod", "a"),
        ("--model",),
        ("--model", "--trust"),
        ("--threads", "-1"),
        ("--threads", "x"),
        ("--prepared", "maybe"),
        ("--trust=yes",),
        ("--model=",),
        ("--many", "a", "b"),
        ("--", "--model", "a"),
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(arguments: Sequence[str]) -> None:
    assert SHORT.read(arguments) is None


WORDS = st.sampled_from(
    (
        *("--model", "--model_uri", "--threads", "--delay", "--prepared", "--trust", "--many"),
        *("--model=a", "--threads=2", "--prepared=on", "--trust=1", "--delay=", "--mod", "--", "-"),
        *("", "a", "a b", "3", "-3", "0.5", "off", "--x y", "-q"),
    )
)


@given(st.lists(WORDS, max_size=6))
def test_it_never_says_otherwise(arguments: list[str]) -> None:
    found = SHORT.read(arguments)
    if found is not None:
        expected, unknown = PARSER.parse_known_args(arguments)
        assert (found, unknown) == (expected, [])


def test_one_reading_leaves_the_next_as_it_was() -> None:
    assert SHORT.read(("--model", "a")) is not None
    again = SHORT.read(())
    assert again is not None
    assert again.model == ""
