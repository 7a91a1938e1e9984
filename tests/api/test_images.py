import pytest

from api.images import is_predictor_image


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
