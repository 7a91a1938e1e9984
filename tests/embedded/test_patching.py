from typing import Any

import pytest

from api.kinds import PODS, SERVICES, Resource
from cluster.errors import ApiError, BadRequestError, InvalidError, UnsupportedMediaTypeError
from embedded.patching import patched

TARGET = {"metadata": {"name": "x"}, "containers": [{"name": "a"}, {"name": "b"}]}
CHANGE = {"containers": [{"name": "b", "image": "i"}]}


@pytest.mark.parametrize(
    ("resource", "kind", "names"),
    [
        (PODS, "merge", ["b"]),
        (PODS, "strategic", ["a", "b"]),
        (PODS, "apply", ["a", "b"]),
        (SERVICES, "merge", ["b"]),
        (SERVICES, "apply", ["b"]),
    ],
)
def test_lists_are_merged_by_name_in_built_in_kinds_only(
    resource: Resource, kind: Any, names: list[str]
) -> None:
    found = patched(resource, TARGET, CHANGE, kind)
    assert [each["name"] for each in found["containers"]] == names


def test_operations_are_carried_out() -> None:
    found = patched(PODS, TARGET, [{"op": "remove", "path": "/containers/0"}], "json")
    assert found["containers"] == [{"name": "b"}]


@pytest.mark.parametrize(
    ("resource", "kind", "patch", "error", "words"),
    [
        (SERVICES, "strategic", {}, UnsupportedMediaTypeError, "json-patch"),
        (PODS, "json", {}, BadRequestError, "malformed: a JSON patch is a list"),
        (
            PODS,
            "json",
            [{"op": "remove", "path": "/no"}],
            InvalidError,
            'Pod "x" is invalid: patch',
        ),
        (
            PODS,
            "json",
            [{"op": "replace", "path": "", "value": 1}],
            BadRequestError,
            "leaves no object",
        ),
        (PODS, "merge", "text", BadRequestError, "not an object but str"),
        (PODS, "apply", [], BadRequestError, "not an object but list"),
        (PODS, "strategic", {"$patch": "x"}, BadRequestError, "malformed"),
        (PODS, "strategic", {"containers": [{}]}, BadRequestError, "merge key 'name'"),
    ],
)
def test_what_does_not_fit_is_answered(
    resource: Resource, kind: Any, patch: Any, error: type[ApiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        patched(resource, TARGET, patch, kind)
