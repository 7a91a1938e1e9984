"""The zygotes of sets of libraries: forked when models need them, chosen, ended.

For: starting a replica from a process in which the libraries of its model are imported already.
Must not know: Pods, how a replica is started, or when a set is worth having.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from api.modelfiles import Kind, ModelFileError, kind_of
from api.modellayouts import join, located
from embedded.forkedzygote import ForkedZygote
from embedded.zygote import Zygote, ZygoteError
from embedded.zygotesets import AHEAD, ZygoteSets
from predictor import libraries
from wire import folders

log = logging.getLogger(__name__)

_SPARES = 1


class LibraryZygotes:
    """Forks of `parent`. `ahead` are sets that are wanted before any model is."""

    def __init__(self, parent: Zygote, *, sets_max: int, ahead: Sequence[str] = ()) -> None:
        self._parent = parent
        self._ahead = tuple(ahead)
        self._sets = ZygoteSets(sets_max=sets_max)
        self._kept: dict[str, ForkedZygote] = {}
        self._known: dict[str, str] = {}  # sets by digest
        self._changed = asyncio.Event()
        self._made = 0

    async def zygote_for(self, model: str, digest: str) -> Zygote:
        """Who forks the predictor of a pinned model: its set's zygote where that is ready.

        Else the one that all share. The first who needs a set has it started, and does not wait.
        """
        name = await self._set_of(model, digest) if model and digest else ""
        if not name:
            return self._parent
        self._sets.asked(name, digest, self._now_s())
        self._changed.set()
        kept = self._kept.get(name)
        return kept if kept is not None and kept.is_ready else self._parent

    def keep(self, digests: Collection[str]) -> None:
        """These are the models of all Revisions there are."""
        self._sets.keep(digests, self._now_s())
        self._known = {known: name for known, name in self._known.items() if known in digests}
        self._changed.set()

    async def run(self) -> None:
        """Start and end them as they are due."""
        for name in self._ahead:
            self._sets.asked(name, AHEAD, self._now_s())
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                self._act(tasks)
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._sets.next_s()):
                        await self._changed.wait()

    def _act(self, tasks: asyncio.TaskGroup) -> None:
        busy = {name for name, kept in self._kept.items() if kept.is_parent}
        due = self._sets.due(self._now_s(), busy=busy)
        for name in due.end:
            if (gone := self._kept.pop(name, None)) is not None:
                log.info("%s is needed no more", gone.name)
                tasks.create_task(gone.retire())
        for name in due.start:
            self._made += 1
            asked = {"kind": "libraries", "packages": libraries.SETS[name], "env": {}, "cwd": "/"}
            made = ForkedZygote(
                f"libraries/{name}/{self._made}", self._parent, asked, spares=_SPARES
            )
            self._kept[name] = made
            tasks.create_task(self._live(name, made))

    async def _live(self, name: str, zygote: ForkedZygote) -> None:
        """Follow one to its end."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            await zygote.start()
            log.info("%s is ready after %.1f s", zygote.name, loop.time() - began_s)
            await zygote.wait()
            why = "it ended"
        except ZygoteError as error:
            why = str(error)
        finally:
            zygote.close()
        if self._kept.get(name) is zygote:
            log.warning("%s: %s; replicas import for themselves meanwhile", zygote.name, why)
            del self._kept[name]
            self._sets.ended(name, loop.time())
            self._changed.set()

    async def _set_of(self, model: str, digest: str) -> str:
        known = self._known.get(digest)
        if known is None:
            is_plain = kind_of(model) is Kind.ONNX
            known = "" if is_plain else await asyncio.to_thread(set_of, Path(model))
            self._known[digest] = known
        return known

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def set_of(model: Path) -> str:
    """The libraries a model on this disk needs; "" for none, or where it is no model."""
    try:
        files, name = folders.of(model)
        found = located(files, name)
        if found.kind is not Kind.MLFLOW:
            return libraries.of_kind(found.kind)
        raw = yaml.safe_load(files.text(join(found.path, "MLmodel")))
        return libraries.of_flavour(str(raw["flavors"]["python_function"]["loader_module"]))
    except (ModelFileError, OSError, yaml.YAMLError, LookupError, TypeError, RecursionError):
        return ""  # the replica says what is wrong with it
