from typing import Any

import pytest

from embedded.environment import MissingError
from embedded.volumes import File, content, is_filled
from tests.embedded.test_environment import ABOUT, LOOKUP


def files(**volume: Any) -> dict[str, File]:
    assert is_filled(volume)
    return content({"name": "v", **volume}, ABOUT, LOOKUP)


def test_a_config_map_is_one_file_for_each_key() -> None:
    found = files(configMap={"name": "words", "defaultMode": 0o400})
    assert {name: file.content for name, file in found.items()} == {
        "a": b"one",
        "b": b"two",
        "c": b"three",
    }
    assert {file.mode for file in found.values()} == {0o400}


def test_items_choose_paths_and_modes() -> None:
    items = [{"key": "p", "path": "deep/er", "mode": 0o600}]
    found = files(secret={"secretName": "hidden", "items": items})
    assert found == {"deep/er": File(content=b"s3cret", mode=0o600)}


def test_sources_are_projected_into_one_directory() -> None:
    found = files(
        projected={
            "defaultMode": 0o440,
            "sources": [
                {"configMap": {"name": "words", "items": [{"key": "a", "path": "w/a"}]}},
                {"secret": {"name": "hidden"}},
                {
                    "downwardAPI": {
                        "items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]
                    }
                },
            ],
        }
    )
    assert {path: file.content for path, file in found.items()} == {
        "w/a": b"one",
        "p": b"s3cret",
        "n": b"p",
    }
    assert {file.mode for file in found.values()} == {0o440}


def test_a_pod_describes_itself_in_files() -> None:
    reference = {"containerName": "c", "resource": "limits.cpu"}
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": reference},
    ]
    found = files(downwardAPI={"items": items})
    assert found["labels"].content.startswith(b'app="a"')
    assert found["cpu"].content == b"2"


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"configMap": {"name": "no"}}, 'configmap "no" not found'),
        ({"secret": {"secretName": "no"}}, 'secret "no" not found'),
        (
            {"configMap": {"name": "words", "items": [{"key": "z", "path": "z"}]}},
            "configmap references non-existent config key: z",
        ),
        (
            {"secret": {"secretName": "hidden", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent secret key: z",
        ),
        ({"configMap": {"name": "words", "items": [{"key": "a", "path": "../a"}]}}, 'contain ".."'),
    ],
)
def test_what_is_missing_is_told(volume: dict[str, Any], words: str) -> None:
    with pytest.raises(MissingError, match=words):
        files(**volume)


def test_what_is_optional_may_be_missing() -> None:
    assert files(configMap={"name": "no", "optional": True}) == {}
    items = [{"key": "z", "path": "z"}]
    assert files(secret={"secretName": "hidden", "items": items, "optional": True}) == {}


def test_a_directory_is_not_filled() -> None:
    assert not is_filled({"name": "v", "emptyDir": {}})
