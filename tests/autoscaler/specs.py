"""Specs for tests: every field has a plain value, and a test names what it is about."""

from typing import Any

from autoscaler.spec import Spec


def spec(**changes: Any) -> Spec:
    fields: dict[str, Any] = {
        "is_kpa": True,
        "is_rps": False,
        "is_weighted": False,
        "target": 7.0,
        "total": 10.0,
        "target_burst_capacity": -1.0,
        "min_scale": 0,
        "max_scale": 0,
        "initial_scale": 1,
        "activation_scale": 1,
        "is_reachable": True,
        "stable_window_s": 60.0,
        "panic_window_s": 6.0,
        "panic_threshold": 2.0,
        "scale_down_delay_s": 0.0,
        "max_up_rate": 1000.0,
        "max_down_rate": 2.0,
        "grace_s": 30.0,
        "retention_s": 0.0,
        "activation_timeout_s": 630.0,
        "is_zero_allowed": True,
        "journal_length_max": 200,
    }
    return Spec(**(fields | changes))
