"""The flags of `relight deploy`, and what they ask for.

For: reading one command line into a `manifests.Wanted`, refusing what cannot be meant.
Must not know: the platform, or the Service that may exist already.
"""

import argparse
import secrets
from pathlib import Path

from api import keys
from api.storage_uris import is_fetched
from relight import config, sources
from relight.containers import Run
from relight.errors import UsageError
from relight.manifests import Wanted

_EXAMPLE = """example:
  relight deploy iris --model ./iris.onnx --concurrency 4
  relight deploy iris --model ./better.onnx --canary 20
  relight deploy fleet --repository ./models --arg=--models-max=8

What is not named stays as it is in a Service that exists. A local file whose content
changed makes a new revision; so do --refetch and a new --revision-name.
"""
_CLASSES = {"kpa": keys.CLASS_KPA, "hpa": keys.CLASS_HPA, "relight": keys.CLASS_RELIGHT}
_SCALING = {  # flag, metavar, what it says
    "min-scale": ("N", "replicas kept even when idle (0: down to none)"),
    "max-scale": ("N", "replicas at most (0: no limit)"),
    "initial-scale": ("N", "replicas a new revision starts with"),
    "target": ("N", "requests at once to aim at in each replica"),
    "window": ("TIME", "how long load is averaged over, for example 60s"),
    "class": ("CLASS", "which autoscaler decides: relight, kpa, or a full class name"),
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "deploy",
        help="create or update a service and wait until it serves",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    _add_source(parser)
    _add_revision(parser)
    _add_doing(parser)


def _add_source(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to run")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--model", metavar="PATH|URI", help="a model: a file, or a folder with one")
    one.add_argument("--python", metavar="FILE.py:CLASS", help="a model written in Python")
    one.add_argument(
        "--repository", metavar="DIR", help="a folder of models, each opened when it is asked for"
    )
    one.add_argument("--image", metavar="IMG", help="any program that listens on $PORT")
    group.add_argument(
        "--transformer", metavar="FILE.py:CLASS", help="code around one model, in its process"
    )
    group.add_argument(
        "--command",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="WORD",
        help="what to run of the image; takes the rest of the line",
    )
    group.add_argument(
        "--arg", action="append", metavar="WORD", help="one more argument: --arg=--verbose"
    )
    group.add_argument(
        "--env", action="append", default=[], metavar="K=V", help="a variable; K- removes it"
    )
    group.add_argument("--model-name", metavar="NAME", help="name in /v1 and /v2 paths")
    group.add_argument(
        "--signature-name", metavar="NAME", help='of a TensorFlow model; "" for its default'
    )
    group.add_argument("--providers", metavar="LIST", help="ONNX Runtime's, in order of preference")
    group.add_argument("--threads", type=int, metavar="N", help="threads of one replica")
    group.add_argument(
        "--trust-pickle",
        action="store_true",
        help="consent to what can run any code; another --model or --repository needs it anew",
    )
    group.add_argument("--no-check", action="store_true", help="do not look at local files")


def _add_revision(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to run it")
    group.add_argument(
        "--concurrency", type=int, metavar="N", help="requests at once in a replica (0: no limit)"
    )
    group.add_argument("--timeout", type=int, metavar="S", help="seconds a request may take")
    for flag, (metavar, told) in _SCALING.items():
        group.add_argument(f"--{flag}", metavar=metavar, dest=f"scaling_{flag}", help=told)
    group.add_argument("--revision-name", metavar="NAME", help="instead of NAME-00001, ...")
    group.add_argument(
        "--canary", type=int, metavar="PERCENT", help="share of the new revision; the rest stays"
    )
    group.add_argument("--tag", help="a host of its own for the newest revision: TAG-NAME")


def _add_doing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--refetch",
        action="store_true",
        help="a new revision, for which a --model that lies elsewhere is asked for again",
    )
    parser.add_argument("--no-wait", action="store_true", help="do not wait until it is ready")
    parser.add_argument("--wait-timeout", type=float, default=120.0, metavar="S")
    parser.add_argument("--dry-run", action="store_true", help="print the manifest, send nothing")
    parser.add_argument("-o", "--output", choices=("json", "yaml"), help="print the Service")


def wanted(args: argparse.Namespace, folder: Path) -> Wanted:
    """What the command line asks for; local paths are relative to `folder`."""
    if args.canary is not None and not 0 <= args.canary <= 100:
        raise UsageError(f"--canary {args.canary}: a share is between 0 and 100")
    run, digest = _run(args, folder)
    return Wanted(
        name=args.name,
        namespace=args.namespace,
        run=run,
        concurrency=args.concurrency,
        timeout_s=args.timeout,
        annotations=_scaling(args),
        source_digest=digest,
        revision_name=args.revision_name,
        canary_percent=args.canary,
        tag=args.tag,
    )


def _run(args: argparse.Namespace, folder: Path) -> tuple[Run, str | None]:
    is_checked = not args.no_check
    model = sources.model(args.model, folder=folder, is_checked=is_checked) if args.model else None
    python = (
        sources.python(args.python, folder=folder, is_checked=is_checked) if args.python else None
    )
    transformer = (
        sources.python(args.transformer, folder=folder, is_checked=is_checked, flag="--transformer")
        if args.transformer
        else None
    )
    repository = (
        sources.repository(args.repository, folder=folder, is_checked=is_checked)
        if args.repository
        else None
    )
    source = sources.paired(model or python, transformer)
    run = Run(
        model=model.text if model else None,
        python=python.text if python else None,
        repository=repository,
        transformer=transformer.text if transformer else None,
        image=args.image,
        command=tuple(args.command),
        args=None if args.arg is None else tuple(args.arg),
        env=_environment(args.env),
        model_name=args.model_name,
        signature_name=args.signature_name,
        providers=args.providers,
        threads=args.threads,
        trust_pickle=args.trust_pickle,
    )
    return run, _seen(args, source)


def _seen(args: argparse.Namespace, source: sources.Source | None) -> str | None:
    """What tells this source from what it was before: its digest, if it lies here."""
    if not args.refetch:
        return source.digest if source else None
    if not (args.model and is_fetched(args.model)):
        raise UsageError("--refetch: give --model with the URI of what is fetched")
    return f"refetched:{secrets.token_hex(8)}"


def _environment(given: list[str]) -> dict[str, str | None]:
    changes: dict[str, str | None] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if separator and name:
            changes[name] = value
        elif text.endswith("-") and len(text) > 1:
            changes[text[:-1]] = None
        else:
            raise UsageError(f"--env {text}: expected NAME=VALUE, or NAME- to remove it")
    return changes


def _scaling(args: argparse.Namespace) -> dict[str, str]:
    said = {flag: getattr(args, f"scaling_{flag}") for flag in _SCALING}
    said["class"] = _CLASSES.get(said["class"], said["class"])
    return {f"{keys.AUTOSCALING_PREFIX}{k}": v for k, v in said.items() if v is not None}
