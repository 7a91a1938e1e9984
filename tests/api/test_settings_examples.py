import pytest
import yaml

from api import keys
from api.settings_examples import OF_MAPS, checksum, example, is_edited


@pytest.mark.parametrize("name", OF_MAPS)
def test_an_example_is_yaml_with_every_key(name: str) -> None:
    found = yaml.safe_load(example(OF_MAPS[name]))
    assert found == {each.key: each.default for each in OF_MAPS[name]}


def test_the_checksum_is_knatives() -> None:
    # Of knative.dev/pkg/configmap: CRC-32 of the text with line ends folded, ends left out.
    assert checksum("") == "00000000"
    assert checksum("  a\n\n\r\nb \n") == checksum("a\nb") == checksum(r"a\nb")
    assert checksum("a") == "e8b7be43"


def test_only_a_text_that_its_checksum_does_not_fit_is_edited() -> None:
    text = "a: b"
    said = {keys.EXAMPLE_CHECKSUM: checksum(text)}
    assert not is_edited({"_example": text}, said)
    assert not is_edited({"_example": f"\n{text}\n"}, said)
    assert is_edited({"_example": f"{text}c"}, said)
    assert not is_edited({"_example": f"{text}c"}, {})
    assert not is_edited({"x": "y"}, said)
