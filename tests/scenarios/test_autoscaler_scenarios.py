"""Replay the text scripts in `autoscaler/` through one Revision's pilot.

A script is a `spec` line (annotation names without their prefix, class, container-concurrency,
reachability), an optional `config` line (keys of config-autoscaler), an optional `start` line
(replicas, ready, phase, listening) and lines in time:

    t=2        ready=1 load=20     -> 20 panic active
    t=3..70    load=0              -> t=62 10 down-rate active | t=64 5 down-rate active

`poke=N` is a poke with a queue of N, `load=X` a report of that load in each second of the line,
to which `tokens=N` and `delay=MS` add what replicas report. `load=X..Y` rises evenly over the line.
`every=N for=M` leaves out what is not in the first M seconds of each N; a poke is in the first.
Ticks fall on even seconds, after the report. `ready=all` makes replicas ready one second after
they are asked for, from there on, and `starts=N` so many. `restart=kept` goes on with what another
autoscaler dumped a moment ago, `restart=lost` with nothing. `set NAME=TEXT ...` at the end of a
line changes annotations from there on, and `NAME=` takes one away; `config NAME=TEXT ...` changes
settings likewise. The
answer is the Deployment's replicas, the reason and the
phase: at the end of the line if nothing changed or by `told=last`, else every change.

`UPDATE=1 pytest tests/scenarios` writes the answers anew; the diff is what to review.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import keys
from api.autoscaler_config import parse as parse_config
from api.autoscaling import PodAutoscaler
from api.objects import ObjectMeta
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.decider import Decision
from autoscaler.pilot import Outcome, Pilot, Scale, first_life
from autoscaler.spec import Spec, build
from tests.scenarios import knative_rules, relight_rules

SCRIPTS = sorted((Path(__file__).parent / "autoscaler").glob("*.txt"))
CLASSES = {"kpa": keys.CLASS_KPA, "relight": keys.CLASS_RELIGHT}
PHASES = {"activating": "Unknown", "active": "True", "inactive": "False"}
# Not of the autoscaling domain.
LONG_NAMES = {"progress-deadline": keys.PROGRESS_DEADLINE, "keep-alive": keys.KEEP_ALIVE}
COLUMN = 40
REPORTED = (("tokens", "tokens_in_flight", 1), ("delay", "queue_delay_s", 1000))


class Script:
    """One Revision, flown by the lines of a script."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}
        self.config: dict[str, str] = {}
        self.shows_room = False
        self.start = {"replicas": "0", "phase": "inactive", "listening": "1000"}
        self.pilot: Pilot | None = None
        self.replicas = 0
        self.ready = 0
        self.follows = False
        self.decision: Decision | None = None
        self.told = ""
        self.reported: dict[str, Any] = {}
        self.asked = [0]  # replicas after each of the seconds that a start takes

    def spec(self) -> Spec:
        annotations = {
            LONG_NAMES.get(name, keys.AUTOSCALING_PREFIX + name): text
            for name, text in self.words.items()
            if name not in ("class", "container-concurrency", "reachability")
        }
        annotations[keys.SCALING_CLASS] = CLASSES[self.words.get("class", "relight")]
        autoscaler = PodAutoscaler(
            metadata=ObjectMeta(name="r", namespace="default", annotations=annotations),
            scale_target_name="r-deployment",
            container_concurrency=int(self.words.get("container-concurrency", "0")),
            reachability=self.words.get("reachability", "Reachable"),
        )
        return build(autoscaler, Settings(defaults=parse_config(self.config)))

    def play(self, line: str) -> str:
        """Return the answer to one line in time."""
        line, _, config = line.partition(" config ")
        line, _, changed = line.partition(" set ")
        words = dict(word.split("=", 1) for word in line.split())
        first, _, last = words.pop("t").partition("..")
        start = int(first)
        if self.pilot is None:
            self._begin(start)
        if (ready := words.pop("ready", None)) is not None:
            self.follows = ready == "all"
            if not self.follows:
                self.ready = int(ready)
        if (reachability := words.pop("reachability", None)) is not None:
            self.words["reachability"] = reachability
            assert self.pilot is not None
            self.pilot.respec(self.spec(), now_s=start)
        if (starts := words.pop("starts", None)) is not None:
            self.asked = [self.ready] * int(starts)
        if (restart := words.pop("restart", None)) is not None:
            self._restart(start, is_kept={"kept": True, "lost": False}[restart])
        load, poke = words.pop("load", None), words.pop("poke", None)
        every = int(words.pop("every", 0)) or 10**9
        share = int(words.pop("for", every))
        is_last = words.pop("told", "") == "last"
        span = range(start, int(last or first) + 1)
        self.reported = {
            field: float(words.pop(word)) / unit for word, field, unit in REPORTED if word in words
        }
        assert not words, f"unknown words {words} in: {line}"
        changes = []
        for now in span:
            passed = (now - start) % every
            loads = self._load(load, now, span) if passed < share else None
            pokes = None if passed and share < every else poke
            is_changed = now == start and (changed or config)
            all_told = [self._change(changed, config, now)] if is_changed else []
            for told in [*all_told, *self._second(now, loads, pokes)]:
                if told != self.told:
                    changes.append(f"t={now} {told}" if last else told)
                    self.told = told
        return self.told if is_last else " | ".join(changes) or self.told

    def _load(self, load: str | None, now: int, span: range) -> float | None:
        if load is None:
            return None
        low, _, high = load.partition("..")
        rise = float(high or low) - float(low)
        return float(low) + (rise * (now - span[0]) / (len(span) - 1) if high else 0.0)

    def _change(self, changed: str, config: str, now: int) -> str:
        assert self.pilot is not None
        for word in changed.split():
            name, text = word.split("=", 1)
            self.words[name] = text
            if not text:
                del self.words[name]
        self.config |= dict(word.split("=", 1) for word in config.split())
        self.pilot.respec(self.spec(), now_s=now)
        return self._after(self.pilot.look(self._scale(), now_s=now, listening_since_s=self.since))

    def _begin(self, now: int) -> None:
        self.replicas = int(self.start["replicas"])
        self.asked = [self.replicas]
        self.ready = int(self.start.get("ready", self.replicas))
        self.pilot = self._pilot(PHASES[self.start["phase"]], now)
        self.since = now - int(self.start["listening"])

    def _pilot(self, active: str, now: int) -> Pilot:
        life = first_life(active=active, is_initialized=active != "Unknown", now_s=now)
        return Pilot(self.spec(), life, scale=self._scale(), wanted=None, now_s=now)

    def _restart(self, now: int, *, is_kept: bool) -> None:
        assert self.pilot is not None
        sections = self.pilot.dump(shift_s=0.0, now_s=now)
        self.pilot, self.since = self._pilot(self.pilot.phase.value, now), now
        if is_kept:
            self.pilot.restore(sections, self._scale(), saved_s=now, shift_s=0.0, now_s=now)

    def _second(self, now: int, load: float | None, poke: str | None) -> list[str]:
        assert self.pilot is not None
        told = []
        if self.follows and self.ready != min(self.replicas, *self.asked):
            self.ready = min(self.replicas, *self.asked)
            told.append(
                self._after(self.pilot.look(self._scale(), now_s=now, listening_since_s=self.since))
            )
        told.extend(
            self._turn(now)
            for stat in self._stats(now, load, poke)
            if self.pilot.receive(stat, now_s=now)
        )
        if now % 2 == 0:
            told.append(self._turn(now))
        self.asked = [*self.asked[1:], self.replicas]
        return told

    def _stats(self, now: int, load: float | None, poke: str | None) -> list[Stat]:
        stats = []
        if poke is not None:
            stats.append(_stat(now, 0.0, queued=int(poke), is_poke=True))
        if load is not None:
            stats.append(replace(_stat(now, load), **self.reported))
        return stats

    def _turn(self, now: int) -> str:
        assert self.pilot is not None
        return self._after(self.pilot.turn(self._scale(), now_s=now, listening_since_s=self.since))

    def _after(self, outcome: Outcome) -> str:
        assert self.pilot is not None
        if outcome.replicas is not None:
            self.replicas = outcome.replicas
        told = f"{self.replicas} {outcome.decision.reason.value} {self.pilot.phase.name.lower()}"
        room = f" ebc={outcome.decision.excess_burst_capacity}" if self.shows_room else ""
        return told + room

    def _scale(self) -> Scale:
        return Scale(replicas=self.replicas, ready=self.ready)


def _stat(now: int, load: float, *, queued: int = 0, is_poke: bool = False) -> Stat:
    return Stat(
        namespace="default",
        revision="r",
        reporter="a",
        time_s=now,
        average_concurrency=load,
        requests_per_s=load,
        queued=queued,
        is_poke=is_poke,
    )


def replay(text: str) -> str:
    """Return the script with every answer written anew."""
    script = Script()
    lines = []
    for line in text.splitlines():
        question = line.partition(" -> ")[0].rstrip()
        verb, _, rest = question.partition(" ")
        if verb == "spec":
            script.words = dict(word.split("=", 1) for word in rest.split())
        elif verb == "config":
            script.config = dict(word.split("=", 1) for word in rest.split())
        elif question == "show ebc":
            script.shows_room = True
        elif verb == "start":
            script.start |= dict(word.split("=", 1) for word in rest.split())
        elif verb.startswith("t="):
            question = f"{question:<{COLUMN}} -> {script.play(question)}"
        else:
            assert not question or question.startswith("#"), f"not understood: {line}"
        lines.append(question)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_is_answered_as_written(path: Path) -> None:
    written = path.read_text()
    replayed = replay(written)
    if os.environ.get("UPDATE") == "1":
        path.write_text(replayed)
    else:
        assert replayed == written


def test_every_rule_has_its_script_and_every_script_its_rule() -> None:
    rules = {"knative.md": knative_rules.RULES, "relight:": relight_rules.RULES}
    said: dict[str, dict[str, str]] = {name: {} for name in rules}
    for path in SCRIPTS:
        mark, name, rule = path.read_text().partition("\n")[0].split(" ", 2)
        assert (mark, name in rules) == ("#", True), f"{path.stem} begins with no rule"
        assert rule not in said[name], f"{path.stem} and {said[name][rule]} show the same"
        said[name][rule] = path.stem
    assert said == rules
