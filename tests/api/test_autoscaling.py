import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from api.annotations import camel_case
from api.autoscaler_config import Defaults, parse
from api.autoscaling import (
    PodAutoscaler,
    Scaling,
    Target,
    admitted_scaling,
    class_of,
    parse_scaling,
    resolve_target,
)
from api.errors import InvalidObjectError

PREFIX = keys.AUTOSCALING_PREFIX
PATH = "spec.template.metadata.annotations." + PREFIX


def scaling(*, spell: Callable[[str], str] = str, **annotations: str) -> Scaling:
    dashed = {name.rstrip("_").replace("_", "-"): text for name, text in annotations.items()}
    return parse_scaling({spell(PREFIX + name): text for name, text in dashed.items()})


def test_defaults_are_knatives_but_for_the_class() -> None:
    assert parse_scaling({}) == Scaling(
        class_="relight.autoscaling.knative.dev",
        metric="concurrency",
        target=None,
        target_utilization=None,
        target_burst_capacity=211,
        min_scale=0,
        max_scale=0,
        initial_scale=1,
        activation_scale=1,
        scale_down_delay_s=0,
        retention_s=0,
        stable_window_s=60,
        panic_window_percentage=10,
        panic_threshold_percentage=200,
        aggregation="linear",
    )


@pytest.mark.parametrize("spell", [str, camel_case])
def test_every_annotation_is_read_in_both_spellings(spell: Callable[[str], str]) -> None:
    found = scaling(
        spell=spell,
        class_="kpa.autoscaling.knative.dev",
        metric="rps",
        target="12.5",
        target_utilization_percentage="80",
        target_burst_capacity="-1",
        min_scale="1",
        max_scale="9",
        initial_scale="2",
        activation_scale="3",
        scale_down_delay="15m",
        scale_to_zero_pod_retention_period="90s",
        window="2m",
        panic_window_percentage="20",
        panic_threshold_percentage="150",
        metric_aggregation_algorithm="weightedExponential",
    )
    assert found == Scaling(
        class_="kpa.autoscaling.knative.dev",
        metric="rps",
        target=12.5,
        target_utilization=0.8,
        target_burst_capacity=-1,
        min_scale=1,
        max_scale=9,
        initial_scale=2,
        activation_scale=3,
        scale_down_delay_s=900,
        retention_s=90,
        stable_window_s=120,
        panic_window_percentage=20,
        panic_threshold_percentage=150,
        aggregation="weighted-exponential",
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("class", "foo.knative.dev", "invalid value: foo.knative.dev: {}"),
        (
            "class",
            "",
            "invalid value: : {}\nknown classes: relight.autoscaling.knative.dev"
            ", kpa.autoscaling.knative.dev, hpa.autoscaling.knative.dev",
        ),
        (
            "class",
            "bogus",
            "invalid value: bogus: {}\nknown classes: relight.autoscaling.knative.dev"
            ", kpa.autoscaling.knative.dev, hpa.autoscaling.knative.dev",
        ),
        ("class", "x.autoscaling.knative.dev", "invalid value: x.autoscaling.knative.dev: {}"),
        ("metric", "cpu", "invalid value: cpu: {}"),
        ("target", "0.001", "target 0.001 should be at least 0.01: {}"),
        ("target", "-1", "target -1 should be at least 0.01: {}"),
        ("target", "many", "invalid value: many: {}"),
        ("target-utilization-percentage", "0", "expected 1 <= 0 <= 100: {}"),
        ("target-utilization-percentage", "100.1", "expected 1 <= 100.1 <= 100: {}"),
        ("target-burst-capacity", "-2", "invalid value: -2: {}"),
        ("min-scale", "-1", "expected 0 <= -1 <= 2147483647: {}"),
        ("max-scale", "2147483648", "expected 0 <= 2147483648 <= 2147483647: {}"),
        ("min-scale", "one", "invalid value: one: {}"),
        ("initial-scale", "0", "invalid value: 0: {}=0 not allowed by cluster"),
        ("initial-scale", "-1", "invalid value: -1: {} must be greater than 0"),
        ("initial-scale", "x", "invalid value: x: {}"),
        ("activation-scale", "1", "activation-scale=1 must be greater than 1: {}"),
        ("scale-down-delay", "2h", "expected 0s <= 2h <= 1h0m0s: {}"),
        ("scale-down-delay", "-1s", "expected 0s <= -1s <= 1h0m0s: {}"),
        ("scale-down-delay", "1ms", "must be specified with at most second precision: {}"),
        ("scale-to-zero-pod-retention-period", "61m", "expected 0s <= 61m <= 1h0m0s: {}"),
        ("activation-scale", "3000000000", "invalid value: 3000000000: {}"),
        ("activation-scale", "two", "invalid value: two: {}"),
        ("window", "5s", "expected 6s <= 5s <= 1h0m0s: {}"),
        ("window", "6.5s", "must be specified with at most second precision: {}"),
        ("panic-window-percentage", "0.5", "expected 1 <= 0.5 <= 100: {}"),
        ("panic-threshold-percentage", "109", "expected 110 <= 109 <= 1000: {}"),
        ("metric-aggregation-algorithm", "median", "invalid value: median: {}"),
    ],
)
def test_a_wrong_value_is_refused_in_knatives_words(
    refused: Callable[..., str], name: str, text: str, expected: str
) -> None:
    assert refused(parse_scaling, {PREFIX + name: text}) == expected.format(PATH + name)


@pytest.mark.parametrize(
    ("low", "high", "activation", "expected"),
    [
        ("3", "2", None, f"max-scale=2 is less than min-scale=3: {PATH}max-scale, {PATH}min-scale"),
        (
            "3",
            "0",
            "2",
            f"min-scale=3 is greater than activation-scale=2: {PATH}activation-scale",
        ),
        ("0", "4", "5", f"max-scale=4 is less than activation-scale=5: {PATH}activation-scale"),
    ],
)
def test_bounds_must_agree(
    refused: Callable[..., str], low: str, high: str, activation: str | None, expected: str
) -> None:
    raw = {keys.MIN_SCALE: low, keys.MAX_SCALE: high}
    if activation:
        raw[keys.ACTIVATION_SCALE] = activation
    assert refused(parse_scaling, raw) == expected


def test_no_maximum_allows_any_minimum() -> None:
    assert scaling(min_scale="5", max_scale="0", activation_scale="7").min_scale == 5


def test_every_error_is_told(refused: Callable[..., str]) -> None:
    raw = {keys.MIN_SCALE: "x", keys.STABLE_WINDOW: "1s", PREFIX + "minscale": "1"}
    assert refused(parse_scaling, raw, path="p").splitlines() == [
        f"expected 6s <= 1s <= 1h0m0s: p.{keys.STABLE_WINDOW}",
        f'invalid key name "{PREFIX}minscale": p',
        "not an autoscaling annotation that Relight knows",
        f"invalid value: x: p.{keys.MIN_SCALE}",
    ]


def test_our_class_has_a_name_that_knative_admits_and_the_metric_it_adds_then() -> None:
    raw = {keys.SCALING_CLASS: keys.CLASS_BESIDE, keys.SCALING_METRIC: ""}
    assert not keys.CLASS_BESIDE.endswith(".knative.dev")
    found = parse_scaling(raw)
    assert (found.class_, found.metric) == (keys.CLASS_RELIGHT, "concurrency")
    with pytest.raises(InvalidObjectError, match="invalid value: : "):
        parse_scaling({**raw, keys.SCALING_CLASS: keys.CLASS_KPA})


def test_a_foreign_class_keeps_its_metric_its_algorithm_and_its_keys() -> None:
    found = scaling(
        class_="mine.example.com",
        metric="gpu",
        metric_aggregation_algorithm="median",
        frobnication="high",
        min_scale="2",
    )
    assert (found.class_, found.min_scale) == ("mine.example.com", 2)


def test_a_foreign_class_still_has_bounds(refused: Callable[..., str]) -> None:
    raw = {keys.SCALING_CLASS: "mine.example.com", keys.MIN_SCALE: "-1"}
    assert "expected 0 <= -1" in refused(parse_scaling, raw)


@pytest.mark.parametrize(
    ("found", "concurrency", "expected"),
    [
        (Scaling(), 0, Target(target=70, total=100)),
        (Scaling(), 1, Target(target=0.7, total=1)),
        (Scaling(target=10), 0, Target(target=7, total=10)),
        (Scaling(target=10), 4, Target(target=2.8, total=4)),
        (Scaling(target=3), 4, Target(target=2.1, total=3)),
        (Scaling(target_utilization=1), 4, Target(target=4, total=4)),
        (Scaling(metric="rps"), 4, Target(target=140, total=200)),
        (Scaling(metric="rps", target=50), 4, Target(target=35, total=50)),
        (Scaling(target=0.01, target_utilization=0.01), 0, Target(target=0.01, total=0.01)),
    ],
)
def test_resolve_target(found: Scaling, concurrency: int, expected: Target) -> None:
    target = resolve_target(found, concurrency)
    assert math.isclose(target.target, expected.target)
    assert math.isclose(target.total, expected.total)


@given(
    st.builds(
        Scaling,
        metric=st.sampled_from(["concurrency", "rps"]),
        target=st.none() | st.floats(0.01, 1e9),
        target_utilization=st.none() | st.floats(0.01, 1),
    ),
    st.integers(0, 1000),
)
def test_a_target_is_positive_and_no_more_than_one_replica_can(
    found: Scaling, concurrency: int
) -> None:
    target = resolve_target(found, concurrency)
    assert 0.01 <= target.target <= max(0.01, target.total)
    if concurrency and found.metric == "concurrency":
        assert target.total <= concurrency


def test_podautoscaler(podautoscaler: dict[str, Any]) -> None:
    podautoscaler["status"] = {"desiredScale": 2}
    found = PodAutoscaler.parse(podautoscaler)
    assert found.metadata.name == "iris-00001"
    assert found.scale_target_name == "iris-00001-deployment"
    assert (found.container_concurrency, found.reachability) == (1, "Reachable")
    assert found.status == {"desiredScale": 2}


def test_a_wrong_podautoscaler(podautoscaler: dict[str, Any], refused: Callable[..., str]) -> None:
    podautoscaler["metadata"]["annotations"] = {keys.MIN_SCALE: "-1"}
    podautoscaler["spec"] = {
        "scaleTargetRef": {"apiVersion": "v1", "namespace": "x"},
        "containerConcurrency": 1001,
        "reachability": "Maybe",
        "protocolType": "h3",
        "minScale": 1,
    }
    assert refused(PodAutoscaler.parse, podautoscaler).splitlines() == [
        "expected 0 <= -1 <= 2147483647: metadata.annotations.autoscaling.knative.dev/min-scale",
        "expected 0 <= 1001 <= 1000: spec.containerConcurrency",
        "invalid value: Maybe: spec.reachability",
        "invalid value: h3: spec.protocolType",
        "invalid value: v1: spec.scaleTargetRef.apiVersion",
        "only apps/v1 can be scaled",
        "missing field(s): spec.scaleTargetRef.kind, spec.scaleTargetRef.name",
        "unknown field: spec.minScale, spec.scaleTargetRef.namespace",
    ]


@pytest.mark.parametrize("word", ["cheap", "balanced", "fast"])
def test_keep_alive_is_one_of_three_words(word: str) -> None:
    assert parse_scaling({keys.KEEP_ALIVE: word}).keep_alive == word


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({keys.KEEP_ALIVE: "slow"}, "invalid value: slow"),
        (
            {keys.KEEP_ALIVE: "fast", keys.SCALING_CLASS: keys.CLASS_KPA},
            "only class relight.autoscaling.knative.dev learns",
        ),
    ],
)
def test_a_keep_alive_that_means_nothing_is_refused(
    annotations: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidObjectError, match=message) as caught:
        parse_scaling(annotations)
    assert keys.KEEP_ALIVE in str(caught.value)


@pytest.mark.parametrize("metric", ["tokens-in-flight", "queue-delay"])
def test_what_replicas_report_is_a_metric_of_ours_alone(
    refused: Callable[..., str], metric: str
) -> None:
    raw = {keys.SCALING_METRIC: metric, keys.SCALING_TARGET: "4000"}
    assert parse_scaling(raw).metric == metric
    said = refused(parse_scaling, {**raw, keys.SCALING_CLASS: keys.CLASS_KPA})
    assert said == f"invalid value: {metric}: {PATH}metric"


def test_a_delay_is_aimed_at_and_tokens_leave_headroom() -> None:
    tokens = resolve_target(Scaling(metric="tokens-in-flight", target=4000), 1)
    delay = resolve_target(Scaling(metric="queue-delay", target=250), 1)
    assert math.isclose(tokens.target, 2800)
    assert tokens.total == 4000
    assert delay == Target(target=250, total=250)


def hpa(**annotations: str) -> dict[str, str]:
    named = {PREFIX + name.replace("_", "-"): text for name, text in annotations.items()}
    return {keys.SCALING_CLASS: keys.CLASS_HPA, **named}


@pytest.mark.parametrize("metric", ["cpu", "memory", "concurrency", "my-queue-length"])
def test_class_hpa_takes_any_metric(metric: str) -> None:
    found = parse_scaling(hpa(metric=metric, target="70", min_scale="1", window="20s"))
    assert (found.class_, found.target, found.min_scale) == (keys.CLASS_HPA, 70.0, 1)


def test_class_hpa_takes_no_empty_metric_and_nothing_without_effect(
    refused: Callable[..., str],
) -> None:
    assert refused(parse_scaling, hpa(metric="")) == f"invalid value: : {PATH}metric"
    for name, text in {
        "target-utilization-percentage": "70",
        "targetBurstCapacity": "1",
        "activation-scale": "2",
        "scale-down-delay": "1m",
        "scale-to-zero-pod-retention-period": "1m",
        "panic-window-percentage": "10",
        "panic-threshold-percentage": "200",
        "metric-aggregation-algorithm": "linear",
    }.items():
        assert refused(parse_scaling, {**hpa(), PREFIX + name: text}).splitlines() == [
            f"must not set the field(s): {PATH}{name}",
            "a HorizontalPodAutoscaler, of class hpa, has no such thing",
        ]
    assert "invalid key name" in refused(parse_scaling, {**hpa(), PREFIX + "minscale": "1"})


EVERY = {
    "pod-autoscaler-class": keys.CLASS_KPA,
    "target-burst-capacity": "7",
    "min-scale": "2",
    "max-scale": "8",
    "initial-scale": "3",
    "scale-down-delay": "1m",
    "scale-to-zero-pod-retention-period": "2m",
    "stable-window": "30s",
    "panic-window-percentage": "50",
    "panic-threshold-percentage": "150",
}


def test_settings_hold_where_annotations_say_nothing() -> None:
    assert parse_scaling({}, defaults=parse(EVERY)) == Scaling(
        class_=keys.CLASS_KPA,
        target_burst_capacity=7,
        min_scale=2,
        max_scale=8,
        initial_scale=3,
        scale_down_delay_s=60,
        retention_s=120,
        stable_window_s=30,
        panic_window_percentage=50,
        panic_threshold_percentage=150,
    )


def test_what_an_annotation_says_holds_against_a_setting() -> None:
    zero = {keys.MIN_SCALE: "0", keys.MAX_SCALE: "0", keys.TARGET_BURST_CAPACITY: "0"}
    found = parse_scaling(zero, defaults=parse(EVERY))
    assert (found.min_scale, found.max_scale, found.target_burst_capacity) == (0, 0, 0)
    # Knative compares what annotations say, and lets a default minimum win over them.
    low = parse_scaling({keys.MAX_SCALE: "1"}, defaults=parse(EVERY))
    assert (low.min_scale, low.max_scale) == (2, 1)


LIMITED = parse({"max-scale": "3", "max-scale-limit": "5"})


@pytest.mark.parametrize("spell", [str, camel_case])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6", "expected 1 <= 6 <= 5: {}"),
        ("0", "max-scale=0 (unlimited), must be less than 5: {}"),
    ],
)
def test_no_maximum_above_the_limit(
    refused: Callable[..., str], spell: Callable[[str], str], text: str, expected: str
) -> None:
    said = refused(parse_scaling, {spell(keys.MAX_SCALE): text}, defaults=LIMITED)
    assert said == expected.format(f"spec.template.metadata.annotations.{spell(keys.MAX_SCALE)}")
    assert admitted_scaling({keys.MAX_SCALE: text}, defaults=LIMITED).max_scale == int(text)


def test_the_limit_is_a_maximum_and_says_nothing_where_none_is_named() -> None:
    assert parse_scaling({keys.MAX_SCALE: "5"}, defaults=LIMITED).max_scale == 5
    assert parse_scaling({}, defaults=LIMITED).max_scale == 3


def test_an_initial_scale_of_zero_is_for_those_who_allow_it() -> None:
    zero = {keys.INITIAL_SCALE: "0"}
    allowing = parse({"allow-zero-initial-scale": "true", "initial-scale": "0"})
    assert parse_scaling(zero, defaults=allowing).initial_scale == 0
    assert parse_scaling({}, defaults=allowing).initial_scale == 0
    forbidding = parse({"initial-scale": "4"})
    assert admitted_scaling(zero, defaults=forbidding).initial_scale == 4


def test_the_class_of_the_settings_decides_what_a_metric_may_be(
    refused: Callable[..., str],
) -> None:
    ours = {keys.SCALING_METRIC: "tokens-in-flight", keys.SCALING_TARGET: "10"}
    assert parse_scaling(ours).metric == "tokens-in-flight"
    kpa = parse({"pod-autoscaler-class": keys.CLASS_KPA})
    assert "invalid value: tokens-in-flight" in refused(parse_scaling, ours, defaults=kpa)
    foreign = parse({"pod-autoscaler-class": "example.com/mine"})
    assert class_of({}, foreign) == "example.com/mine"
    assert parse_scaling({keys.SCALING_METRIC: "gpu"}, defaults=foreign).metric == "concurrency"


@pytest.mark.parametrize(
    ("metric", "concurrency", "expected"),
    [
        ("concurrency", 0, Target(target=5, total=10)),
        ("concurrency", 4, Target(target=2, total=4)),
        ("rps", 4, Target(target=35, total=50)),  # whose fraction is a constant of Knative's
    ],
)
def test_targets_by_settings(metric: Any, concurrency: int, expected: Target) -> None:
    defaults = Defaults(
        container_concurrency_target_fraction=0.5,
        container_concurrency_target_default=10,
        rps_target_default=50,
    )
    found = resolve_target(Scaling(metric=metric), concurrency, defaults)
    assert math.isclose(found.target, expected.target)
    assert found.total == expected.total


def test_what_is_kept_alive_rests_while_the_settings_class_learns_nothing() -> None:
    kept = {keys.KEEP_ALIVE: "fast"}
    knatives = Defaults(class_=keys.CLASS_KPA)
    assert admitted_scaling(kept, defaults=knatives).keep_alive == "balanced"
    assert admitted_scaling(kept, defaults=Defaults()).keep_alive == "fast"
    with pytest.raises(InvalidObjectError, match="only class"):  # it is not written, though
        parse_scaling(kept, defaults=knatives)
    with pytest.raises(InvalidObjectError, match="only class"):
        admitted_scaling({**kept, keys.SCALING_CLASS: keys.CLASS_KPA}, defaults=Defaults())
