"""What each difference of class relight buys and costs: the same traffic with and without it.

Claim: each rule of docs/autoscaling.md pays on the trace that is named beside it. For every rule,
the class is rehearsed as it is and with that one rule taken out; class kpa stands above them. Means
over four moments of the tick at which the first request comes.

    python -m benchmarks.differences

Traces of ../shared/data/traces are used where they are; the others are generated, from a seed. No
timing is measured: the numbers are the same on every machine.
"""

import argparse
import gzip
import random
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from autoscaler import needs
from autoscaler.gaps import Plan
from autoscaler.levels import Levels
from autoscaler.weighing import Weigher
from autoscaler.window import AverageWindow
from rehearsal import policies, traces
from rehearsal.running import rehearse
from rehearsal.scores import Score
from rehearsal.terms import Terms

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "traces"
PHASES_S = (0.0, 0.5, 1.0, 1.5)
USUAL = Terms(service_s=(0.2,), cold_starts_s=(0.5,), concurrency=4)
ONE = Terms(service_s=(0.2,), cold_starts_s=(0.5,), concurrency=1)
SLOW = Terms(service_s=(1.0,), cold_starts_s=(10.0,), concurrency=4)

Off = Callable[[], Any]  # a context in which a rule is off


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule, the traffic that shows what it does, and how to do without."""

    name: str
    trace: str
    terms: Terms
    off: Off


def _without_queue() -> Any:
    def need(*arguments: Any, queued: int | None, **words: Any) -> Any:
        return needs.need(*arguments, queued=None if queued is None else 1, **words)

    return patch("autoscaler.weighing.need", need)


def _without_learning(*, is_first: bool) -> Any:
    made = Levels._plan  # noqa: SLF001 - what is taken out is no business of others

    def plan(self: Levels, index: int, terms: Any) -> Plan:
        if is_first is (index == 0):
            return Plan(keep_s=terms.keep_s if is_first else 60.0)
        return made(self, index, terms)

    return patch.object(Levels, "_plan", plan)


def _without_pressing() -> Any:
    pressing = Weigher.is_pressing

    def never(*arguments: Any, **words: Any) -> bool:
        pressing(*arguments, **words)  # it is still remembered
        return False

    return patch.object(Weigher, "is_pressing", never)


RULES = (
    Rule(name="the whole queue", trace="bursts", terms=ONE, off=_without_queue),
    Rule(
        name="no second replica for one request",
        trace="code",
        terms=ONE,
        off=lambda: patch("autoscaler.spec.headroom_target", lambda target, _: target),
    ),
    Rule(
        name="two seconds, not six",
        trace="code",
        terms=USUAL,
        off=lambda: patch("autoscaler.spec.fast_window_s", lambda window_s: window_s / 10),
    ),
    Rule(
        name="quiet seconds do not count",
        trace="code",
        terms=USUAL,
        off=lambda: patch.object(AverageWindow, "busy_average", AverageWindow.average),
    ),
    Rule(name="a report need not wait", trace="code", terms=USUAL, off=_without_pressing),
    Rule(
        name="further replicas by their rests",
        trace="code",
        terms=USUAL,
        off=lambda: _without_learning(is_first=False),
    ),
    Rule(
        name="the last replica by its rests",
        trace="clock",
        terms=USUAL,
        off=lambda: _without_learning(is_first=True),
    ),
    Rule(
        name="where a rise leads",
        trace="ramps",
        terms=SLOW,
        off=lambda: patch("autoscaler.weighing.expected", lambda *_, **__: None),
    ),
)


def generated() -> dict[str, traces.Trace]:
    """Traffic of kinds that the shared traces have not, each from its own seed."""
    rng = random.Random(7)
    clock = [300.0 * stroke + rng.uniform(0, 2) for stroke in range(144)]
    bursts = [600.0 * number + rng.uniform(0, 0.05) for number in range(12) for _ in range(100)]
    ramps = list(_ramps(rng, span_s=3600.0, rise_s=120.0, peak=60.0))
    kinds = {"clock": clock, "bursts": bursts, "ramps": ramps}
    return {
        name: traces.parse(["timestamp", *(f"{each:.6f}" for each in sorted(arrivals))], name=name)
        for name, arrivals in kinds.items()
    }


def _ramps(rng: random.Random, *, span_s: float, rise_s: float, peak: float) -> Iterator[float]:
    """Up in `rise_s`, on top for as long, down, and low for as long; Poisson."""
    now_s = 0.0
    while now_s < span_s:
        now_s += rng.expovariate(peak)
        part = now_s % (4 * rise_s) / rise_s
        if rng.random() < max(1 / 15, min(part, 1.0, 3.0 - part)):
            yield now_s


def shared() -> dict[str, traces.Trace]:
    """The real traces, where they are."""
    found = {}
    for path in sorted(SHARED.glob("*.csv.gz")):
        with gzip.open(path, "rt") as lines:
            name = next(part for part in ("mooncake", "code", "conv") if part in path.name)
            found[name] = traces.parse(lines, name=name)
    return found


def means(trace: traces.Trace, policy: str, terms: Terms) -> dict[str, float]:
    """The numbers that count, over the moments of a tick."""
    scored: list[Score] = []
    for phase_s in PHASES_S:
        words = {name: getattr(terms, name) for name in Terms.__slots__} | {"phase_s": phase_s}
        scored.append(rehearse(trace, policies.parse(policy), Terms(**words)).score)
    return {
        "replica_s": statistics.mean(each.replica_s for each in scored),
        "cold_waits": statistics.mean(each.cold_waits for each in scored),
        "wait_mean_ms": 1000 * statistics.mean(each.wait_mean_s for each in scored),
        "wait_p95_ms": 1000 * statistics.mean(each.wait_p95_s for each in scored),
    }


def _row(name: str, numbers: Mapping[str, float]) -> str:
    return f"  {name:<36}" + "".join(f"{value:>14,.0f}" for value in numbers.values())


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def main() -> None:
    """Print a block for each rule, then the classes on every trace."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    known = {**shared(), **generated()}
    print(" " * 38 + f"{'replica-s':>14}{'cold waits':>14}{'wait mean ms':>14}{'wait p95 ms':>14}")
    for rule in RULES:
        trace = known.get(rule.trace)
        if trace is None:
            print(f"{rule.name}: trace {rule.trace} is not here")
            continue
        terms = rule.terms
        print(
            f"{rule.name} (trace {rule.trace}, {terms.service_s[0]:g} s, start "
            f"{terms.cold_starts_s[0]:g} s, concurrency {terms.concurrency})"
        )
        print(_row("kpa", means(trace, "kpa", terms)))
        for name, context in (("relight", _nothing()), ("relight without", rule.off())):
            with context:
                print(_row(name, means(trace, "relight", terms)))
    for name, trace in known.items():
        print(f"{name} (0.2 s, start 0.5 s, concurrency 4)")
        for policy in ("kpa", "relight/cheap", "relight", "relight/fast", "oracle"):
            print(_row(policy, means(trace, policy, USUAL)))


if __name__ == "__main__":
    main()
