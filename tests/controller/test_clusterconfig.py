import pytest

from api import keys
from api.autoscaler_config import SettingsError
from api.settings_examples import OF_MAPS, checksum, example
from controller.clusterconfig import (
    ClusterConfig,
    Collection,
    fault,
    parse_collection,
    parse_rollout_s,
    updated,
)


def test_an_empty_map_is_knatives_defaults() -> None:
    assert parse_collection({}) == Collection(
        since_create_s=48 * 3600, since_active_s=15 * 3600, min_idle=20, max_idle=1000
    )
    assert parse_rollout_s({}) == 0


def test_every_rule_can_be_set_or_disabled() -> None:
    data = {
        "retain-since-create-time": "1m",
        "retain-since-last-active-time": "Disabled",
        "min-non-active-revisions": "0",
        "max-non-active-revisions": "disabled",
    }
    assert parse_collection(data) == Collection(
        since_create_s=60.0, since_active_s=None, min_idle=0, max_idle=None
    )


CREATE, ACTIVE = "retain-since-create-time", "retain-since-last-active-time"
LEAST, MOST = "min-non-active-revisions", "max-non-active-revisions"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({CREATE: "soon"}, f'failed to parse {CREATE}: time: invalid duration "soon"'),
        ({ACTIVE: "-1s"}, f"failed to parse {ACTIVE}: must be non-negative"),
        (
            {MOST: "-1"},
            f'failed to parse {MOST}: strconv.ParseUint: parsing "-1": invalid syntax',
        ),
        (
            {MOST: str(2**63)},
            f"failed to parse {MOST}: value should be lower than {2**63 - 1}",
        ),
        (
            {MOST: str(2**64)},
            f'failed to parse {MOST}: strconv.ParseUint: parsing "{2**64}": value out of range',
        ),
        (
            {LEAST: "few"},
            f'failed to parse data: failed to parse "{LEAST}": '
            'strconv.ParseInt: parsing "few": invalid syntax',
        ),
        (
            {LEAST: str(2**63)},
            f'failed to parse data: failed to parse "{LEAST}": '
            f'strconv.ParseInt: parsing "{2**63}": value out of range',
        ),
        ({LEAST: "-3"}, f"{LEAST} must be non-negative, was: -3"),
        ({LEAST: "5", MOST: "4"}, f"{LEAST}(5) must be <= {MOST}(4)"),
    ],
)
def test_a_rule_that_can_not_be_read(data: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_collection(data)
    assert str(raised.value) == message


def test_how_long_rollouts_take() -> None:
    assert parse_rollout_s({"rollout-duration": "380"}) == 380
    assert parse_rollout_s({"rolloutDuration": "5"}) == 5
    with pytest.raises(SettingsError, match="must be a positive integer, but was -1"):
        parse_rollout_s({"rollout-duration": "-1"})
    with pytest.raises(SettingsError, match='"rollout-duration": strconv'):
        parse_rollout_s({"rollout-duration": "5s"})


def test_one_map_leaves_the_settings_of_the_others() -> None:
    config = updated(ClusterConfig(), "config-network", {"rollout-duration": "9"})
    config = updated(config, "config-gc", {LEAST: "1"})
    assert (config.rollout_s, config.collection.min_idle) == (9, 1)
    assert updated(config, "config-gc", {}).collection == Collection()
    assert updated(config, "config-domain", {"x": "y"}) == config


def test_what_scales_and_how_long_it_may_take() -> None:
    config = updated(ClusterConfig(), "config-autoscaler", {"initial-scale": "3", "later": "x"})
    config = updated(config, "config-deployment", {"progress-deadline": "2m", "queue": "x"})
    assert (config.defaults.initial_scale, config.progress_deadline_s) == (3, 120)
    with pytest.raises(SettingsError, match="stable-window = 1s, must be in"):
        updated(config, "config-autoscaler", {"stable-window": "1s"})


def test_the_fault_of_a_config_map() -> None:
    wrong = {"retain-since-create-time": "soon"}
    found = fault("knative-serving", "config-gc", wrong)
    assert found.startswith("failed to parse retain-since-create-time: ")
    assert fault("knative-serving", "config-gc", {}) == ""
    assert fault("team", "config-gc", wrong) == ""
    assert fault("knative-serving", "other", wrong) == ""


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("config-autoscaler", {"min-scale": "1"}, ""),
        ("config-autoscaler", {"minscale": "1"}, '"minscale" is not served: not a key that'),
        ("config-autoscaler", {"min-scale": "-1"}, "min-scale = -1, must be at least 0"),
        ("config-deployment", {"progress-deadline": "1s"}, ""),
        ("config-deployment", {"progress-deadline": "0s"}, "progress-deadline cannot be a non-"),
        (
            "config-network",
            {"rollout-duration": "-1", "domain-template": "x"},
            '"domain-template" is not served: hosts are NAME.NAMESPACE.DOMAIN, and '
            "TAG-NAME.NAMESPACE.DOMAIN of a tag; rollout-duration must be a positive integer",
        ),
    ],
)
def test_every_fault_is_told_at_once(name: str, data: dict[str, str], expected: str) -> None:
    said = fault("knative-serving", name, data)
    assert said.startswith(expected)
    assert bool(said) == bool(expected)


@pytest.mark.parametrize("name", OF_MAPS)
def test_an_example_says_what_may_be_set_and_is_not_for_editing(name: str) -> None:
    text = example(OF_MAPS[name])
    said = {keys.EXAMPLE_CHECKSUM: checksum(text)}
    assert fault("knative-serving", name, {each.key: each.default for each in OF_MAPS[name]}) == ""
    assert fault("knative-serving", name, {"_example": text}, said) == ""
    edited = fault("knative-serving", name, {"_example": text.replace(": ", ":")}, said)
    assert edited.startswith('the update modifies a key in "_example" which is probably not')
