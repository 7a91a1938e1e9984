"""`relight doctor`: look a cluster over and say in plain words what is missing.

For: a person whose platform does not do what it should, or who wonders whether it would.
Must not know: how anything is found out (examining), or what it means (diagnosing).
"""

import argparse
import sys
import time

from relight import config, diagnosing, examining
from relight.connection import connect
from relight.diagnosing import Finding, Grade
from relight.errors import Exit

_EXAMPLE = "example:\n  relight doctor\n  relight doctor --kubeconfig ./kubeconfig\n"
_MARKS = {Grade.FINE: "ok  ", Grade.NOTE: "note", Grade.WRONG: "BAD "}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="say in plain words what a cluster or its Relight lacks",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config.add_cluster_arguments(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="only what is wrong")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out: 0 when nothing is wrong."""
    async with connect(config.locate_cluster(args)) as connection:
        facts = await examining.examine(connection)
    # For the age of a certificate and of a Lease, which others wrote with their clocks.
    findings = diagnosing.diagnose(facts, now_s=time.time())  # noqa: TID251 - never stored
    wrong = [each for each in findings if each.grade is Grade.WRONG]
    for each in wrong if args.quiet else findings:
        print(_line(each))
    if wrong:
        print(f"{len(wrong)} of {len(findings)} are wrong", file=sys.stderr)
        return Exit.FAILED
    return Exit.OK


def _line(finding: Finding) -> str:
    advice = f"\n     → {finding.advice}" if finding.advice else ""
    return f"{_MARKS[finding.grade]} {finding.text}{advice}"
