"""Which script shows which rule of class relight.

For: seeing that none is missing. Each script begins with `# relight: RULE` and says how its numbers
     were worked out.
Must not know: what the scripts say.
"""

RULES = {
    "activation-scale-lasts": "activation_scale",
    "bounds": "bounds",
    "concurrency-one-asks-for-one": "one_request_concurrency_one",
    "expected": "relight_expected",
    "expected-not-where-starts-are-quick": "relight_expected_not",
    "full": "relight_full",
    "keep-alive-cheap": "relight_keep_cheap",
    "keep-alive-fast": "relight_keep_fast",
    "keep-further": "relight_keep_further",
    "keep-further-of-slow-starts": "relight_keep_further_slow",
    "keep-last": "scale_to_zero",
    "learned": "relight_clock",
    "learned-is-lost-with-the-dump": "relight_clock_lost",
    "learned-survives-a-restart": "relight_clock_kept",
    "max-scale-down-rate": "relight_down_rate",
    "max-scale-up-rate": "relight_up_rate",
    "need": "relight_need",
    "panic-window-percentage": "relight_fast_window",
    "panic-window-percentage-of-settings": "relight_fast_window_of_settings",
    "queue": "burst_from_zero",
    "queue-bounded": "queue_over_max_scale",
    "queue-delay": "queue_delay",
    "queue-with-headroom": "queue_with_headroom",
    "restart-and-nobody-reports": "restart_idle",
    "restart-goes-on": "relight_restart_kept",
    "restart-holds": "restart",
    "retention": "retention",
    "rps": "rps",
    "scale-down-delay": "relight_scale_down_delay",
    "surge": "relight_surge",
    "surge-threshold-high": "relight_surge_never",
    "surge-threshold-low": "relight_surge_soon",
    "target-changes": "relight_target_changes",
    "timed-out": "timed_out",
    "tokens-in-flight": "tokens_in_flight",
    "unreachable": "relight_unreachable",
    "weighted": "weighted",
    "window": "relight_window",
}
