"""Where one machine fetches models: when a Revision is pinned, and for a Pod that lacks its own.

For: the digest of a model that lies elsewhere, found by fetching it; and Pods that wait for one.
Must not know: how a model is fetched, or how a container is started.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from api.objects import Raw
from api.pods import serving_index
from api.storage_uris import FetchFailedError, is_fetched, shown
from embedded import fetchcredentials
from embedded.environment import Downward, MissingError, environment, references
from embedded.fetching import Fetcher, Tell
from embedded.launching import PredictorLaunch, is_mounted
from embedded.modelstore import ModelError
from embedded.podstatus import terminated, waiting
from embedded.residence import Residence
from embedded.sources import Sources

FETCHING = "Fetching"
Report = Callable[[Mapping[str, Any]], Awaitable[None]]


class RevisionFetch:
    """Fetches for Revisions, with the credentials of their containers."""

    def __init__(self, fetcher: Fetcher, sources: Sources) -> None:
        self._fetcher = fetcher
        self._sources = sources

    async def __call__(self, revision: Raw, uri: str, tell: Tell) -> str:
        """The digest of a Revision's model; FetchFailedError."""
        spec, metadata = revision["spec"], revision["metadata"]
        if references(spec):
            await self._sources.known()
        lookup = self._sources.lookup(str(metadata["namespace"]))
        container = spec["containers"][serving_index(spec["containers"])]
        try:
            env = environment(container, Downward(pod=revision), lookup)
            with fetchcredentials.found(env, revision, container, lookup) as told:
                return (await self._fetcher.fetch(uri, "", told, tell)).digest
        except MissingError as error:
            raise FetchFailedError(f"{shown(uri)}: {error}", is_final=False) from None


def is_remote(launch: PredictorLaunch, container: Raw) -> bool:
    """Whether a predictor's model is one that is fetched."""
    return is_fetched(launch.model) and not is_mounted(launch.model, container)


async def missed(
    launch: object, container: Raw, home: Residence, report: Report, stopping: asyncio.Event
) -> dict[str, Any] | None:
    """Have a container's model in the cache; the state it ends in where that fails.

    The container waits meanwhile, and its Pod says how far it is.
    """
    fetcher = home.around.fetcher
    if not isinstance(launch, PredictorLaunch) or not is_remote(launch, container):
        return None
    uri = launch.model
    if fetcher is None or fetcher.cached(launch.digest or home.fetched.get(uri, "")):
        return None
    said: asyncio.Queue[str] = asyncio.Queue()
    said.put_nowait(f"asking {shown(uri)}")
    home.event(FETCHING, f"Fetching {shown(uri)}")

    async def tell() -> None:
        while True:
            await report(waiting(FETCHING, await said.get()))

    async def fetch() -> str:
        given = (home.pod, container, home.lookup)
        try:
            with fetchcredentials.found(launch.env, *given) as told:
                found = await fetcher.fetch(
                    uri, launch.digest, told, lambda _, words: said.put_nowait(words)
                )
        except (FetchFailedError, MissingError) as error:
            return str(error)
        home.fetched[uri] = found.digest
        home.event("Fetched", f"Fetched {shown(uri)} ({found.digest})")
        return ""

    async def stopped() -> None:
        await stopping.wait()

    async with asyncio.TaskGroup() as tasks:
        fetching = tasks.create_task(fetch())
        beside = [tasks.create_task(tell()), tasks.create_task(stopped())]
        await asyncio.wait((fetching, beside[1]), return_when=asyncio.FIRST_COMPLETED)
        for task in (fetching, *beside):
            task.cancel()
    why = "" if fetching.cancelled() else fetching.result()
    return terminated(1, None, why, home.now()) if why else None


def cached(launch: PredictorLaunch, container: Raw, home: Residence) -> str | None:
    """Where a container's model is, if it is one that is fetched; ModelError where it is not."""
    if home.around.fetcher is None or not is_remote(launch, container):
        return None
    digest = launch.digest or home.fetched.get(launch.model, "")
    path = home.around.fetcher.cached(digest)
    if path is None:
        raise ModelError(f"{shown(launch.model)} is not in the cache")
    return path
