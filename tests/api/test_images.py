import pytest

from api.images import is_predictor_image, is_valid, repository


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("relight/predictor", True),
        ("relight/predictor:0.1", True),
        ("registry.local:5000/relight/predictor:0.1", True),
        ("relight/predictor@sha256:abcd", True),
        ("relight/predictors", False),
        ("my-relight/predictor", False),
        ("nginx", False),
        ("", False),
    ],
)
def test_which_images_are_our_predictor(image: str, expected: bool) -> None:
    assert is_predictor_image(image) is expected


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "a/b:1",
        "relight/predictor",
        "registry.local:5000/a/b:v1.2",
        "gcr.io/a/b@sha256:" + "a" * 64,
        "a/b:1@sha256:" + "0" * 64,
    ],
)
def test_valid_images(image: str) -> None:
    assert is_valid(image)


@pytest.mark.parametrize(
    "image",
    ["", "a", "A/b", "a/b:", "a b", "a/b@sha256:12", "a/b:" + "t" * 129, "a/b@", "aa:b/c d"],
)
def test_invalid_images(image: str) -> None:
    assert not is_valid(image)


@pytest.mark.parametrize(
    ("image", "expected"),
    [("a/b:1", "a/b"), ("h:5000/a/b", "h:5000/a/b"), ("h:5000/a/b:1@sha256:x", "h:5000/a/b")],
)
def test_repository(image: str, expected: str) -> None:
    assert repository(image) == expected
