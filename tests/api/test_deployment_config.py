import pytest

from api.autoscaler_config import SettingsError
from api.deployment_config import parse


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        ({}, 600),
        ({"progress-deadline": "2m"}, 120),
        ({"progressDeadline": "5s"}, 5),
        ({"progressDeadline": "5s", "progress-deadline": "7s"}, 7),
        ({"queue-sidecar-image": "x", "_example": ""}, 600),
    ],
)
def test_how_long_a_revision_may_take(data: dict[str, str], seconds: int) -> None:
    assert parse(data) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0s", "progress-deadline cannot be a non-positive duration, was 0s"),
        ("-1m", "progress-deadline cannot be a non-positive duration, was -1m0s"),
        ("1.5s", "progress-deadline must be rounded to a whole second, was: 1.5s"),
        ("soon", 'failed to parse "progress-deadline": time: invalid duration "soon"'),
    ],
)
def test_what_is_refused_in_knatives_words(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse({"progress-deadline": text})
    assert str(raised.value) == message
