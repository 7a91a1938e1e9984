"""Tables of objects that stay aligned while they go on.

For: `relight get`, once and with --watch.
Must not know: what a column shows (cells), or what else `get` can print.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

from api import keys, kinds
from api.kinds import Resource
from relight import rendering
from relight.cells import Facts
from relight.connection import Connection
from relight.replicas import Replicas, count_replicas
from relight.waiting import follow
from relight.watching import Change, View, key_of


def namespace_of(args: argparse.Namespace) -> str | None:
    """The namespace that was asked for; None is all of them."""
    return None if args.all_namespaces else args.namespace


class Table:
    """Lines that stay aligned over several calls."""

    def __init__(self, args: argparse.Namespace, resource: Resource) -> None:
        self._columns = rendering.columns(
            resource, is_wide=args.output == "wide", has_namespace=args.all_namespaces
        )
        self._widths: list[int] = []

    def show(
        self,
        objects: Sequence[dict[str, Any]],
        pods: Sequence[dict[str, Any]],
        *,
        has_header: bool,
    ) -> None:
        now_s = time.time()  # noqa: TID251 - ages are counted from Kubernetes' timestamps
        facts = Facts(now_s=now_s, replicas=count_replicas(pods))
        lines = rendering.rows(objects, self._columns, facts)
        header = [[column.title for column in self._columns]] if has_header else []
        for line in rendering.table(header + lines, self._widths):
            print(line, flush=True)


class Watch:
    """Print each object when it appears, changes or goes, until interrupted."""

    def __init__(
        self, args: argparse.Namespace, resource: Resource, connection: Connection
    ) -> None:
        client, namespace = connection.client, namespace_of(args)
        self._args, self._resource = args, resource
        self._objects = View(client, resource, namespace, name=args.name or "")
        self._pods: View | None = None
        if resource is kinds.SERVICES and args.output in ("table", "wide"):
            selector = rendering.children_selector(args.name) if args.name else keys.SERVICE
            self._pods = View(client, kinds.PODS, namespace, label_selector=selector)
        self._table = Table(args, resource)
        self._has_header = True
        self._counted: Replicas = {}

    async def run(self) -> None:
        """Until cancelled, or until the platform goes."""
        await follow([view for view in (self._objects, self._pods) if view], self._told)

    def _told(self, view: View, changes: list[Change]) -> None:
        if self._args.output not in ("table", "wide"):
            self._print_raw(changes)
        elif view is self._pods:
            self._recount()
        elif changes:
            self._show([change.object for change in changes])

    def _print_raw(self, changes: list[Change]) -> None:
        for change in changes:
            if self._args.output == "name":
                print(rendering.full_name(self._resource, change.object), flush=True)
            else:
                separator = "---\n" if self._args.output == "yaml" else ""
                print(separator + rendering.dump(change.object, self._args.output), flush=True)

    def _recount(self) -> None:
        """Show again the Services whose number of replicas is not what it was."""
        assert self._pods is not None
        before = self._counted
        self._counted = count_replicas(self._pods.objects.values())
        moved = [
            raw
            for key, raw in self._objects.objects.items()
            if before.get(key) != self._counted.get(key)
        ]
        if moved:
            self._show(moved)

    def _show(self, objects: list[dict[str, Any]]) -> None:
        pods = list(self._pods.objects.values()) if self._pods else []
        self._table.show(sorted(objects, key=key_of), pods, has_header=self._has_header)
        self._has_header = False
