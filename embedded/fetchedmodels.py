"""Where one machine fetches models: when a Revision is pinned, and for a Pod that lacks its own.

For: the digest of a model that lies elsewhere, found by fetching it; and Pods that wait for one.
Must not know: how a model is fetched, or how a container is started.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api.objects import Raw
from api.storage_uris import is_fetched
from controller.models import Resolve
from controller.pinning import Digest, Problem, Underway, fetched_model, serving_container
from embedded.environment import Downward, MissingError, environment, references
from embedded.fetching import Fetcher, FetchFailedError
from embedded.launching import PredictorLaunch, is_mounted
from embedded.modelstore import ModelError
from embedded.podstatus import terminated, waiting
from embedded.residence import Residence
from embedded.sources import Sources
from predictor.fetch_sources import of_fetches
from predictor.fetch_uris import shown

FETCH_FAILED = "ModelFetchFailed"
FETCHING = "Fetching"
_RETRY_FIRST_S = 5.0
_RETRY_MAX_S = 300.0
_REMEMBERED_MAX = 1000  # Revisions whose model could not be fetched
_MOUNTED = ("GOOGLE_APPLICATION_CREDENTIALS", "AWS_CA_BUNDLE", "AWS_SHARED_CREDENTIALS_FILE")
Report = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class _Failure:
    problem: Problem
    due_s: float | None  # by the loop's clock; None: never
    count: int


class Pinning:
    """Finds digests for the controller: of what is fetched by fetching it, of others as before."""

    def __init__(self, fetcher: Fetcher, sources: Sources, local: Resolve) -> None:
        self._fetcher = fetcher
        self._sources = sources
        self._local = local
        self._underway: dict[str, Underway] = {}
        self._failures: OrderedDict[str, _Failure] = OrderedDict()

    async def resolve(self, revision: Raw) -> Digest | Problem:
        """The digest, or one sentence on why there is none."""
        uri = fetched_model(serving_container(revision))
        if not uri:
            return await self._local(revision)
        uid = str(revision["metadata"]["uid"])
        failed = self._failures.get(uid)
        now_s = asyncio.get_running_loop().time()
        if failed is not None and (failed.due_s is None or now_s < failed.due_s):
            wait_s = None if failed.due_s is None else failed.due_s - now_s
            found = failed.problem
            return Problem(reason=found.reason, message=found.message, retry_s=wait_s)
        try:
            self._underway[uid] = Underway(message=f"asking {shown(uri)}", has_begun=False)
            return await self._fetched(revision, uid, uri)
        except FetchFailedError as error:
            return self._failed(uid, str(error), is_final=error.is_final)
        except MissingError as error:
            return self._failed(uid, f"{shown(uri)}: {error}", is_final=False)
        finally:
            self._underway.pop(uid, None)

    def progress(self, revision: Raw) -> Underway | None:
        """How far that is."""
        return self._underway.get(str(revision["metadata"]["uid"]))

    async def _fetched(self, revision: Raw, uid: str, uri: str) -> Digest:
        env = await self._credentials(revision)

        def tell(done: int, words: str) -> None:
            self._underway[uid] = Underway(message=words, has_begun=done > 0)

        found = await self._fetcher.fetch(uri, "", env, tell)
        self._failures.pop(uid, None)
        return Digest(text=found.digest, told=f"Fetched {shown(uri)} ({found.digest})")

    async def _credentials(self, revision: Raw) -> dict[str, str]:
        """As the container would find them, ConfigMaps and Secrets included; MissingError."""
        spec, metadata = revision["spec"], revision["metadata"]
        if references(spec):
            await self._sources.known()
        lookup = self._sources.lookup(str(metadata["namespace"]))
        container = serving_container(revision)
        env = of_fetches(environment(container, Downward(pod=revision), lookup))
        for name in _MOUNTED:
            if is_mounted(env.get(name, "/"), container):
                raise FetchFailedError(
                    f"{name}: {env[name]} is in a volume, which only a running container sees, "
                    "and models are fetched before: give credentials in env",
                    is_final=True,
                )
        return env

    def _failed(self, uid: str, message: str, *, is_final: bool) -> Problem:
        before = self._failures.pop(uid, None)
        count = 1 if before is None else before.count + 1
        wait_s = min(_RETRY_MAX_S, _RETRY_FIRST_S * 2.0 ** min(count - 1, 10))
        retry_s = None if is_final else wait_s
        problem = Problem(reason=FETCH_FAILED, message=message, retry_s=retry_s)
        due_s = None if is_final else asyncio.get_running_loop().time() + wait_s
        self._failures[uid] = _Failure(problem, due_s, count)
        if len(self._failures) > _REMEMBERED_MAX:
            self._failures.popitem(last=False)
        return problem


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
        try:
            found = await fetcher.fetch(
                uri, launch.digest, launch.env, lambda _, words: said.put_nowait(words)
            )
        except FetchFailedError as error:
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
