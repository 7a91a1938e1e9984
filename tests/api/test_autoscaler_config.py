from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from api.autoscaler_config import Defaults, SettingsError, parse, unknown
from api.settings_examples import AUTOSCALER, example


def test_an_empty_map_is_knatives_defaults_but_for_the_class() -> None:
    assert parse({}) == Defaults()
    assert parse({"_example": "x: y"}) == Defaults()
    assert Defaults().class_ == "relight.autoscaling.knative.dev"


CONCURRENCY = "container-concurrency-target"
FRACTION = "container_concurrency_target_fraction"


def test_the_example_says_what_holds_without_it_key_by_key() -> None:
    said = yaml.safe_load(example(AUTOSCALER))
    assert len(said) == len(fields(Defaults))
    assert parse(said) == Defaults()


@pytest.mark.parametrize(
    ("key", "text", "name", "value"),
    [
        (f"{CONCURRENCY}-percentage", "80", FRACTION, 0.8),
        (f"{CONCURRENCY}-percentage", "0.5", FRACTION, 0.5),
        (f"{CONCURRENCY}-percentage", "1", FRACTION, 1.0),
        (f"{CONCURRENCY}-default", "10", "container_concurrency_target_default", 10.0),
        ("requests-per-second-target-default", "0.01", "rps_target_default", 0.01),
        ("target-burst-capacity", "-1", "target_burst_capacity", -1.0),
        ("stable-window", "1h", "stable_window_s", 3600.0),
        ("panic-window-percentage", "100", "panic_window_percentage", 100.0),
        ("panic-threshold-percentage", "110.5", "panic_threshold_percentage", 110.5),
        ("max-scale-up-rate", "1.1", "max_scale_up_rate", 1.1),
        ("max-scale-down-rate", "3", "max_scale_down_rate", 3.0),
        ("enable-scale-to-zero", "F", "enable_scale_to_zero", False),
        ("scale-to-zero-grace-period", "1ms", "scale_to_zero_grace_period_s", 0.001),
        ("scale-to-zero-pod-retention-period", "1m30s", "retention_s", 90.0),
        ("pod-autoscaler-class", f" {keys.CLASS_KPA} ", "class_", keys.CLASS_KPA),
        ("pod-autoscaler-class", "example.com/mine", "class_", "example.com/mine"),
        ("activator-capacity", "1", "activator_capacity", 1.0),
        ("initial-scale", "3", "initial_scale", 3),
        ("allow-zero-initial-scale", "true", "allow_zero_initial_scale", True),
        ("min-scale", "2", "min_scale", 2),
        ("max-scale", "9", "max_scale", 9),
        ("scale-down-delay", "15m", "scale_down_delay_s", 900.0),
    ],
)
def test_every_key_is_read(key: str, text: str, name: str, value: Any) -> None:
    found = parse({key: text})
    changed = {
        each.name
        for each in fields(found)
        if getattr(found, each.name) != getattr(Defaults(), each.name)
    }
    assert changed == {name}
    assert getattr(found, name) == value


REFUSED = (Path(__file__).parent / "config_autoscaler_refused.txt").read_text().splitlines()[1:]


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_refused_in_knatives_words(line: str) -> None:
    words, _, message = line.partition(" -> ")
    data = dict(word.split("=", 1) for word in words.split(", "))
    with pytest.raises(SettingsError) as raised:
        parse(data)
    assert str(raised.value) == message


def test_every_wrong_key_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        parse({"windows": "1", "stable-window": "1s", "min-scale": "x", "max-scale-up-rate": "1"})
    for key in ("windows", "stable-window", "min-scale", "max-scale-up-rate"):
        assert key in str(raised.value)


def test_keys_of_a_later_knative_are_known_by_name() -> None:
    assert unknown({"stable-window": "6s", "_example": "", "b": "", "a": ""}) == ["a", "b"]


def test_permissive_ones_forbid_nothing_and_say_the_same_else() -> None:
    said = parse({"max-scale-limit": "5", "max-scale": "5", "min-scale": "2"})
    found = said.permissive
    assert (found.max_scale_limit, found.allow_zero_initial_scale) == (0, True)
    assert (found.max_scale, found.min_scale) == (5, 2)


@given(st.dictionaries(st.sampled_from([each.key for each in AUTOSCALER]), st.text(max_size=8)))
def test_no_text_does_anything_but_hold_or_be_refused(data: dict[str, str]) -> None:
    complaint = ""
    try:
        parse(data)
    except SettingsError as error:
        complaint = str(error)
    assert complaint == "" or any(key in complaint for key in data)
