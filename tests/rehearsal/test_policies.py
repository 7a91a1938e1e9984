"""Names of policies, and what is wrong with some."""

import pytest

from api import keys
from rehearsal.policies import Kind, of_class, parse

WINDOW = "autoscaling.knative.dev/window"


@pytest.mark.parametrize(
    ("text", "kind", "annotations"),
    [
        ("kpa", Kind.CLASS, {keys.SCALING_CLASS: keys.CLASS_KPA}),
        ("relight", Kind.CLASS, {keys.SCALING_CLASS: keys.CLASS_RELIGHT}),
        ("relight/fast", Kind.CLASS,
         {keys.SCALING_CLASS: keys.CLASS_RELIGHT, keys.KEEP_ALIVE: "fast"}),
        ("relight,keep-alive=cheap,min-scale=1", Kind.CLASS,
         {keys.SCALING_CLASS: keys.CLASS_RELIGHT, keys.KEEP_ALIVE: "cheap",
          keys.MIN_SCALE: "1"}),
        (" kpa, window=30s , target=2", Kind.CLASS,
         {keys.SCALING_CLASS: keys.CLASS_KPA, WINDOW: "30s", keys.SCALING_TARGET: "2"}),
        ("kpa,autoscaling.knative.dev/window=30s", Kind.CLASS,
         {keys.SCALING_CLASS: keys.CLASS_KPA, WINDOW: "30s"}),
        ("keep-alive=10m,min-scale=1", Kind.KEEP_ALIVE, {keys.MIN_SCALE: "1"}),
        ("always-on", Kind.ALWAYS_ON, {}),
        ("oracle", Kind.ORACLE, {}),
    ],
)  # fmt: skip
def test_a_policy_is_read(text: str, kind: Kind, annotations: dict[str, str]) -> None:
    policy = parse(text)
    assert (policy.name, policy.kind, policy.annotations) == (text.strip(), kind, annotations)


def test_a_keep_alive_is_a_duration() -> None:
    assert parse("keep-alive=600s").keep_s == 600.0
    assert parse("keep-alive=1m30s").keep_s == 90.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "policy '': '' is not known; there are kpa, relight"),
        ("knative", "policy 'knative': 'knative' is not known"),
        ("kpa/fast", "policy 'kpa/fast': 'kpa/fast' is not known"),
        ("relight/", "policy 'relight/': '' is none of cheap, balanced, fast"),
        ("relight/slow", "'slow' is none of cheap, balanced, fast"),
        ("relight/fast,keep-alive=cheap", "'keep-alive' is given twice"),
        ("kpa,window", "policy 'kpa,window': 'window' is not KNOB=VALUE"),
        ("kpa,window=", "'window=' is not KNOB=VALUE"),
        ("kpa,", "policy 'kpa,': '' is not KNOB=VALUE"),
        ("kpa,window=1s", "policy 'kpa,window=1s': 'window=1s': expected 6s <= 1s <= 1h0m0s"),
        ("kpa,windows=9s", "'windows=9s': "),
        ("kpa,keep-alive=fast", "'keep-alive=fast': only class"),
        ("relight,metric=tokens-in-flight", "a trace tells of concurrency and rps only"),
        ("kpa,example.dev/window=9s", "'example.dev/window' is no annotation that scaling is"),
        ("kpa,initial-scale=3", "a rehearsal begins long after 'initial-scale' mattered"),
        ("kpa,class=relight", "the class is named first, not by 'class'"),
        ("kpa,min-scale=3,max-scale=2", "'max-scale=2': max-scale=2 is less than min-scale=3"),
        ("keep-alive=9s,window=9s", "a keep-alive has the knobs min-scale and max-scale, not"),
        ("keep-alive=long", "'long' is not a duration such as 90s or 10m"),
        ("keep-alive=-5s", "'-5s' is not a duration"),
        ("oracle,window=9s", "oracle has no knobs, and 'window=9s' is one"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="policy") as caught:
        parse(text)
    assert says in str(caught.value)
    assert ": ." not in str(caught.value)  # a path into an object that there is none of


def test_a_policy_of_annotations_is_one_that_can_be_written() -> None:
    policy = of_class("relight", {WINDOW: "30s", keys.KEEP_ALIVE: "fast"})
    assert policy.name == "relight,window=30s,keep-alive=fast"
    assert policy == parse(policy.name)
