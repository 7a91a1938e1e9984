"""`relight traffic`: show and change who gets which share of a Service's traffic.

For: canaries, promotions and rollbacks, waited for until the Route shows them.
Must not know: the arithmetic of shares (splitting).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from api import conditions, kinds
from cluster.errors import ConflictError
from relight import config, rendering, shifting, splitting
from relight.connection import Connection, connect
from relight.errors import Exit, FailedError, UsageError
from relight.shifting import Shift
from relight.waiting import until
from relight.watching import View

Raw = Mapping[str, Any]
_EXAMPLE = """example:
  relight traffic iris                              show the split
  relight traffic iris iris-00001=90 @latest=10     change it; shares sum to 100
  relight traffic iris --promote                    all to the latest revision
  relight traffic iris --rollback                   all to the one before (or: end a canary)
"""
_WRITES_MAX = 5


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "traffic",
        help="show or change the split between revisions",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("shares", nargs="*", metavar="REVISION=PERCENT")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--latest", type=int, metavar="PERCENT", help="same as @latest=PERCENT")
    parser.add_argument("--tag", action="append", default=[], metavar="TAG=REVISION")
    parser.add_argument("--untag", action="append", default=[], metavar="TAG")
    whole = parser.add_mutually_exclusive_group()
    whole.add_argument("--promote", action="store_true", help="100 %% to the latest revision")
    whole.add_argument("--rollback", action="store_true", help="100 %% to the previous ready one")
    parser.add_argument("--wait-timeout", type=float, default=60.0, metavar="S")
    parser.add_argument("-o", "--output", choices=("table", "json", "yaml"), default="table")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    shift = _shift(args)
    async with connect(config.locate(args)) as connection:
        if shift.is_empty:
            service = await connection.client.get(kinds.SERVICES, args.namespace, args.name)
            traffic = (service.get("status") or {}).get("traffic") or []
        else:
            wanted = await _store(args, connection, shift)
            traffic = await _wait(args, connection, wanted)
    _show(traffic, args.output)
    return Exit.OK


def _shift(args: argparse.Namespace) -> Shift:
    latest = [] if args.latest is None else [f"{splitting.LATEST}={args.latest}"]
    shares = shifting.parse_shares([*args.shares, *latest])
    if shares and (args.promote or args.rollback):
        raise UsageError("--promote and --rollback give all the traffic: no shares beside them")
    return Shift(
        shares=shares,
        tags=shifting.parse_tags(args.tag),
        untagged=args.untag,
        is_promotion=args.promote,
        is_rollback=args.rollback,
    )


async def _store(
    args: argparse.Namespace, connection: Connection, shift: Shift
) -> list[dict[str, Any]]:
    client = connection.client
    children = rendering.children_selector(args.name)
    for _ in range(_WRITES_MAX):
        service = await client.get(kinds.SERVICES, args.namespace, args.name)
        found = await client.list(kinds.REVISIONS, args.namespace, label_selector=children)
        plan = shifting.plan(shift, service, found.items)
        traffic = splitting.to_traffic(plan.split)
        new = {**service, "spec": {**service["spec"], "traffic": traffic}}
        try:
            await client.replace(kinds.SERVICES, new)
        except ConflictError:
            continue  # someone else wrote in between: read again, decide again
        if plan.note:
            print(f"{args.name}: {plan.note}", file=sys.stderr)
        return traffic
    raise FailedError(f"Service {args.name} was changed by others {_WRITES_MAX} times: try again")


async def _wait(
    args: argparse.Namespace, connection: Connection, wanted: Sequence[Raw]
) -> list[Raw]:
    """The traffic in the Route's status, once it is what was asked for."""
    key = (args.namespace, args.name)
    view = View(connection.client, kinds.ROUTES, args.namespace, name=args.name)

    def answer() -> list[Raw] | str | None:
        return settled(view.objects.get(key), wanted)

    found: list[Raw] | str | None = await until([view], answer, timeout_s=args.wait_timeout)
    if found is None:
        raise FailedError(
            f"the Route of {args.name} does not show the new split after {args.wait_timeout:g} s"
        )
    if isinstance(found, str):
        raise FailedError(found)
    return found


def settled(route: Raw | None, wanted: Sequence[Raw]) -> list[Raw] | str | None:
    """The traffic a Route serves if it is the wanted one, why it never will, or None: wait."""
    if route is None:
        return None
    traffic: list[Raw] = (route.get("status") or {}).get("traffic") or []
    if conditions.is_ready(route) and splitting.is_applied(wanted, traffic):
        return traffic
    observed = (route.get("status") or {}).get("observedGeneration")
    assigned = conditions.find(route, "AllTrafficAssigned")
    is_new = splitting.is_applied(wanted, route["spec"].get("traffic") or ())
    is_seen = is_new and observed == route["metadata"].get("generation")
    if is_seen and assigned is not None and assigned.status == conditions.FALSE:
        return f"{assigned.message or assigned.reason}; the traffic is as it was"
    return None


def _show(traffic: Sequence[Raw], form: str) -> None:
    if form != "table":
        print(rendering.dump(list(traffic), form))
        return
    lines = [
        [
            str(target.get("revisionName") or rendering.NONE),
            f"{target.get('percent') or 0}%",
            "yes" if target.get("latestRevision") else "",
            str(target.get("tag") or ""),
            str(target.get("url") or ""),
        ]
        for target in traffic
    ]
    for line in rendering.table([["REVISION", "PERCENT", "LATEST", "TAG", "URL"], *lines], []):
        print(line)
