from dataclasses import fields

import pytest

from autoscaler.config import Settings


def test_defaults_are_knatives() -> None:
    settings = Settings()
    assert (settings.max_scale_up_rate, settings.max_scale_down_rate) == (1000.0, 2.0)
    assert settings.enable_scale_to_zero
    assert settings.scale_to_zero_grace_period_s == 30.0
    assert (settings.progress_deadline_s, settings.tick_s) == (600.0, 2.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_scale_up_rate", 1.0, "max-scale-up-rate = 1.0, must be greater than 1.0"),
        ("max_scale_down_rate", 0.5, "max-scale-down-rate = 0.5, must be greater than 1.0"),
        ("max_scale_down_rate", float("nan"), "max-scale-down-rate = nan, must be greater"),
        ("scale_to_zero_grace_period_s", 0, "scale-to-zero-grace-period = 0, must be positive"),
        ("tick_s", float("inf"), "tick = inf, must be positive and finite"),
        ("journal_length_max", -1, "journal-length-max = -1, must be positive"),
    ],
)
def test_out_of_bounds_is_refused_by_name(name: str, value: float, message: str) -> None:
    assert name in {field.name for field in fields(Settings)}
    with pytest.raises(ValueError, match=message):
        Settings(**{name: value})
