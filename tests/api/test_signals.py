"""Metrics that replicas report: what must stand beside them, and what must not."""

from collections.abc import Callable, Mapping

import pytest

from api import keys, signals
from api.annotations import Annotations
from api.fields import Faults

TARGET = {keys.SCALING_TARGET: "100"}


def check(annotations: Mapping[str, str], metric: str | None) -> None:
    faults = Faults()
    signals.check(Annotations(annotations, "p", faults), metric)
    faults.raise_any()


@pytest.mark.parametrize("metric", signals.UNITS)
def test_a_target_is_all_that_is_needed(metric: str) -> None:
    check(TARGET, metric)
    check({**TARGET, keys.TARGET_BURST_CAPACITY: "-1"}, metric)


@pytest.mark.parametrize(
    ("metric", "unit"), [("tokens-in-flight", "tokens"), ("queue-delay", "milliseconds")]
)
def test_without_a_target_it_says_what_to_name(
    refused: Callable[..., str], metric: str, unit: str
) -> None:
    assert refused(check, {}, metric) == (
        "missing field(s): p.autoscaling.knative.dev/target\n"
        f"metric {metric} has no default target: say how many {unit} a replica"
    )


@pytest.mark.parametrize("metric", signals.UNITS)
def test_the_activator_stays_in_the_path(refused: Callable[..., str], metric: str) -> None:
    said = refused(check, {**TARGET, keys.TARGET_BURST_CAPACITY: "100"}, metric)
    assert said.splitlines() == [
        "invalid value: 100: p.autoscaling.knative.dev/target-burst-capacity",
        f"metric {metric} is read by the activator, which therefore stays: only -1",
    ]


def test_a_share_of_a_delay_means_nothing(refused: Callable[..., str]) -> None:
    share = {**TARGET, keys.TARGET_UTILIZATION: "50"}
    check(share, "tokens-in-flight")
    assert "lower the target" in refused(check, share, "queue-delay")


@pytest.mark.parametrize("metric", ["concurrency", "rps", None])
def test_other_metrics_need_nothing(metric: str | None) -> None:
    check({keys.TARGET_BURST_CAPACITY: "7", keys.TARGET_UTILIZATION: "50"}, metric)
