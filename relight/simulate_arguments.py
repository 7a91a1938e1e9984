"""The flags of `relight simulate`, and what they ask for.

For: reading one command line into a `Wanted`, refusing what cannot be meant, flag by flag.
Must not know: traces, how a policy is rehearsed, what a live revision told.
"""

import argparse
from dataclasses import dataclass
from importlib.util import find_spec
from math import inf, isfinite
from pathlib import Path

from rehearsal import policies
from rehearsal.columns import Hints
from rehearsal.policies import Policy
from rehearsal.stamps import UNITS
from relight import config, spans
from relight.errors import UsageError

_EXAMPLE = """example:
  relight simulate trace.csv.gz --service-time 200ms --cold-start 500ms --concurrency 4
  relight simulate trace.csv --from iris --policy relight --policy kpa,window=30s --chart out.html
  relight simulate trace.csv --search            the best knobs, as annotations to paste

The trace is CSV: a time stamp, and if there are such columns a duration and a model; .gz too.
Policies: kpa, relight, relight/cheap|balanced|fast, keep-alive=600s, always-on, oracle; the
first three with knobs: relight,min-scale=1. See docs/rehearsal.md for what the columns mean.
"""
DEFAULT_POLICIES = ("kpa", "relight", "keep-alive=600s", "always-on", "oracle")
_RESUME = "1ms"
_CHARTS = (".html", ".htm", ".png")
_SEARCH_CLASSES = ("relight", "kpa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for. None of the three that can be measured: nobody said."""

    policies: tuple[Policy, ...]
    service_s: float | None
    cold_start_s: float | None
    concurrency: int | None
    frozen_max: int
    resume_s: float
    price: float | None  # USD for a replica's hour
    from_s: float
    to_s: float  # of the trace; infinity: all of it
    compress: float
    rescale: float
    hints: Hints  # of the trace's columns
    chart: Path | None
    search_class: str | None  # None: no search
    output: str
    seed: int

    @property
    def is_cut(self) -> bool:
        """A part of the trace is asked for."""
        return self.from_s > 0 or self.to_s < inf


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "simulate",
        help="rehearse recorded traffic under several policies",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trace", metavar="TRACE", help="a file, or - for standard input")
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="P",
        help=f"may be repeated (default: {', '.join(DEFAULT_POLICIES)})",
    )
    _add_model(parser)
    _add_trace(parser)
    parser.add_argument(
        "--price", type=float, metavar="USD", help="what a replica costs in an hour"
    )
    parser.add_argument("--chart", metavar="FILE", type=Path, help="draw it: FILE.html or FILE.png")
    parser.add_argument(
        "--search", action="store_true", help="find the best knobs, and print them as annotations"
    )
    parser.add_argument(
        "--search-class", choices=_SEARCH_CLASSES, help="the class whose knobs (default: relight)"
    )
    parser.add_argument("-o", "--output", choices=("table", "json", "csv"), default="table")
    config.add_arguments(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is assumed of the model")
    group.add_argument(
        "--service-time",
        metavar="TIME",
        help="of each request (default: the trace's durations, or else 200ms)",
    )
    group.add_argument(
        "--cold-start", metavar="TIME", help="until a new replica is ready (default: 500ms)"
    )
    group.add_argument(
        "--concurrency", type=int, metavar="N", help="requests at once in a replica (default: 4)"
    )
    group.add_argument(
        "--from",
        dest="measured",
        metavar="SERVICE|REVISION",
        help="measure these three on a live revision; a flag beside it counts instead",
    )
    group.add_argument("-n", "--namespace", default="default", help="of --from")
    group.add_argument(
        "--frozen", type=int, default=0, metavar="N", help="replicas kept frozen instead of ended"
    )
    group.add_argument(
        "--resume", metavar="TIME", help="until a frozen one is ready (default: 1ms)"
    )


def _add_trace(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is taken of the trace")
    group.add_argument("--slice", metavar="FROM..TO", help="this part: 10m..20m, 10m.. or ..5m")
    group.add_argument(
        "--compress", type=float, default=1.0, metavar="X", help="X times as fast; services as long"
    )
    group.add_argument(
        "--rescale", type=float, default=1.0, metavar="X", help="X times as many requests"
    )
    for name in ("time", "duration", "model"):
        group.add_argument(
            f"--{name}-column",
            metavar="NAME",
            help=f"where its {name} is; a number from 1 on without a header (default: find out)",
        )
    for name in ("time", "duration"):
        group.add_argument(
            f"--{name}-unit", choices=tuple(UNITS), help=f"of the {name} column (default: find out)"
        )
    group.add_argument("--seed", type=int, default=0, help="of what is drawn by chance")


def wanted(args: argparse.Namespace) -> Wanted:
    """What the command line asks for; a UsageError names the flag."""
    from_s, to_s = spans.parse_slice("--slice", args.slice) if args.slice else (0.0, inf)
    _check_together(args)
    return Wanted(
        policies=_policies(args.policy),
        service_s=_span("--service-time", args.service_time),
        cold_start_s=_span("--cold-start", args.cold_start),
        concurrency=_count("--concurrency", args.concurrency),
        frozen_max=_count("--frozen", args.frozen) or 0,
        resume_s=spans.parse("--resume", args.resume or _RESUME),
        price=_price(args.price),
        from_s=from_s,
        to_s=to_s,
        compress=_factor("--compress", args.compress),
        rescale=_factor("--rescale", args.rescale),
        hints=Hints(
            time=args.time_column,
            duration=args.duration_column,
            model=args.model_column,
            unit=args.time_unit,
            duration_unit=args.duration_unit,
        ),
        chart=_chart(args.chart),
        search_class=(args.search_class or _SEARCH_CLASSES[0]) if args.search else None,
        output=args.output,
        seed=_count("--seed", args.seed) or 0,
    )


def _check_together(args: argparse.Namespace) -> None:
    """Refuse what would have no effect."""
    if args.search_class and not args.search:
        raise UsageError("--search-class: there is no --search to apply it to")
    if args.search and args.policy:
        raise UsageError("--policy: a --search finds its own; leave one of the two out")
    if args.resume is not None and not args.frozen:
        raise UsageError("--resume: nothing is frozen without --frozen N")
    said = (args.service_time, args.cold_start, args.concurrency)
    if args.measured and None not in said:
        raise UsageError(f"--from {args.measured}: flags say all that it would measure")


def _policies(texts: list[str]) -> tuple[Policy, ...]:
    found: dict[str, Policy] = {}
    for text in texts or DEFAULT_POLICIES:
        try:
            policy = policies.parse(text)
        except ValueError as error:
            raise UsageError("--policy: " + " ".join(str(error).split())) from error
        if policy.name in found:
            raise UsageError(f"--policy {text}: it is given twice")
        found[policy.name] = policy
    return tuple(found.values())


def _span(flag: str, text: str | None) -> float | None:
    return None if text is None else spans.parse(flag, text)


def _count(flag: str, number: int | None) -> int | None:
    if number is not None and number < 0:
        raise UsageError(f"{flag} {number}: expected 0 or more")
    return number


def _price(price: float | None) -> float | None:
    if price is not None and not (price >= 0 and isfinite(price)):
        raise UsageError(f"--price {price:g}: expected 0 or more USD for a replica's hour")
    return price


def _factor(flag: str, factor: float) -> float:
    if not (factor > 0 and isfinite(factor)):
        raise UsageError(f"{flag} {factor:g}: expected a number over 0, such as 2")
    return factor


def _chart(path: Path | None) -> Path | None:
    """Refused before an hour of work, not after it."""
    if path is None:
        return None
    if path.suffix.lower() not in _CHARTS:
        raise UsageError(f"--chart {path}: expected a name that ends in .html or .png")
    if path.suffix.lower() == ".png" and find_spec("matplotlib") is None:
        raise UsageError(
            "--chart: a PNG is drawn by matplotlib: pip install 'relight[charts]', "
            "or name the chart .html"
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--chart {path}: there is no folder {path.parent}")
    return path
