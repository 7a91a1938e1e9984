"""`relight get`: list what there is, once or for as long as it is watched.

For: a table for people, JSON, YAML or names for scripts.
Must not know: what any column means (rendering).
"""

import argparse
from collections.abc import Sequence
from typing import Any

from api import keys, kinds
from api.kinds import Resource
from cluster.client import Client
from relight import config, rendering
from relight.connection import Connection, connect
from relight.errors import Exit
from relight.listing import Table, Watch, namespace_of
from relight.watching import key_of

_KINDS = (kinds.SERVICES, kinds.REVISIONS, kinds.PODS, kinds.ROUTES)
_EXAMPLE = "example:\n  relight get services -A\n  relight get revisions iris-00002 -o yaml\n"


def _words(resource: Resource) -> tuple[str, ...]:
    extra = ("svc",) if resource is kinds.SERVICES else ()
    return (resource.plural, resource.singular, *resource.short_names, *extra)


_BY_WORD = {word: resource for resource in _KINDS for word in _words(resource)}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "get",
        help="list services, revisions, pods or routes",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "kind",
        metavar="KIND",
        choices=sorted(_BY_WORD),
        help="services (ksvc), revisions (rev), pods (po) or routes (rt)",
    )
    parser.add_argument("name", nargs="?", metavar="NAME")
    config.add_arguments(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", default="default")
    where.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument(
        "-o", "--output", choices=("table", "wide", "json", "yaml", "name"), default="table"
    )
    parser.add_argument("-w", "--watch", action="store_true", help="go on printing what changes")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    resource = _BY_WORD[args.kind]
    async with connect(config.locate(args)) as connection:
        if args.watch:
            await Watch(args, resource, connection).run()
        else:
            await _print_once(args, resource, connection)
    return Exit.OK


async def _print_once(args: argparse.Namespace, resource: Resource, connection: Connection) -> None:
    found = await _find(args, resource, connection.client)
    if args.output == "name":
        for raw in found:
            print(rendering.full_name(resource, raw))
    elif args.output in ("json", "yaml"):
        whole = found[0] if args.name and not args.all_namespaces else rendering.list_of(found)
        print(rendering.dump(whole, args.output))
    elif not found:
        where = "" if args.all_namespaces else f" in namespace {args.namespace}"
        print(f"No {resource.plural} found{where}.")
    else:
        pods = await _pods(args, resource, connection.client)
        Table(args, resource).show(found, pods, has_header=True)


async def _find(
    args: argparse.Namespace, resource: Resource, client: Client
) -> list[dict[str, Any]]:
    if args.name and not args.all_namespaces:
        return [await client.get(resource, args.namespace, args.name)]
    selector = f"metadata.name={args.name}" if args.name else ""
    found = await client.list(resource, namespace_of(args), field_selector=selector)
    return sorted(found.items, key=key_of)


async def _pods(
    args: argparse.Namespace, resource: Resource, client: Client
) -> Sequence[dict[str, Any]]:
    """The Pods a Service's row counts; other kinds count none."""
    if resource is not kinds.SERVICES:
        return ()
    selector = rendering.children_selector(args.name) if args.name else keys.SERVICE
    return (await client.list(kinds.PODS, namespace_of(args), label_selector=selector)).items
