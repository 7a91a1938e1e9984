"""`relight describe`: everything there is to know of one Service, on one page.

For: the question "what is it doing, and why".
Must not know: what any condition or event means.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

from api import kinds
from relight import config, rendering
from relight.ages import age
from relight.cells import Facts
from relight.connection import Connection, connect
from relight.errors import Exit
from relight.replicas import at, count_replicas
from relight.shifting import generation

Raw = Mapping[str, Any]
_EXAMPLE = "example:\n  relight describe iris\n"
_EVENTS_MAX = 10


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "describe",
        help="show a service, its revisions, replicas, conditions and events",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("-o", "--output", choices=("text", "json", "yaml"), default="text")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    async with connect(config.locate(args)) as connection:
        found = await _gather(args, connection)
    if args.output == "text":
        print(page(found, now_s=time.time()))  # noqa: TID251 - ages are counted from timestamps
    else:
        print(rendering.dump(found, args.output))
    return Exit.OK


async def _gather(args: argparse.Namespace, connection: Connection) -> dict[str, Any]:
    client, namespace = connection.client, args.namespace
    service = await client.get(kinds.SERVICES, namespace, args.name)
    children = rendering.children_selector(args.name)
    revisions = await client.list(kinds.REVISIONS, namespace, label_selector=children)
    pods = await client.list(kinds.PODS, namespace, label_selector=children)
    named = {args.name, *(raw["metadata"]["name"] for raw in revisions.items + pods.items)}
    events = [
        event
        for event in (await client.list(kinds.EVENTS, namespace)).items
        if at(event, "involvedObject", "name") in named
    ]
    return {
        "service": service,
        "revisions": sorted(revisions.items, key=generation),
        "pods": sorted(pods.items, key=lambda raw: str(raw["metadata"]["name"])),
        "events": sorted(events, key=_last_seen)[-_EVENTS_MAX:],
    }


def _last_seen(event: Raw) -> str:
    return str(event.get("lastTimestamp") or at(event, "metadata", "creationTimestamp") or "")


def page(found: Mapping[str, Any], *, now_s: float) -> str:
    """The page as text. `now_s` is since the epoch."""
    service = found["service"]
    facts = Facts(now_s=now_s, replicas=count_replicas(found["pods"]))
    columns = rendering.columns(kinds.SERVICES, is_wide=True, has_namespace=True)
    cells = rendering.rows([service], columns, facts)[0]
    parts = [rendering.table([[c.title, x] for c, x in zip(columns, cells, strict=True)], [])]
    parts.append(_conditions(service))
    for resource, name in ((kinds.REVISIONS, "revisions"), (kinds.PODS, "pods")):
        parts.append(_objects(resource, found[name], facts))
    parts.append(_events(found["events"], now_s))
    return "\n\n".join("\n".join(part) for part in parts if part)


def _conditions(service: Raw) -> list[str]:
    keys = ("type", "status", "reason", "message")
    lines = [
        [str(condition.get(key) or "") for key in keys]
        for condition in at(service, "status", "conditions") or ()
    ]
    return rendering.table([["CONDITION", *(k.upper() for k in keys[1:])], *lines], [])


def _objects(resource: kinds.Resource, objects: Sequence[Raw], facts: Facts) -> list[str]:
    columns = rendering.columns(resource, is_wide=True, has_namespace=False)
    header = [column.title for column in columns]
    header[0] = resource.singular.upper()
    lines = rendering.rows(objects, columns, facts)
    return rendering.table([header, *lines], []) if lines else [f"no {resource.plural}"]


def _events(events: Sequence[Raw], now_s: float) -> list[str]:
    lines = [
        [
            age(_last_seen(event), now_s),
            str(event.get("type") or ""),
            str(event.get("reason") or ""),
            str(at(event, "involvedObject", "name") or ""),
            str(event.get("message") or ""),
        ]
        for event in events
    ]
    header = ["EVENT", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    return rendering.table([header, *lines], []) if lines else []
