"""`relight deploy`: create or update a Service and wait until it serves.

For: the order of things: check, store, wait, tell.
Must not know: how a Service is built (manifests), or what its conditions mean (phases).
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from api import kinds
from cluster.errors import AlreadyExistsError, ConflictError
from relight import config, deploy_arguments, manifests, outcome, rendering
from relight.connection import Connection, connect, find
from relight.errors import Exit, FailedError, UnreachableError, UsageError
from relight.phases import Seen, failure, is_done, phase
from relight.progress import Progress
from relight.waiting import until
from relight.watching import View

_WRITES_MAX = 5  # attempts at storing an object that others change too


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command's flags and help."""
    deploy_arguments.add_parser(subparsers)


async def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    wanted = deploy_arguments.wanted(args, Path.cwd())
    if args.dry_run:
        print(rendering.dump(await _planned(args, wanted), args.output or "yaml"))
        return Exit.OK
    async with connect(config.locate(args)) as connection:
        _refuse_local_files(connection, wanted, is_checked=not args.no_check)
        service, is_changed = await _store(connection, wanted)
        if not is_changed:
            print(f"Service {wanted.name}: nothing to change", file=sys.stderr)
        if not args.no_wait:
            service = await _wait(connection, service, args.wait_timeout)
    if args.output:
        print(rendering.dump(service, args.output))
    else:
        outcome.tell(service, is_ready=not args.no_wait)
    return Exit.OK


def _refuse_local_files(
    connection: Connection, wanted: manifests.Wanted, *, is_checked: bool
) -> None:
    """A cluster's Pods have other files than this machine."""
    if connection.location.activator is not None:
        return
    run, told = wanted.run, f"and Pods of {connection.location.label} do not see it"
    if run.repository and is_checked:
        raise UsageError(
            f"--repository: {run.repository} lies on this machine, {told}: "
            "name with --no-check a folder of the image or of a volume"
        )
    if (wanted.source_digest or "").startswith("sha256:"):
        path = run.model or run.python or run.transformer
        raise UsageError(
            f"{path} lies on this machine, {told}: "
            "give https://, s3://, gs:// or hf://, a claim by an InferenceService (pvc://), or "
            "with --no-check a path in the image"
        )


async def _planned(args: argparse.Namespace, wanted: manifests.Wanted) -> dict[str, Any]:
    """What would be stored; without a platform, as if nothing were there yet."""
    try:
        async with connect(config.locate(args)) as connection:
            old = await find(connection.client, kinds.SERVICES, wanted.namespace, wanted.name)
    except UnreachableError:
        old = None
    return manifests.build(wanted, old)


async def _store(connection: Connection, wanted: manifests.Wanted) -> tuple[dict[str, Any], bool]:
    """Write what is wanted over what is there; say whether anything had to be written."""
    client = connection.client
    for _ in range(_WRITES_MAX):
        old = await find(client, kinds.SERVICES, wanted.namespace, wanted.name)
        new = manifests.build(wanted, old)
        try:
            if old is None:
                return await client.create(kinds.SERVICES, new), True
            if new["spec"] == old["spec"]:
                return old, False
            return await client.replace(kinds.SERVICES, new), True
        except (ConflictError, AlreadyExistsError):
            continue  # someone else wrote in between: read again, decide again
    raise FailedError(f"Service {wanted.name} was changed by others {_WRITES_MAX} times: try again")


async def _wait(
    connection: Connection, service: dict[str, Any], timeout_s: float
) -> dict[str, Any]:
    """The Service once it is ready. FailedError says why it is not."""
    watch = _Watch(connection, service)
    progress = Progress(sys.stderr, asyncio.get_running_loop().time)

    def answer() -> Seen | str | None:
        seen = watch.seen()
        if seen is None:
            return f"Service {watch.name} was deleted"
        progress.show(phase(seen))
        return failure(seen) or (seen if is_done(seen) else None)

    try:
        found = await until(watch.views, answer, timeout_s=timeout_s, repaint_s=progress.repaint_s)
    finally:
        progress.close()
    if isinstance(found, Seen):
        return dict(found.service)
    if found is None:
        found = (
            f"Service {watch.name} is not ready after {timeout_s:g} s; it goes on: "
            f"see 'relight describe {watch.name}'"
        )
    raise FailedError(found)


class _Watch:
    """Everything whose conditions tell how a Service is coming along."""

    def __init__(self, connection: Connection, service: dict[str, Any]) -> None:
        metadata = service["metadata"]
        self.name: str = metadata["name"]
        self._key = (metadata["namespace"], self.name)
        self._generation = int(metadata["generation"])
        client, namespace = connection.client, metadata["namespace"]
        children = rendering.children_selector(self.name)
        self._services = View(client, kinds.SERVICES, namespace, name=self.name)
        self._revisions = View(client, kinds.REVISIONS, namespace, label_selector=children)
        self._pods = View(client, kinds.PODS, namespace, label_selector=children)
        self.views = (self._services, self._revisions, self._pods)

    def seen(self) -> Seen | None:
        """What there is now; None when the Service is gone."""
        service = self._services.objects.get(self._key)
        if service is None:
            return None
        return Seen(
            service=service,
            generation=self._generation,
            revisions={name: raw for (_, name), raw in self._revisions.objects.items()},
            pods=self._pods.objects.values(),
        )
