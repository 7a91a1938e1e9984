"""Replay the text scripts in `autoscaler/` through one Revision's pilot.

A script is a `spec` line (annotation names without their prefix, class, container-concurrency,
reachability), an optional `config` line (keys of config-autoscaler), an optional `start` line
(replicas, ready, phase, listening) and lines in time:

    t=2        ready=1 load=20     -> 20 panic active
    t=3..70    load=0              -> t=62 10 down-rate active | t=64 5 down-rate active

`poke=N` is a poke with a queue of N, `load=X` a report of that load in each second of the line,
to which `tokens=N` and `delay=MS` add what replicas report.
Ticks fall on even seconds, after the report. `ready=all` makes replicas ready one second after
they are asked for, from there on. `set NAME=TEXT ...` at the end of a line changes annotations from
there on, and `NAME=` takes one away; `config NAME=TEXT ...` changes settings likewise. The
answer is the Deployment's replicas, the reason and the
phase: at the end of the line if nothing changed, else every change.

`UPDATE=1 pytest tests/scenarios` writes the answers anew; the diff is what to review.
"""

import os
from dataclasses import replace
from pathlib import Path

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
from tests.scenarios.knative_rules import RULES

SCRIPTS = sorted((Path(__file__).parent / "autoscaler").glob("*.txt"))
CLASSES = {"kpa": keys.CLASS_KPA, "relight": keys.CLASS_RELIGHT}
PHASES = {"activating": "Unknown", "active": "True", "inactive": "False"}
LONG_NAMES = {"progress-deadline": keys.PROGRESS_DEADLINE}  # not of the autoscaling domain
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
        self.reported: dict[str, float] = {}

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
        load, poke = words.pop("load", None), words.pop("poke", None)
        self.reported = {
            field: float(words.pop(word)) / unit for word, field, unit in REPORTED if word in words
        }
        assert not words, f"unknown words {words} in: {line}"
        changes = []
        for now in range(start, int(last or first) + 1):
            is_changed = now == start and (changed or config)
            all_told = [self._change(changed, config, now)] if is_changed else []
            for told in [*all_told, *self._second(now, load, poke)]:
                if told != self.told:
                    changes.append(f"t={now} {told}" if last else told)
                    self.told = told
        return " | ".join(changes) or self.told

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
        self.ready = int(self.start.get("ready", self.replicas))
        self.pilot = Pilot(
            self.spec(),
            first_life(
                active=PHASES[self.start["phase"]],
                is_initialized=self.start["phase"] != "activating",
                now_s=now,
            ),
            scale=Scale(replicas=self.replicas, ready=self.ready),
            wanted=None,
            now_s=now,
        )
        self.since = now - int(self.start["listening"])

    def _second(self, now: int, load: str | None, poke: str | None) -> list[str]:
        assert self.pilot is not None
        told = []
        if self.follows and self.ready != self.replicas:
            self.ready = self.replicas
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
        return told

    def _stats(self, now: int, load: str | None, poke: str | None) -> list[Stat]:
        stats = []
        if poke is not None:
            stats.append(_stat(now, 0.0, queued=int(poke), is_poke=True))
        if load is not None:
            stats.append(replace(_stat(now, float(load)), **self.reported))
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


def test_scripts_are_found() -> None:
    assert len(SCRIPTS) >= len(RULES)


def test_every_rule_has_its_script_and_every_script_its_rule() -> None:
    mark = "# knative.md "
    first_lines = {path.stem: path.read_text().partition("\n")[0] for path in SCRIPTS}
    said = {
        line.removeprefix(mark): stem for stem, line in first_lines.items() if line.startswith(mark)
    }
    assert said == RULES
