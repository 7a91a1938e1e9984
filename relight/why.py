"""`relight why`: why a revision has as many replicas as it has, and where a request's time went.

For: two questions asked of a running platform, answered in sentences.
Must not know: what a decision or a timeline looks like on the page (why_revision, why_request).
"""

import argparse
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from api import conditions, keys, kinds
from cluster.errors import NotFoundError
from relight import asking, config, moments, rendering, why_request, why_revision
from relight.connection import Connection, connect, find
from relight.errors import Exit, FailedError, UsageError
from relight.replicas import at
from relight.why_revision import Reader

Raw = Mapping[str, Any]
_EXAMPLE = """example:
  relight why iris                     its revisions now, and what was decided lately
  relight why iris-00001 --at 14:05    what was in force then
  relight why 5f1c9c0e-1f              where the time of a request went (x-request-id)
"""
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")  # of an object
_LAST = 10
_REQUESTS_MAX = 5  # with one id: clients may use one twice
_BEFORE_S = 0.05  # a burst may have begun so long before the request that asks
_CLOCKS_S = 0.003  # a decision is dated by a loop, in whole milliseconds
_NAMES_MAX = 20
_ASLEEP = "NoTraffic"  # no fault


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "why",
        help="say why a revision has its replicas, or where a request's time went",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="SERVICE|REVISION|REQUEST_ID")
    config.add_arguments(parser)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--request", action="store_true", help="the name is a request's id")
    parser.add_argument(
        "--at", metavar="TIME", help='what was in force then: RFC 3339, 14:05, "5m ago"'
    )
    parser.add_argument(
        "--last", type=int, default=_LAST, metavar="N", help=f"how many decisions (default {_LAST})"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    if not 1 <= args.last <= 1000:
        raise UsageError("--last: expected 1 to 1000 decisions")
    if args.at is not None and args.request:
        raise UsageError("--at: a request has a time of its own")
    now_s = time.time()  # noqa: TID251 - moments are told on the reader's clock
    at_s = None if args.at is None else moments.moment(args.at, now_s=now_s, zone=None)
    width = shutil.get_terminal_size((100, 24)).columns
    reader = Reader(now_s=now_s, zone=None, width=width)
    async with connect(config.locate(args)) as connection:
        names = [] if args.request else await _revisions(args, connection)
        if names:
            found = [await _revision(args, connection, name, at_s) for name in names]
            pages = [_revision_page(args, each, at_s, reader) for each in found]
        else:
            found = await _requests(args, connection)
            pages = [
                why_request.page(
                    each["timeline"], each["decision"], each["start"], reader, fault=each["fault"]
                )
                for each in found
            ]
    if args.output == "json":
        print(rendering.dump({"revisions" if names else "requests": found}, "json"))
    else:
        print("\n\n".join(pages))
    return Exit.OK


async def _revisions(args: argparse.Namespace, connection: Connection) -> list[str]:
    """The revisions that a name means; none when it must be something else."""
    client, namespace, name = connection.client, args.namespace, args.name
    if not _NAME.fullmatch(name):
        return []
    service = await find(client, kinds.SERVICES, namespace, name)
    if service is not None:
        found = _served(service)
        if not found:
            raise FailedError(f"service {name} has no revision yet: see 'relight describe {name}'")
        return found
    if await find(client, kinds.REVISIONS, namespace, name) is not None:
        return [name]
    label = f"{keys.INFERENCE_SERVICE}={name}"
    parts = await client.list(kinds.SERVICES, namespace, label_selector=label)
    return [revision for part in parts.items for revision in _served(part)]


def _served(service: Raw) -> list[str]:
    """The revisions with traffic, else the latest one."""
    traffic = at(service, "status", "traffic") or ()
    named = [each.get("revisionName") for each in traffic if each.get("percent")]
    latest = at(service, "status", "latestReadyRevisionName")
    created = at(service, "status", "latestCreatedRevisionName")
    return list(dict.fromkeys(str(each) for each in named or [latest or created] if each))


async def _revision(
    args: argparse.Namespace, connection: Connection, name: str, at_s: float | None
) -> dict[str, Any]:
    path = f"revisions/{args.namespace}/{name}"
    params = {} if at_s is None else {"at": f"{at_s:.6f}"}
    revision = await find(connection.client, kinds.REVISIONS, args.namespace, name) or {}
    try:
        told = await asking.answer(connection, "autoscaler", path, {})
    except FailedError as error:
        class_ = at(revision, "metadata", "annotations", keys.SCALING_CLASS)
        if class_ is None or not isinstance(error.__cause__, NotFoundError):
            raise
        said = f"{error}; {name} is of class {class_} ({keys.SCALING_CLASS})"
        raise FailedError(said) from error
    fault = _fault(revision)
    if fault:
        told["fault"] = fault
    journal = await asking.answer(connection, "autoscaler", f"{path}/journal", params)
    return {"revision": told, "journal": journal}


def _fault(revision: Raw) -> dict[str, str]:
    """Why it does not come up, by its own conditions; empty where nothing is wrong."""
    for name in ("Ready", "Active"):  # one that was Ready once may fail to come back
        found = conditions.find(revision, name)
        if found is not None and found.status == "False" and found.reason != _ASLEEP:
            return {"reason": found.reason, "message": found.message}
    return {}


def _revision_page(args: argparse.Namespace, found: Raw, at_s: float | None, reader: Reader) -> str:
    told, journal = found["revision"], found["journal"]
    if at_s is None:
        return why_revision.page(told, journal, reader, last=args.last)
    return why_revision.page_at(told, journal, at_s, reader, last=args.last)


async def _requests(args: argparse.Namespace, connection: Connection) -> list[dict[str, Any]]:
    """What is known of a request's id; FailedError says what exists when nothing is."""
    if args.at is not None:
        raise FailedError(await _nothing(args, connection, "a request has a time of its own"))
    try:
        path = f"requests/{quote(args.name, safe='')}"
        told = await asking.answer(connection, "activator", path, {})
    except FailedError as error:
        if not isinstance(error.__cause__, NotFoundError):
            raise
        raise FailedError(await _nothing(args, connection, error.__cause__.message)) from error
    return [await _joined(connection, each) for each in told["requests"][:_REQUESTS_MAX]]


async def _nothing(args: argparse.Namespace, connection: Connection, of_requests: str) -> str:
    if args.request:
        return of_requests
    services = await connection.client.list(kinds.SERVICES, args.namespace)
    revisions = await connection.client.list(kinds.REVISIONS, args.namespace)
    return (
        f"no service and no revision in namespace {args.namespace} is called {args.name} "
        f"(services: {_names(services.items)}; revisions: {_names(revisions.items)}); "
        f"{of_requests}"
    )


def _names(objects: Iterable[Raw]) -> str:
    names = sorted(str(raw["metadata"]["name"]) for raw in objects)
    shown = ", ".join(names[:_NAMES_MAX]) or "none"
    return shown + (f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else "")


async def _joined(connection: Connection, timeline: dict[str, Any]) -> dict[str, Any]:
    """A timeline with what was decided while it was held, and how its replica started."""
    return {
        "timeline": timeline,
        "decision": await _decision(connection, timeline) if timeline.get("cold") else None,
        "start": await _start(connection, timeline) if timeline.get("cold") else None,
        "fault": await _missing(connection, timeline),
    }


async def _missing(connection: Connection, timeline: Raw) -> dict[str, str]:
    """Why there was no replica for it; empty where there was one."""
    if timeline.get("replica") or not timeline.get("cold"):
        return {}
    namespace, name = timeline["namespace"], timeline["revision"]
    return _fault(await find(connection.client, kinds.REVISIONS, namespace, name) or {})


async def _decision(connection: Connection, timeline: Raw) -> dict[str, Any] | None:
    """The change that was decided while the request waited."""
    path = f"revisions/{timeline['namespace']}/{timeline['revision']}/journal"
    begin_s = timeline["time"] - _BEFORE_S
    end_s = timeline["time"] + timeline["held_s"]
    try:
        journal = await asking.answer(connection, "autoscaler", path, {"at": f"{end_s:.6f}"})
    except FailedError:
        return None  # the revision is gone, or another autoscaler's
    during = [each for each in journal["entries"] if each["first"] >= begin_s and each["is_change"]]
    told_s = timeline["time"] + timeline.get("poked_s", 0.0) - _CLOCKS_S
    for each in during:
        if each["first"] >= told_s:
            return dict(each)  # the first one that knew of it
    return dict(during[-1]) if during else None


async def _start(connection: Connection, timeline: Raw) -> dict[str, Any] | None:
    """How long its replica took to start; None when its Pod is gone."""
    name = timeline.get("replica")
    pod = await find(connection.client, kinds.PODS, timeline["namespace"], name) if name else None
    if pod is None:
        return None
    text = at(pod, "metadata", "annotations", keys.START_TIMING)
    try:
        raw = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        raw = {}
    return raw if isinstance(raw, dict) else {}
