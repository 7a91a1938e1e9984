"""Which platform a command talks to, found once.

For: the flags, the one environment variable and the folders that name a platform.
Must not know: what a command does with it. Nothing else here reads the environment.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from cluster import auth
from cluster.credentials import CredentialsError
from relight.errors import UnreachableError, UsageError

ENVIRONMENT_VARIABLE = "RELIGHT_DATA_DIR"
KUBECONFIG = "KUBECONFIG"  # kubectl's, for what is about clusters only
_HERE = ".relight"
_AT_HOME = ".local/share/relight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """How one platform is reached. `activator` and `domain` are None where nobody says."""

    label: str  # the folder or file it was found in, for messages
    address: auth.Address
    activator: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a command was typed."""

    environment: Mapping[str, str]
    folder: Path
    home: Path


def surroundings() -> Surroundings:
    """Read this process's environment and folders."""
    environment = os.environ  # noqa: TID251 - this module is where it is read
    return Surroundings(environment=environment, folder=Path.cwd(), home=Path.home())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags by which any command is told which platform is meant."""
    group = parser.add_argument_group("which platform")
    group.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help=f"the folder 'relight up' runs in (else ${ENVIRONMENT_VARIABLE}, ./{_HERE}, "
        f"~/{_AT_HOME})",
    )
    group.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help=f"an API server, anyone's, instead (else ${KUBECONFIG}, where nothing runs here)",
    )
    group.add_argument(
        "--context", default="", metavar="NAME", help="of the kubeconfig (else its current one)"
    )


def locate(args: argparse.Namespace, around: Surroundings | None = None) -> Location:
    """The platform these arguments mean. UsageError or UnreachableError names what is wrong.

    Where no folder is named and nothing runs here, the cluster is meant that kubectl would take.
    """
    around = around or surroundings()
    if args.kubeconfig is not None or args.context:
        return locate_cluster(args, around)
    try:
        return _from_data_dir(data_dir(args.data_dir, around))
    except UnreachableError:
        is_named = args.data_dir is not None or around.environment.get(ENVIRONMENT_VARIABLE)
        if is_named or not around.environment.get(KUBECONFIG):
            raise
    return locate_cluster(args, around)


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """The flag by which a command that is about clusters is told which one is meant."""
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help=f"the cluster (else ${KUBECONFIG}, ~/.kube/config)",
    )
    parser.add_argument(
        "--context", default="", metavar="NAME", help="of the kubeconfig (else its current one)"
    )


def locate_cluster(args: argparse.Namespace, around: Surroundings | None = None) -> Location:
    """The cluster these arguments mean; UsageError says what is wrong with its file."""
    around = around or surroundings()
    named = around.environment.get(KUBECONFIG)
    # As for kubectl several files may be named, and those that are not there say nothing.
    listed = [around.folder / Path(each).expanduser() for each in (named or "").split(":") if each]
    paths = [each for each in listed if each.exists()] or listed[:1]
    if args.kubeconfig is not None:
        paths = [around.folder / args.kubeconfig.expanduser()]
    return _from_kubeconfig(paths or [around.home / ".kube/config"], args.context)


def data_dir(given: Path | None, around: Surroundings) -> Path:
    """The folder a platform lives in, whether one runs or not."""
    named = around.environment.get(ENVIRONMENT_VARIABLE)
    if given is not None or named:
        return around.folder / (given or Path(named or "")).expanduser()
    here = around.folder / _HERE
    return here if here.is_dir() else around.home / _AT_HOME


def _from_kubeconfig(paths: Sequence[Path], context: str) -> Location:
    """A kubeconfig alone says nothing of the activator; one from `relight up` has it beside."""
    address = _load(*paths, context=context)
    beside = _addresses(paths[0].parent)
    if beside.get("api") != address.url:
        beside = {}
    return Location(
        label=":".join(str(path) for path in paths),
        address=address,
        activator=beside.get("activator"),
        domain=beside.get("domain"),
    )


def _from_data_dir(folder: Path) -> Location:
    addresses = _addresses(folder)
    if not addresses or not _is_running(addresses.get("pid")):
        raise not_running(str(folder))
    return Location(
        label=str(folder),
        address=_load(folder / "kubeconfig"),
        activator=addresses.get("activator"),
        domain=addresses.get("domain"),
    )


def not_running(label: str) -> UnreachableError:
    """The one sentence for a platform that is not there."""
    return UnreachableError(
        f"no platform is running for {label}: start one with 'relight up', or name a cluster's "
        f"kubeconfig (--kubeconfig FILE, ${KUBECONFIG})"
    )


def _load(*paths: Path, context: str = "") -> auth.Address:
    try:
        return auth.load_kubeconfig(*paths, context=context)
    except CredentialsError as error:
        raise UsageError(str(error)) from error


def _addresses(folder: Path) -> dict[str, Any]:
    try:
        raw = orjson.loads((folder / "relight.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _is_running(pid: object) -> bool:
    """A killed platform leaves its addresses behind, and another may have its ports by now."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it exists, under another user
    return True
