"""Which Revisions have a zygote of their own, from the first Pod until the Revision is gone.

For: `relight.dev/template`: speed over memory, by the word of who wrote the Revision.
Must not know: how a template is started, or how a Pod's process is.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from api import keys
from api.objects import Raw
from cluster.events import EventRecorder
from embedded.template import TemplateZygote
from embedded.zygote import Zygote, ZygoteError

log = logging.getLogger(__name__)


class Templates:
    """By the uid of the Revision. One that failed is not tried again."""

    def __init__(self, zygote: Zygote, events: EventRecorder) -> None:
        self._zygote = zygote
        self._events = events
        self._kept: dict[str, TemplateZygote] = {}
        self._wanted: asyncio.Queue[tuple[TemplateZygote, Raw]] = asyncio.Queue()
        self._made = 0

    def zygote_for(self, pod: Raw, request: Mapping[str, Any]) -> Zygote:
        """Who forks this predictor: the Revision's template where it is ready, else the other.

        The first Pod of a Revision has one started, and does not wait for it.
        """
        uid = _wants(pod)
        if not uid or request.get("confinement"):
            return self._zygote
        kept = self._kept.get(uid)
        if kept is None:
            self._made += 1
            kept = TemplateZygote(f"template/{uid}/{self._made}", self._zygote, dict(request))
            self._kept[uid] = kept
            self._wanted.put_nowait((kept, pod))
        is_same = kept.request["args"] == request["args"] and kept.request["cwd"] == request["cwd"]
        return kept if kept.is_ready and is_same else self._zygote

    def keep(self, uids: Iterable[str]) -> list[TemplateZygote]:
        """Forget those of other Revisions: they are to be stopped."""
        gone = self._kept.keys() - set(uids)
        return [self._kept.pop(uid) for uid in gone]

    async def run(self) -> None:
        """Start what is wanted, one at a time; start again what died."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    template, pod = await self._wanted.get()
                    if template in self._kept.values() and await self._is_started(template, pod):
                        tasks.create_task(self._watch(template))
        finally:
            for template in self._kept.values():
                template.close()

    async def _is_started(self, template: TemplateZygote, pod: Raw) -> bool:
        try:
            await template.start()
        except ZygoteError as error:
            log.warning("%s: %s", template.name, error)
            self._events.warning(pod, "TemplateFailed", str(error))
            return False
        log.info("%s is open", template.name)
        return True

    async def _watch(self, template: TemplateZygote) -> None:
        """The next Pod has another one started where this one died."""
        await template.wait()
        for uid, kept in list(self._kept.items()):
            if kept is template:
                log.warning("%s ended: its Revision's next Pod has another one started", kept.name)
                del self._kept[uid]


def _wants(pod: Raw) -> str:
    """The uid of a Revision that asks for a template; "" for any other."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    if str(annotations.get(keys.TEMPLATE)).lower() != "true" or not annotations.get(
        keys.MODEL_DIGEST
    ):
        return ""
    return str((metadata.get("labels") or {}).get(keys.REVISION_UID, ""))
