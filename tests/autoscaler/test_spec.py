from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import keys
from api.autoscaler_config import parse
from api.autoscaling import PodAutoscaler
from api.errors import InvalidObjectError
from api.objects import ObjectMeta
from autoscaler.config import Settings
from autoscaler.signals import Signal
from autoscaler.spec import Spec, build, headroom_target, is_ours

PREFIX = keys.AUTOSCALING_PREFIX


def autoscaler(
    concurrency: int = 0, reachability: str = "Reachable", **annotations: str
) -> PodAutoscaler:
    named = {PREFIX + name.replace("_", "-"): text for name, text in annotations.items()}
    return PodAutoscaler(
        metadata=ObjectMeta(name="r", annotations=named),
        scale_target_name="r-deployment",
        container_concurrency=concurrency,
        reachability=reachability,
    )


def built(concurrency: int = 0, reachability: str = "Reachable", **annotations: str) -> Spec:
    return build(autoscaler(concurrency, reachability, **annotations), Settings())


def test_the_class_is_ours_when_none_is_named() -> None:
    assert is_ours({}, Settings())
    assert is_ours({keys.SCALING_CLASS: keys.CLASS_KPA}, Settings())
    assert is_ours({keys.SCALING_CLASS: keys.CLASS_BESIDE}, Settings())
    assert not is_ours({keys.SCALING_CLASS: keys.CLASS_HPA}, Settings())
    assert not is_ours({keys.SCALING_CLASS: "example.com/mine"}, Settings())


def test_beside_another_autoscaler_a_class_has_to_be_named() -> None:
    settings = Settings(classes=(keys.CLASS_RELIGHT,), is_class_named=True)
    assert not is_ours({}, settings)
    assert not is_ours({keys.SCALING_CLASS: keys.CLASS_KPA}, settings)
    for name in (keys.CLASS_RELIGHT, keys.CLASS_BESIDE):
        assert is_ours({keys.SCALING_CLASS: name}, settings)


def test_who_can_not_be_woken_does_not_go_to_zero() -> None:
    found = build(autoscaler(initial_scale="0"), Settings(can_wake=False))
    assert (found.min_scale, found.initial_scale) == (1, 1)
    assert build(autoscaler(min_scale="3"), Settings(can_wake=False)).min_scale == 3


def test_a_metric_that_replicas_report_needs_somebody_who_reads_reports() -> None:
    raw = autoscaler(metric="tokens-in-flight", target="100", **{"class": keys.CLASS_BESIDE})
    assert build(raw, Settings()).signal is not None
    with pytest.raises(InvalidObjectError, match="nobody here reads"):
        build(raw, Settings(hears_reports=False))


def test_settings_hold_where_annotations_say_nothing() -> None:
    said = {
        "pod-autoscaler-class": keys.CLASS_KPA,
        "container-concurrency-target-default": "10",
        "container-concurrency-target-percentage": "50",
        "stable-window": "30s",
        "panic-window-percentage": "20",
        "max-scale-up-rate": "3",
        "enable-scale-to-zero": "false",
        "scale-to-zero-grace-period": "5s",
        "min-scale": "2",
        "max-scale": "4",
    }
    settings = Settings(defaults=parse(said))
    assert is_ours({}, settings)
    found = build(autoscaler(), settings)
    assert (found.is_kpa, found.target, found.total) == (True, 5.0, 10.0)
    assert (found.stable_window_s, found.panic_window_s) == (30.0, 6.0)
    assert (found.max_up_rate, found.is_zero_allowed, found.grace_s) == (3.0, False, 5.0)
    assert (found.min_scale, found.max_scale) == (2, 4)
    assert build(autoscaler(max_scale="0", min_scale="1"), settings).max_scale == 0


def test_what_was_admitted_under_other_settings_is_still_read() -> None:
    settings = Settings(defaults=parse({"max-scale": "3", "max-scale-limit": "3"}))
    assert build(autoscaler(max_scale="9"), settings).max_scale == 9
    assert build(autoscaler(initial_scale="0"), settings).initial_scale == 1
    allowing = Settings(defaults=parse({"allow-zero-initial-scale": "true"}))
    assert build(autoscaler(initial_scale="0"), allowing).initial_scale == 0


@pytest.mark.parametrize(
    ("concurrency", "class_", "target"),
    [
        (1, keys.CLASS_KPA, 0.7),
        (1, keys.CLASS_RELIGHT, 1.0),
        (2, keys.CLASS_RELIGHT, 1.4),
        (10, keys.CLASS_RELIGHT, 7.0),
        (0, keys.CLASS_RELIGHT, 70.0),
    ],
)
def test_headroom_stops_at_one_whole_request(concurrency: int, class_: str, target: float) -> None:
    assert built(concurrency, **{"class": class_}).target == pytest.approx(target)


def test_a_target_below_one_request_is_taken_as_it_is() -> None:
    assert built(target="0.5").target == 0.5


def test_rps_keeps_its_headroom() -> None:
    assert built(metric="rps", target="1").target == pytest.approx(0.7)
    assert built(metric="rps").is_rps


@given(total=st.floats(0.01, 1000), use=st.floats(0.01, 1))
def test_a_target_is_between_headroom_and_total(total: float, use: float) -> None:
    target = headroom_target(total * use, total)
    assert total * use <= target <= total
    assert target >= min(total, 1.0)


@pytest.mark.parametrize(
    ("window", "percentage", "panic_s"),
    [("60s", "10", 6.0), ("6s", "10", 1.0), ("6s", "1", 1.0), ("25s", "10", 3.0)],
)
def test_the_panic_window_is_whole_seconds(window: str, percentage: str, panic_s: float) -> None:
    assert built(window=window, panic_window_percentage=percentage).panic_window_s == panic_s


def test_without_a_route_neither_min_scale_nor_retention_holds() -> None:
    words = {"min_scale": "2", "scale_to_zero_pod_retention_period": "30s"}
    reachable, unknown = built(**words), built(reachability="", **words)
    unreachable = built(reachability="Unreachable", **words)
    assert (reachable.floor, reachable.retention_s, reachable.is_reachable) == (2, 30.0, True)
    assert (unknown.floor, unknown.is_reachable) == (2, True)
    assert (unreachable.floor, unreachable.retention_s, unreachable.is_reachable) == (0, 0.0, False)


def test_the_progress_deadline_gets_half_a_minute_more() -> None:
    def deadline(text: str | None) -> float:
        annotations = {} if text is None else {keys.PROGRESS_DEADLINE: text}
        autoscaler = PodAutoscaler(
            metadata=ObjectMeta(name="r", annotations=annotations), scale_target_name="d"
        )
        return build(autoscaler, Settings()).activation_timeout_s

    assert deadline(None) == 630.0
    waiting = PodAutoscaler(
        metadata=ObjectMeta(name="r", annotations={keys.WAITS: "Unschedulable"}),
        scale_target_name="d",
    )
    assert build(waiting, Settings()).activation_timeout_s > 1e6  # it stands still
    assert deadline("2m") == 150.0
    for wrong in ("soon", "-2m"):
        with pytest.raises(InvalidObjectError, match=f"invalid value: {wrong}"):
            deadline(wrong)


def test_a_wrong_annotation_is_named() -> None:
    with pytest.raises(InvalidObjectError, match="target-burst-capacity"):
        built(target_burst_capacity="-2")


def test_the_rest_is_passed_on() -> None:
    wanted = built(
        min_scale="1",
        max_scale="9",
        initial_scale="2",
        activation_scale="3",
        scale_down_delay="15s",
        panic_threshold_percentage="300",
        metric_aggregation_algorithm="weighted-exponential",
        target_burst_capacity="5",
    )
    assert (wanted.min_scale, wanted.max_scale, wanted.initial_scale) == (1, 9, 2)
    assert (wanted.activation_scale, wanted.scale_down_delay_s) == (3, 15.0)
    assert (wanted.panic_threshold, wanted.is_weighted) == (3.0, True)
    assert (wanted.target_burst_capacity, wanted.total) == (5.0, 100.0)


@pytest.mark.parametrize(
    ("concurrency", "metric", "expected"),
    [
        (0, "tokens-in-flight", Signal(metric="tokens-in-flight", target=2800, requests=70)),
        (
            1,
            "tokens-in-flight",
            Signal(metric="tokens-in-flight", target=2800, requests=1, slots=1),
        ),
        (10, "queue-delay", Signal(metric="queue-delay", target=4000, requests=7, slots=10)),
    ],
)
def test_what_replicas_report_is_measured_by_the_target(
    concurrency: int, metric: str, expected: Signal
) -> None:
    found = built(concurrency, metric=metric, target="4000")
    assert found.signal == expected
    assert (found.metric, found.target, found.total) == (metric, expected.target, 4000)
    assert found.queue_target == expected.requests
    assert found.target_burst_capacity == -1


def test_other_metrics_have_no_signal() -> None:
    for metric in ("concurrency", "rps"):
        found = built(metric=metric, target="10")
        assert (found.signal, found.metric) == (None, metric)
        assert found.queue_target == found.target


@pytest.mark.parametrize("is_followed", [True, False])
@pytest.mark.parametrize("said", ["true", "false", None])
def test_replicas_are_reached_directly_where_both_sides_say_so(
    is_followed: bool, said: str | None
) -> None:
    annotations = {} if said is None else {keys.DIRECT: said}
    raw = replace(autoscaler(), metadata=ObjectMeta(name="r", annotations=annotations))
    found = build(raw, Settings(is_mode_followed=is_followed))
    assert found.is_direct is (is_followed and said == "true")
