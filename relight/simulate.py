"""`relight simulate`: recorded traffic under several policies, side by side.

For: knowing what a knob would cost and buy before it is turned.
Must not know: how anything is decided, measured, drawn or laid out.
"""

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal import running, shaping
from rehearsal.policies import Policy
from rehearsal.running import Result
from rehearsal.traces import Trace
from relight import (
    assumptions,
    charting,
    config,
    fronts,
    measuring,
    scoreboard,
    simulate_arguments,
    spans,
    tracefiles,
)
from relight.assumptions import Assumptions, Measured
from relight.connection import connect
from relight.errors import Exit, UsageError
from relight.scoreboard import Line
from relight.simulate_arguments import Wanted, add_parser

__all__ = ["add_parser", "run"]
_SPAN_MAX_S = 10 * 366 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What is rehearsed."""

    title: str
    trace: Trace
    assumed: Assumptions


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    wanted = simulate_arguments.wanted(args)
    trace = _trace(args.trace, wanted)
    measured = await _measured(args, wanted)
    case = _Case(
        title=f"{tracefiles.title(args.trace)}: {_described(trace)}",
        trace=trace,
        assumed=assumptions.assume(wanted, trace, measured),
    )
    policies = wanted.policies
    if wanted.search_class is not None:
        found = await fronts.search(trace, case.assumed.terms, wanted.search_class)
        lines = fronts.lines(found)
        _print(wanted, case, lines, fronts.table(found, price=wanted.price))
        policies = tuple(line.policy for line in lines)
    if wanted.search_class is None or wanted.chart is not None:
        results = [await _rehearse(case, policy) for policy in policies]
        lines = [Line(policy=result.policy, score=result.score) for result in results]
        if wanted.search_class is None:
            _print(wanted, case, lines, scoreboard.table(lines, price=wanted.price))
        if wanted.chart is not None:
            _draw(wanted.chart, case, results, scoreboard.cells(lines, price=wanted.price))
    return Exit.OK


def _trace(where: str, wanted: Wanted) -> Trace:
    trace = tracefiles.load(where, wanted.hints)
    if wanted.is_cut:
        try:
            trace = shaping.cut(trace, wanted.from_s, wanted.to_s)
        except ValueError as error:
            raise UsageError(f"--slice: {error}") from error
    if wanted.compress != 1:
        trace = shaping.compress(trace, wanted.compress)
    if wanted.rescale != 1:
        try:
            trace = shaping.rescale(trace, wanted.rescale, seed=wanted.seed)
        except ValueError as error:
            raise UsageError(f"--rescale: {error}") from error
    if trace.arrivals[-1] > _SPAN_MAX_S:
        raise UsageError(
            f"{where}: it lasts over ten years: name the unit of its times by --time-unit, "
            "or take a part of it by --slice"
        )
    return trace


def _described(trace: Trace) -> str:
    """`8,819 requests of 2 models in 57.3 min`."""
    models, requests = len(trace.by_model()), spans.counted(len(trace), "request")
    of_models = f" of {models} models" if models > 1 else ""
    return f"{requests}{of_models} in {spans.human(trace.arrivals[-1])}"


async def _measured(args: argparse.Namespace, wanted: Wanted) -> Measured | None:
    if args.measured is None:
        return None
    async with connect(config.locate(args)) as connection:
        return await measuring.measure(
            connection,
            args.namespace,
            args.measured,
            needs_service=wanted.service_s is None,
            needs_cold_start=wanted.cold_start_s is None,
        )


async def _rehearse(case: _Case, policy: Policy) -> Result:
    await asyncio.sleep(0)  # here Ctrl-C is heard
    try:
        return running.rehearse(case.trace, policy, case.assumed.terms)
    except ValueError as error:
        raise UsageError("--policy: " + " ".join(str(error).split())) from error


def _print(wanted: Wanted, case: _Case, lines: list[Line], table: str) -> None:
    if wanted.output == "json":
        about: dict[str, Any] = {
            "trace": case.title,
            "requests": len(case.trace),
            "span_s": case.trace.arrivals[-1],
            "notes": list(case.trace.notes),
            "assumed": list(case.assumed.notes),
        }
        print(scoreboard.as_json(lines, about, price=wanted.price))
    elif wanted.output == "csv":
        print(scoreboard.as_csv(lines, price=wanted.price))
    else:
        print(case.title, "; ".join(case.assumed.notes), " ".join(case.trace.notes), sep="\n")
        print(f"\n{table}")


def _draw(path: Path, case: _Case, results: list[Result], table: list[list[str]]) -> None:
    shown = charting.picture_of(
        results,
        title=case.title,
        notes=case.assumed.notes,
        capacity=case.assumed.terms.concurrency,
    )
    charting.write(path, shown, table)
    print(f"chart in {path}", file=sys.stderr)
