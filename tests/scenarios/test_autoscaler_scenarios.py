"""Replay the text scripts in `autoscaler/` through one Revision's pilot.

A script is a `spec` line (annotation names without their prefix, class, container-concurrency,
reachability), an optional `start` line (replicas, phase, listening) and lines in time:

    t=2        ready=1 load=20     -> 20 panic active
    t=3..70    load=0              -> t=62 10 down-rate active | t=64 5 down-rate active

`poke=N` is a poke with a queue of N, `load=X` a report of that load in each second of the line,
to which `tokens=N` and `delay=MS` add what replicas report.
Ticks fall on even seconds, after the report. `ready=all` makes replicas ready one second after
they are asked for, from there on. The answer is the Deployment's replicas, the reason and the
phase: at the end of the line if nothing changed, else every change.

`UPDATE=1 pytest tests/scenarios` writes the answers anew; the diff is what to review.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from api import keys
from api.autoscaling import PodAutoscaler
from api.objects import ObjectMeta
from api.stats import Stat
from autoscaler.config import Settings
from autoscaler.decider import Decision
from autoscaler.pilot import Outcome, Pilot, Scale, first_life
from autoscaler.spec import Spec, build

SCRIPTS = sorted((Path(__file__).parent / "autoscaler").glob("*.txt"))
CLASSES = {"kpa": keys.CLASS_KPA, "relight": keys.CLASS_RELIGHT}
PHASES = {"activating": "Unknown", "active": "True", "inactive": "False"}
COLUMN = 40
REPORTED = (("tokens", "tokens_in_flight", 1), ("delay", "queue_delay_s", 1000))


class Script:
    """One Revision, flown by the lines of a script."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}
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
            keys.AUTOSCALING_PREFIX + name: text
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
        return build(autoscaler, Settings())

    def play(self, line: str) -> str:
        """Return the answer to one line in time."""
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
            for told in self._second(now, load, poke):
                if told != self.told:
                    changes.append(f"t={now} {told}" if last else told)
                    self.told = told
        return " | ".join(changes) or self.told

    def _begin(self, now: int) -> None:
        self.replicas = self.ready = int(self.start["replicas"])
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
        return f"{self.replicas} {outcome.decision.reason.value} {self.pilot.phase.name.lower()}"

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
    assert len(SCRIPTS) >= 8
