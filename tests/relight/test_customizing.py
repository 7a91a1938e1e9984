"""Images, settings and what survives an upgrade."""

from typing import Any

import pytest

from api import keys
from relight.customizing import (
    Wishes,
    customized,
    image,
    merged,
    parse_images,
    parse_settings,
)
from relight.errors import UsageError

NONE = Wishes(settings={})


def settings(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "relight-settings"}, "data": data}


@pytest.mark.parametrize(
    ("name", "prefix", "tag", "expected"),
    [
        ("relight/activator:0.1.0", "", "", "relight/activator:0.1.0"),
        ("relight/activator:0.1.0", "", "dev", "relight/activator:dev"),
        ("relight/predictor:0.1.0-gpu", "r.io/x/", "", "r.io/x/relight/predictor:0.1.0-gpu"),
        ("relight/predictor:0.1.0-gpu", "r.io", "2", "r.io/relight/predictor:2-gpu"),
        ("valkey/valkey:8.1", "r.io", "2", "valkey/valkey:8.1"),
        ("other/relight/predictor:0.1.0", "r.io", "2", "other/relight/predictor:0.1.0"),
    ],
)
def test_images(name: str, prefix: str, tag: str, expected: str) -> None:
    assert image(name, Wishes(image_prefix=prefix, image_tag=tag, settings={})) == expected


def test_images_in_containers_and_settings() -> None:
    pod = {"kind": "X", "metadata": {"name": "x"}, "c": [{"image": "relight/controller:0.1.0"}]}
    wishes = Wishes(image_tag="dev", settings={})
    found = customized([pod, settings(PREDICTOR_IMAGE="relight/predictor:0.1.0")], wishes, None)
    assert found[0]["c"] == [{"image": "relight/controller:dev"}]
    assert found[1]["data"] == {"PREDICTOR_IMAGE": "relight/predictor:dev"}


def test_settings_as_typed() -> None:
    assert parse_settings(["warm-pool=2", "DOMAIN=a=b", "state="]) == {
        "WARM_POOL": "2",
        "DOMAIN": "a=b",
        "STATE": "",
    }
    with pytest.raises(UsageError, match="expected KEY=VALUE"):
        parse_settings(["domain"])
    with pytest.raises(UsageError, match="--set warm-pol: no such setting; there are domain"):
        merged(settings(DOMAIN="x"), Wishes(settings={"WARM_POL": "1"}), None)
    with pytest.raises(UsageError, match="no ConfigMap"):
        customized([], Wishes(settings={"DOMAIN": "1"}), None)


def test_an_upgrade_keeps_what_was_changed_and_brings_what_was_not() -> None:
    first = merged(settings(A="1", B="1", C="1"), Wishes(settings={"A": "mine"}), None)
    first["data"]["B"] = "edited"
    second = merged(settings(A="2", B="2", C="2", D="2"), NONE, first)
    assert second["data"] == {"A": "mine", "B": "edited", "C": "2", "D": "2"}
    third = merged(settings(A="2", C="2"), Wishes(settings={"A": "other"}), second)
    assert third["data"] == {"A": "other", "C": "2"}


def test_what_kubectl_applied_is_known_by_its_own_books() -> None:
    stored = settings(A="1", B="edited")
    applied = '{"data": {"A": "1", "B": "1"}}'
    books = {"kubectl.kubernetes.io/last-applied-configuration": applied}
    stored["metadata"]["annotations"] = books
    assert merged(settings(A="2", B="2"), NONE, stored)["data"] == {"A": "2", "B": "edited"}


def test_pods_start_anew_when_a_setting_changes_and_only_then() -> None:
    deployment = {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {}}}

    def checksum(**data: str) -> str:
        found = customized([settings(**data), deployment], NONE, None)[1]
        return str(found["spec"]["template"]["metadata"]["annotations"][keys.SETTINGS_CHECKSUM])

    assert checksum(A="1", B="2") == checksum(B="2", A="1") != checksum(A="1", B="3")


@pytest.mark.parametrize(
    ("prefix", "tag"),
    [
        ("", ""),
        ("localhost:5000", "0.1.0"),
        ("r.example.org/team/a_b/", "v1_2.3-x"),
        ("[::1]:5", ""),
    ],
)
def test_what_can_be_part_of_an_images_name(prefix: str, tag: str) -> None:
    assert parse_images(prefix, tag) == (prefix, tag)


@pytest.mark.parametrize(
    ("prefix", "tag", "words"),
    [
        ("https://r.example.org", "", "--image-prefix https://.* without a scheme"),
        ("r.example.org/Team", "", "small letters"),
        ("r.example.org:", "", "--image-prefix"),
        ("", "a b", "--image-tag a b: a tag is of letters"),
        ("", "-x", "--image-tag -x"),
        ("", "x" * 129, "128 at most"),
        ("", "0.1.0@sha256:0", "--image-tag"),
    ],
)
def test_what_can_not_is_refused_before_anything_is_applied(
    prefix: str, tag: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        parse_images(prefix, tag)
