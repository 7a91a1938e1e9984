"""The command line: its parser, and the one place where failures become exit codes.

For: turning what was typed into one verb's run.
Must not know: what any verb does.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from relight import (
    delete,
    deploy,
    describe,
    doctor,
    get,
    install,
    invoke,
    logs,
    record,
    simulate,
    traffic,
    uninstall,
    up,
    why,
)
from relight.errors import EXPLAINED, CommandError, Exit

_ABOUT = "Serverless model inference: one command on a laptop, the same manifests on Kubernetes."
_EXAMPLE = """start here:
  relight up                                    a platform in this terminal
  relight deploy iris --model ./iris.onnx       a service on it
  relight invoke iris --data @request.json      a request to the service

Each command's --help has an example.

"""
_VERBS = {
    "deploy": deploy,
    "get": get,
    "describe": describe,
    "invoke": invoke,
    "traffic": traffic,
    "logs": logs,
    "delete": delete,
    "simulate": simulate,
    "record": record,
    "why": why,
    "install": install,
    "uninstall": uninstall,
    "doctor": doctor,
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="relight",
        description=_ABOUT,
        epilog=_EXAMPLE + EXPLAINED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"relight {version('relight')}")
    subparsers = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    up.add_parser(subparsers)
    for verb in _VERBS.values():
        verb.add_parser(subparsers)
    return parser


async def execute(args: argparse.Namespace) -> int:
    """Run one verb; an expected failure becomes one message and its exit code."""
    try:
        code: int = await _VERBS[args.verb].run(args)
    except CommandError as error:
        print(f"relight: {error}", file=sys.stderr)
        return error.exit_code
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = build_parser().parse_args(arguments)
    try:
        if args.verb == "up":
            return up.run(args)
        code = asyncio.run(execute(args))
        sys.stdout.flush()  # here, where a reader that left can still be answered for
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # `relight get ... | head`: the interpreter must not complain at its last flush either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    return code


if __name__ == "__main__":
    sys.exit(main())
