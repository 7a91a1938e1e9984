"""The Pareto front over the knobs, and the annotations to paste for each of its points.

For: `relight simulate --search`: what can not be beaten, as a table, JSON or CSV.
Must not know: how points are found, or what a knob means.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import yaml

from rehearsal import running, searching
from rehearsal.policies import Policy
from rehearsal.scores import Score
from rehearsal.searching import Found, Measure, Point
from rehearsal.terms import Terms
from rehearsal.traces import Trace
from relight import scoreboard
from relight.errors import FailedError, UsageError
from relight.scoreboard import Line

_AT_ONCE_MAX = 8
_INDENT = "        "  # of spec.template.metadata.annotations, as in a Service's manifest
_HEAD = "      annotations:"


class _Worker:
    """What one process rehearses with: the trace goes to it once, not with every policy."""

    trace: Trace
    terms: Terms

    @classmethod
    def begin(cls, trace: Trace, terms: Terms) -> None:
        cls.trace, cls.terms = trace, terms

    @classmethod
    def score(cls, policy: Policy) -> Score:
        return running.rehearse(cls.trace, policy, cls.terms).score


async def search(trace: Trace, terms: Terms, class_: str) -> Found:
    """Rehearse many policies of a class on all processors, telling how far it is."""
    at_once = min(_AT_ONCE_MAX, os.cpu_count() or 1)
    done = 0

    with ProcessPoolExecutor(
        at_once, get_context("spawn"), initializer=_Worker.begin, initargs=(trace, terms)
    ) as pool:

        def rehearse(policies: Sequence[Policy]) -> Sequence[Score]:
            nonlocal done
            scores = list(pool.map(_Worker.score, policies))
            done += len(policies)
            if sys.stderr.isatty():
                told = f"\r{done} of at most {searching.RUNS_MAX} rehearsed"
                print(told, end="", file=sys.stderr, flush=True)
            return scores

        try:
            return await asyncio.to_thread(
                searching.search, rehearse, concurrency=terms.concurrency, classes=(class_,)
            )
        except ValueError as error:
            raise UsageError(f"--search: {error}") from error
        except BrokenProcessPool as error:
            raise FailedError("--search: a process of it was killed; is memory short?") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            if sys.stderr.isatty():
                print(file=sys.stderr)


def front(found: Found) -> tuple[Point, ...]:
    """What none beats in replica-seconds and cold waits, or in replica-seconds and p95 wait."""
    points = {point.policy.name: point for measure in Measure for point in found.front(measure)}
    return tuple(sorted(points.values(), key=lambda point: point.score.replica_s))


def lines(found: Found) -> list[Line]:
    """The default of the class, to compare with, then the front."""
    default = found.points[0]
    rest = [point for point in front(found) if point.policy.name != default.policy.name]
    return [Line(policy=each.policy, score=each.score) for each in (default, *rest)]


def table(found: Found, *, price: float | None) -> str:
    """The front in numbers, then each point in annotations."""
    best = {point.policy.name for point in front(found)}
    chosen = lines(found)
    default = chosen[0].policy.name
    told = [scoreboard.table(chosen, price=price), ""]
    if default not in best:
        told.append(f"{default} as it is (first line) is beaten by another in every respect.")
    told.append("To paste under spec.template.metadata of a Service:")
    for line in chosen[1:]:
        told += ["", f"# {line.policy.name}", annotations(line.policy)]
    if len(chosen) == 1:
        told = [told[0], "", f"Nothing beats {default} as it is: no annotation is needed."]
    return "\n".join(told)


def annotations(policy: Policy) -> str:
    """The YAML lines of a policy."""
    text = yaml.safe_dump(dict(policy.annotations), sort_keys=True, default_flow_style=False)
    return "\n".join([_HEAD, *(f"{_INDENT}{line}" for line in text.splitlines())])
