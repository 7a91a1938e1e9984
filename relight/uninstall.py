"""`relight uninstall`: take Relight out of a cluster.

For: leaving a cluster as it was. Users' objects stay unless their going is asked for.
Must not know: how anything was put there.
"""

import argparse
import sys

from api import kinds
from cluster.errors import UnavailableError
from relight import config, removing
from relight.connection import Connection, connect
from relight.errors import Exit, UnreachableError, UsageError
from relight.removing import Found

_EXAMPLE = """example:
  relight uninstall                       says what would go, and asks
  relight uninstall --yes
  relight uninstall --yes --delete-crds   services and everything else of users, too
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "uninstall",
        help="take Relight out of a Kubernetes cluster",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config.add_cluster_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    crds = parser.add_mutually_exclusive_group()
    crds.add_argument(
        "--keep-crds",
        action="store_true",
        help="keep the kinds, and with them all objects of users (that is the default)",
    )
    crds.add_argument(
        "--delete-crds",
        action="store_true",
        help="delete the kinds, and with them all objects of users",
    )


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    async with connect(config.locate_cluster(args)) as connection:
        try:
            found = await removing.ours(connection)
        except UnavailableError as error:
            label = connection.location.label
            raise UnreachableError(f"the API server of {label} does not answer: {error}") from error
        definitions = await removing.definitions(connection)
        warm = await removing.warm_pods(connection)
        namespaces = [
            Found(resource=kinds.NAMESPACES, namespace="", name=each["metadata"]["name"])
            for each in (
                await connection.client.list(kinds.NAMESPACES, label_selector=removing.SELECTOR)
            ).items
        ]
        if not (found or warm or namespaces or (definitions and args.delete_crds)):
            print("Relight is not installed on this cluster")
            return Exit.OK
        await _explain(connection, found, namespaces, definitions, warm, args.delete_crds)
        _confirm(args)
        for each in [*found, *(definitions if args.delete_crds else ()), *namespaces]:
            await removing.remove(connection, each)
        await removing.wait_until_gone(connection, kinds.NAMESPACES)
        # Those of now: until a moment ago some were claimed, which are users', and others made.
        for each in await removing.warm_pods(connection):
            await removing.remove(connection, each)
        if args.delete_crds:
            await removing.wait_until_gone(connection, kinds.CUSTOMRESOURCEDEFINITIONS)
    print("Relight is removed")
    return Exit.OK


async def _explain(
    connection: Connection,
    found: list[Found],
    namespaces: list[Found],
    definitions: list[Found],
    warm: list[Found],
    is_all: bool,
) -> None:
    if found:
        print(f"removes the components and what they may do ({len(found)} objects)")
    for each in namespaces:
        print(f"removes the namespace {each.name}, with all that is in it")
    if any(each.resource.kind == "StatefulSet" for each in found):
        print("removes the Redis that came with Relight, with what is in it")
    if warm:
        print(f"removes {len(warm)} warm Pods")
    counts = {each.name: await removing.count_of(connection, each.name) for each in definitions}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    if is_all:
        print(f"DELETES every kind of ours and all objects of them: {told or 'there are none'}")
    elif told:
        print(
            f"keeps what users made: {told}. Its Pods go on running; requests no longer find them "
            "and nothing is scaled"
        )


def _confirm(args: argparse.Namespace) -> None:
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was removed: say --yes")
    if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was removed")
