"""Digests of models that lie elsewhere, found by having them fetched.

For: how far a fetch is, what is said of one that failed, and when it is tried again.
Must not know: how a model is fetched, where it is kept, or whose credentials are used.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.model_reports import FETCH_FAILED
from api.objects import Raw
from api.storage_uris import FetchFailedError, shown
from controller.models import Resolve
from controller.pinning import Digest, Problem, Underway, fetched_model, serving_container

_RETRY_FIRST_S = 5.0
_RETRY_MAX_S = 300.0
_REMEMBERED_MAX = 1000  # Revisions whose model could not be fetched

Tell = Callable[[int, str], None]  # bytes that came, and a sentence of it
Fetch = Callable[[Raw, str, Tell], Awaitable[str]]  # for a Revision, of a URI: the digest


@dataclass(slots=True)
class _Failure:
    problem: Problem
    due_s: float | None  # by the loop's clock; None: never
    count: int


class FetchedModels:
    """Finds digests: of what is fetched by fetching it, of others as before."""

    def __init__(self, fetch: Fetch, local: Resolve) -> None:
        """`fetch` raises FetchFailedError; `local` is asked for models that lie here."""
        self._fetch = fetch
        self._local = local
        self._underway: dict[str, Underway] = {}
        self._failures: OrderedDict[str, _Failure] = OrderedDict()

    async def resolve(self, revision: Raw) -> Digest | Problem:
        """The digest, or one sentence on why there is none."""
        uri = fetched_model(serving_container(revision))
        if not uri:
            return await self._local(revision)
        uid = str(revision["metadata"]["uid"])
        if known := self._known(uid):
            return known

        def tell(done: int, words: str) -> None:
            self._underway[uid] = Underway(message=words, has_begun=done > 0)

        try:
            tell(0, f"asking {shown(uri)}")
            digest = await self._fetch(revision, uri, tell)
        except FetchFailedError as error:
            return self._failed(uid, str(error), is_final=error.is_final)
        finally:
            self._underway.pop(uid, None)
        self._failures.pop(uid, None)
        return Digest(text=digest, told=f"Fetched {shown(uri)} ({digest})")

    def progress(self, revision: Raw) -> Underway | None:
        """How far that is."""
        return self._underway.get(str(revision["metadata"]["uid"]))

    def _known(self, uid: str) -> Problem | None:
        """What went wrong, while it is not time to try again."""
        failed = self._failures.get(uid)
        if failed is None or failed.due_s is None:
            return None if failed is None else failed.problem
        left_s = failed.due_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            return None
        found = failed.problem
        return Problem(reason=found.reason, message=found.message, retry_s=left_s)

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
