"""The schema: every message it names is there, and no number is given twice."""

import re

import pytest

from predictor.grpc_schema import FILES


@pytest.mark.parametrize(("name", "package", "text"), FILES)
def test_every_name_is_declared(name: str, package: str, text: str) -> None:
    declared = set(re.findall(r"^message (\w+) \{$", text, re.MULTILINE))
    used = set(re.findall(r"\((?:stream )?(\w+)\)", text))
    used |= set(re.findall(r"^ +(?:repeated )?([A-Z]\w+) \w+ = \d+;$", text, re.MULTILINE))
    assert used <= declared, (name, package)


@pytest.mark.parametrize(("name", "package", "text"), FILES)
def test_numbers_are_given_once_in_a_message(name: str, package: str, text: str) -> None:
    for message in re.split(r"^message ", text, flags=re.MULTILINE)[1:]:
        numbers = re.findall(r"= (\d+);", message)
        assert len(numbers) == len(set(numbers)), (name, package, message)
