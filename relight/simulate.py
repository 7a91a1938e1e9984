"""`relight simulate`: recorded traffic under several policies, side by side.

For: knowing what a knob would cost and buy before it is turned.
Must not know: how anything is decided, measured, drawn or laid out.
"""

import argparse
import asyncio
import sys
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


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    wanted = simulate_arguments.wanted(args)
    trace = _trace(args.trace, wanted)
    measured = await _measured(args, wanted)
    assumed = assumptions.assume(wanted, trace, measured)
    if wanted.search_class is not None:
        await fronts.run(wanted, trace, assumed)
        return Exit.OK
    results = [await _rehearse(trace, policy, assumed) for policy in wanted.policies]
    title = f"{tracefiles.title(args.trace)}: {_described(trace)}"
    lines = [Line(policy=result.policy, score=result.score) for result in results]
    _print(wanted, lines, title, assumed, trace)
    if wanted.chart is not None:
        _draw(wanted, results, lines, title, assumed)
    return Exit.OK


def _trace(where: str, wanted: Wanted) -> Trace:
    trace = tracefiles.load(where)
    if wanted.is_cut:
        try:
            trace = shaping.cut(trace, wanted.from_s, wanted.to_s)
        except ValueError as error:
            raise UsageError(f"--slice: {error}") from error
    return shaping.compress(trace, wanted.compress) if wanted.compress != 1 else trace


def _described(trace: Trace) -> str:
    """`8,819 requests of 2 models in 57.3 min`."""
    models, count = len(trace.by_model()), len(trace)
    of_models = f" of {models} models" if models > 1 else ""
    requests = f"{count:,} request{'' if count == 1 else 's'}"
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


async def _rehearse(trace: Trace, policy: Policy, assumed: Assumptions) -> Result:
    await asyncio.sleep(0)  # here Ctrl-C is heard
    try:
        return running.rehearse(trace, policy, assumed.terms)
    except ValueError as error:
        raise UsageError(f"--policy: {error}") from error


def _print(
    wanted: Wanted, lines: list[Line], title: str, assumed: Assumptions, trace: Trace
) -> None:
    if wanted.output == "json":
        about: dict[str, Any] = {
            "trace": title,
            "requests": len(trace),
            "span_s": trace.arrivals[-1],
            "assumed": list(assumed.notes),
            "notes": list(trace.notes),
        }
        print(scoreboard.as_json(lines, about, price=wanted.price))
    elif wanted.output == "csv":
        print(scoreboard.as_csv(lines, price=wanted.price))
    else:
        print(f"{title}\n{'; '.join(assumed.notes)}\n{' '.join(trace.notes)}\n")
        print(scoreboard.table(lines, price=wanted.price))


def _draw(
    wanted: Wanted,
    results: list[Result],
    lines: list[Line],
    title: str,
    assumed: Assumptions,
) -> None:
    assert wanted.chart is not None
    shown = charting.picture_of(
        results, title=title, notes=assumed.notes, capacity=assumed.terms.concurrency
    )
    charting.write(wanted.chart, shown, scoreboard.cells(lines, price=wanted.price))
    print(f"chart in {wanted.chart}", file=sys.stderr)
