"""`relight install`: put Relight into a cluster, or bring what is there up to date.

For: one command from nothing to a platform; done again, it changes nothing.
Must not know: what the manifests say, or how an object is applied.
"""

import argparse
import base64
import secrets
import sys
import time
from typing import Any

import yaml

from api import kinds
from cluster.errors import UnavailableError
from relight import applying, config, customizing, removing, settling, tree
from relight.connection import Connection, connect, find
from relight.customizing import Wishes
from relight.errors import Exit, FailedError, UnreachableError, UsageError
from relight.progress import Progress

_NAMESPACE = "relight-system"
_REDIS_SECRET = "relight-redis"  # noqa: S105 - a name
_EXAMPLE = """example:
  relight install --overlay minimal --wait
  relight install --overlay ha --overlay redis --set domain=example.org
  relight install --image-prefix registry.example.org --image-tag 0.1.0 --dry-run
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "install",
        help="put Relight into a Kubernetes cluster, or upgrade it there",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config.add_cluster_arguments(parser)
    parser.add_argument(
        "--overlay",
        action="append",
        default=[],
        metavar="NAME|DIR",
        help="a shape: minimal, ha, gpu, redis, prometheus-operator (several together); "
        "beside-knative, the autoscaler alone; or a folder of your own with a kustomization.yaml",
    )
    parser.add_argument("--image-prefix", default="", metavar="P", help="where our images are")
    parser.add_argument("--image-tag", default="", metavar="T", help="their tag")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the ConfigMap relight-settings; kept by later installs",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be applied, as YAML"
    )
    parser.add_argument("--wait", action="store_true", help="return when everything runs")
    parser.add_argument("--wait-timeout", type=float, default=300.0, metavar="S")


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    prefix, tag = customizing.parse_images(args.image_prefix, args.image_tag)
    wishes = Wishes(
        image_prefix=prefix,
        image_tag=tag,
        settings=customizing.parse_settings(args.set),
    )
    location = config.locate_cluster(args)
    if location.activator is not None:
        raise UsageError(
            f"{location.label} is of 'relight up', which is a whole platform by itself"
        )
    objects = tree.objects(tree.root(), args.overlay)
    async with connect(location) as connection:
        await _refuse_foreign(connection, objects)
        await _refuse_homeless(connection, objects)
        stored = await find(connection.client, kinds.CONFIGMAPS, _NAMESPACE, customizing.SETTINGS)
        objects = customizing.customized(objects, wishes, stored)
        if args.dry_run:
            print(yaml.safe_dump_all(objects, sort_keys=False), end="")
            return Exit.OK
        await _apply(connection, objects)
        if args.wait:
            progress = Progress(sys.stderr, time.monotonic)
            await settling.settled(
                connection, objects, timeout_s=args.wait_timeout, progress=progress
            )
            print("everything runs")
    return Exit.OK


async def _apply(connection: Connection, objects: list[dict[str, Any]]) -> None:
    secret = _redis_secret(objects)
    applied = await applying.apply(connection, objects, tell=print)
    if (
        secret is not None
        and await find(connection.client, kinds.SECRETS, _NAMESPACE, _REDIS_SECRET) is None
    ):
        await connection.client.create(kinds.SECRETS, secret)
        print(f"Secret {_NAMESPACE}/{_REDIS_SECRET} created, with a password of its own")
    for gone in await removing.prune(connection, applied.names):
        print(f"{gone} removed: it is not part of this overlay")
    for note in applied.notes:
        print(f"note: {note}")
    for skipped in applied.skipped:
        print(f"left out: {skipped}")
    print(f"{len(applied.changed)} changed, {applied.unchanged} as they were")


def _redis_secret(objects: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the overlay redis wants and nobody can ship."""
    names = {(each["kind"], each["metadata"]["name"]) for each in objects}
    if ("StatefulSet", "redis") not in names:
        return None
    password = secrets.token_urlsafe(24)
    url = f"redis://:{password}@redis.{_NAMESPACE}.svc:6379/0"
    data = {"password": password, "url": url}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": _REDIS_SECRET,
            "namespace": _NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": "relight"},
        },
        "type": "Opaque",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items()},
    }


async def _refuse_foreign(connection: Connection, objects: list[dict[str, Any]]) -> None:
    """Definitions of somebody else's are not written over. The first question, too."""
    try:
        found = await connection.client.list(kinds.CUSTOMRESOURCEDEFINITIONS)
    except UnavailableError as error:
        label = connection.location.label
        raise UnreachableError(f"the API server of {label} does not answer: {error}") from error
    ours = {
        each["metadata"]["name"]
        for each in objects
        if each["kind"] == kinds.CUSTOMRESOURCEDEFINITIONS.kind
    }
    foreign = [
        f"{each['metadata']['name']} ({owner})"
        for each in found.items
        if each["metadata"]["name"] in ours and (owner := removing.foreign_owner(each))
    ]
    if foreign:
        raise FailedError(
            "these definitions belong to another installation and would be written over: "
            + ", ".join(foreign)
        )


async def _refuse_homeless(connection: Connection, objects: list[dict[str, Any]]) -> None:
    """What is for a namespace of somebody else's is for clusters that have it."""
    made = {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}
    named = {str(each["metadata"].get("namespace") or "") for each in objects}
    for name in sorted(named - made - {"", *removing.NAMESPACES}):
        if await find(connection.client, kinds.NAMESPACES, "", name) is None:
            raise FailedError(
                f"there is no namespace {name}, to which a part of this overlay belongs"
            )
