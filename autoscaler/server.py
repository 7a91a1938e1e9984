"""The autoscaler, put together: watches in, scales out.

For: whoever runs one: in the process of `relight up`, or alone on a cluster.
Must not know: how decisions are made, or who serves the API.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from api import keys
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS
from api.stats import Stat
from autoscaler import claiming as claims
from autoscaler import keeping, loop, neighbours, scaler, scraping
from autoscaler.announcing import concerned
from autoscaler.claiming import Claiming
from autoscaler.config import Settings
from autoscaler.delegating import Delegation
from autoscaler.journal import Entry
from autoscaler.keeping import Keeper, Timing, WindowStore
from autoscaler.memory import Memory
from autoscaler.neighbours import Meet
from autoscaler.scraping import Scraper
from autoscaler.settings_map import SettingsMap
from autoscaler.trimming import Trimmer
from cluster.client import Client
from cluster.events import EventRecorder
from cluster.informer import Informer

Raw = dict[str, Any]


class Autoscaler:
    """Decides for every PodAutoscaler of class kpa or relight, and has Kubernetes do so for hpa's.

    `clock` is epoch seconds and dates statuses and Events; decisions use the loop's clock.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        clock: Callable[[], float],
        store: WindowStore | None = None,
        timing: Timing | None = None,
        meet: Meet | None = None,
    ) -> None:
        """With a `store`, the windows of who ran before are gone on with, and kept for the next.

        `meet` is where Revisions are somebody else's, who serves them.
        """
        self._neighbour = None if meet is None else meet(self)
        if self._neighbour is not None:
            settings = self._neighbour.settings(settings)
        self._clock = clock
        self._recorder = EventRecorder(client, "autoscaler", clock=clock)
        self._scaler = scaler.Scaler(client, settings, spawn=self._spawn)
        self._claiming: Claiming | None = None
        memory = None if store is None else Memory()
        path = None if self._neighbour is None else self._neighbour.path
        self._loop = loop.Loop(
            self._scaler, self._recorder, settings, clock=clock, memory=memory, path=path
        )
        self._keeper: Keeper | None = None
        if store is not None and memory is not None:
            self._keeper = Keeper(store, memory, self, timing or Timing())
        trimmer = Trimmer()
        self._deployments = Informer(client, DEPLOYMENTS, keep=trimmer.deployment)
        self._autoscalers = Informer(client, PODAUTOSCALERS, keep=trimmer.autoscaler)
        self._settings = settings  # as the ConfigMaps say now
        self._is_reconfigured = asyncio.Event()
        self._settings_map = SettingsMap(client, settings, self._on_settings)
        self._delegation = Delegation(
            client, self._recorder, clock=clock, defaults=lambda: self._settings.defaults
        )
        self._scraper: Scraper | None = None
        if self._neighbour is not None:
            self._scraper = Scraper(client, self._loop, meter=self._neighbour.meter)
        elif settings.is_mode_followed:
            self._scraper = Scraper(client, self._loop)
        self._tasks: asyncio.TaskGroup | None = None

    def receive(self, stats: Sequence[Stat]) -> None:
        """Take in reports of load, from any coroutine of this event loop.

        A poke is decided before this returns, and written in the next turn of the loop.
        Before `run` there is nobody to decide for, and stats are dropped.
        """
        if self._tasks is not None:
            self._loop.receive(stats, now_s=asyncio.get_running_loop().time())

    def listen(self) -> None:
        """Reports may have been lost until now: what is silent is not known to have no load."""
        if self._tasks is not None:
            self._loop.listen(now_s=asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Watch, decide and write until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                if self._keeper is not None:
                    tasks.create_task(self._keeper.run(self.synced), name="autoscaler state")
                tasks.create_task(self._recorder.run(), name="autoscaler events")
                tasks.create_task(self._loop.run(), name="autoscaler ticks")
                if self._claiming is not None:
                    tasks.create_task(self._claiming.run(), name="autoscaler claims")
                tasks.create_task(self._settings_map.run(), name="autoscaler settings")
                await self._settings_map.synced()
                tasks.create_task(self._reconfigure(), name="autoscaler reconfiguring")
                if self._delegates:
                    tasks.create_task(self._delegation.run(), name="autoscaler class hpa")
                if self._neighbour is not None:
                    tasks.create_task(self._neighbour.run(), name="autoscaler neighbour")
                    await self._neighbour.ready()
                self._deployments.on_change(self._on_deployment)
                tasks.create_task(self._deployments.run(), name="autoscaler deployments")
                # How many replicas run is known before the first decision is made.
                await self._deployments.synced()
                if self._keeper is not None:
                    await self._keeper.ready()
                self._autoscalers.on_change(self._on_autoscaler)
                tasks.create_task(self._autoscalers.run(), name="autoscaler podautoscalers")
                if self._scraper is not None:
                    tasks.create_task(self._scraper.run(), name="autoscaler scraping")
        finally:
            self._tasks = None

    async def synced(self) -> None:
        """Wait until every PodAutoscaler that exists is known."""
        await self._autoscalers.synced()

    def journal(self, namespace: str, revision: str) -> tuple[Entry, ...]:
        """What was decided for a Revision, oldest first; empty when it is not ours."""
        return self._loop.journal((namespace, revision))

    def revisions(self) -> list[scaler.Key]:
        """Every Revision that is decided for, as (namespace, name)."""
        return self._loop.keys()

    def known(self, key: scaler.Key) -> loop.Known | None:
        """What is known of one Revision; None when it is not ours."""
        return self._loop.known(key)

    def path_changed(self, key: scaler.Key) -> None:
        """What is to be said of a Revision's way may have changed."""
        if self._tasks is not None:
            self._loop.path_changed(key, now_s=asyncio.get_running_loop().time())

    def woken(self) -> None:
        """Whether Revisions can be woken from zero has changed."""
        self._on_settings(self._settings)

    def wall_s(self) -> float:
        """The time of day, in seconds since the epoch."""
        return self._clock()

    def statistics(self) -> tuple[loop.Statistics, scaler.Statistics]:
        """Counts of deciding, and of writing."""
        return self._loop.statistics(), self._scaler.statistics()

    def scraping(self) -> scraping.Statistics | None:
        """Counts of asking replicas; None where nobody lets callers past the activators."""
        return None if self._scraper is None else self._scraper.statistics()

    def neighbour(self) -> neighbours.Statistics | None:
        """How things stand with who serves what is decided for; None where that is us."""
        return None if self._neighbour is None else self._neighbour.statistics()

    def claim_by(self, claiming: Claiming) -> None:
        """Have warm Pods claimed, where there may be any; before `run`."""
        self._claiming = self._scaler.claims = claiming
        claiming.on_news(self._tell)

    def claims(self) -> claims.Statistics | None:
        """Counts of claiming; None where there is nothing to claim."""
        return None if self._claiming is None else self._claiming.statistics()

    def _tell(self, key: scaler.Key, kind: str, reason: str, message: str) -> None:
        known = self._loop.known(key)
        if known is not None:
            tell = self._recorder.normal if kind == "Normal" else self._recorder.warning
            for about in concerned(known.raw):
                tell(about, reason, message)

    def recall(self, key: scaler.Key) -> None:
        """Let a Revision that is known go on from what was kept of it."""
        self._loop.recall(key, now_s=asyncio.get_running_loop().time())

    def dump(self, key: scaler.Key) -> bytes | None:
        """The bytes to keep of a Revision."""
        return self._loop.dump(key, now_s=asyncio.get_running_loop().time())

    def keeping(self) -> keeping.Statistics | None:
        """Counts of keeping; None when nothing is kept."""
        return None if self._keeper is None else self._keeper.statistics()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            if self._tasks is not None:
                self._tasks.create_task(work)
                return
        except RuntimeError:  # the group is being cancelled
            pass
        work.close()  # stopping: what is not written now is decided again by whoever runs next

    @property
    def _delegates(self) -> bool:
        return keys.CLASS_HPA in self._settings.classes

    def _on_settings(self, settings: Settings) -> None:
        self._settings = settings if self._neighbour is None else self._neighbour.settings(settings)
        self._is_reconfigured.set()

    async def _reconfigure(self) -> None:
        """Decide by the settings of now; of several changes at once the last one counts."""
        while True:
            await self._is_reconfigured.wait()
            self._is_reconfigured.clear()
            await self._loop.reconfigure(self._settings, self._autoscalers.objects)
            if self._delegates:
                for raw in list(self._autoscalers.objects.values()):
                    self._delegation.autoscaler_changed(raw)

    def _on_deployment(self, old: Raw | None, new: Raw | None) -> None:
        metadata = (new or old or {})["metadata"]
        name = (metadata.get("namespace", ""), metadata["name"])
        self._loop.deployment_changed(name, new, now_s=asyncio.get_running_loop().time())
        self._delegation.deployment_changed(name)

    def _on_autoscaler(self, old: Raw | None, new: Raw | None) -> None:
        if new is not None:
            self._loop.autoscaler_changed(new, now_s=asyncio.get_running_loop().time())
            if self._delegates:
                self._delegation.autoscaler_changed(new)
        elif old is not None:
            self._loop.autoscaler_gone(old)
            self._delegation.autoscaler_gone(old)
