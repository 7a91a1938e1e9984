from dataclasses import fields

import pytest

from api.autoscaler_config import Defaults
from autoscaler.config import Settings


def test_defaults_are_knatives() -> None:
    settings = Settings()
    assert settings.defaults == Defaults()
    assert (settings.progress_deadline_s, settings.tick_s) == (600.0, 2.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("progress_deadline_s", 0, "progress-deadline = 0, must be positive"),
        ("status_after_s", float("nan"), "status-after = nan, must be positive"),
        ("tick_s", float("inf"), "tick = inf, must be positive and finite"),
        ("journal_length_max", -1, "journal-length-max = -1, must be positive"),
    ],
)
def test_out_of_bounds_is_refused_by_name(name: str, value: float, message: str) -> None:
    assert name in {field.name for field in fields(Settings)}
    with pytest.raises(ValueError, match=message):
        Settings(**{name: value})
