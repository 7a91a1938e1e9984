"""Digests of models on a cluster: a Pod of the Revision's own finds each.

For: making such a Pod, waiting for what it says, trying again later, and removing it.
Must not know: what a Pod is made of, or what its status means.

All of it stands in the cluster: whoever takes over finds the Pod by its name and goes on.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace

from api import keys
from api.kinds import PODS
from api.model_reports import PROGRESS_PORT
from api.objects import Raw
from cluster.client import Client
from cluster.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from cluster.informer import Informer
from controller.children import is_controlled_by, is_going
from controller.failures import Fault
from controller.mishaps import Mishaps
from controller.model_pods import (
    Ended,
    asked_of,
    make_pod,
    name_of,
    next_attempt,
    read,
)
from controller.model_progress import told
from controller.pinning import Digest, ModelFile, Problem, Underway, model_file, serving_container
from controller.plan import status_of
from controller.pod_events import is_stuck
from controller.predictor_pods import PredictorPods

_LOG = logging.getLogger(__name__)
_REFUSED_AGAIN_S = 30.0  # a quota may be free again, a policy changed
_FAILED_AGAIN_S = 5.0
_FINAL_AGAIN_S = 300.0  # somebody may have removed the Pod so that it is tried again
_STUCK_S = 2.0  # how often Events are thought of
_KNOWN_MAX = 1000  # digests of Revisions that may not be written yet
FAILED_CREATE = "FailedCreate"

Key = tuple[str, str]


class ModelRuns:
    """Finds digests by having Pods look; the two ports of a controller."""

    def __init__(
        self,
        client: Client,
        pods: PredictorPods,
        *,
        clock: Callable[[], float],
        mishaps: Mishaps,
        stuck_s: float = _STUCK_S,
        tell: Callable[[str, int], Awaitable[str]] = told,
    ) -> None:
        """`clock` is wall time (epoch, seconds), as Kubernetes writes it.

        A Pod that says nothing is looked at every `stuck_s`; `tell(host, port)` asks one that
        runs how far it is.
        """
        self._stuck_s = stuck_s
        self._client = client
        self._pods = pods
        self._clock = clock
        self._mishaps = mishaps
        self._seen = Informer(client, PODS, label_selector=keys.MODEL_OF)
        self._seen.on_change(self._changed)
        self._waiting: dict[Key, set[asyncio.Event]] = {}
        self._found: OrderedDict[str, Digest] = OrderedDict()
        self._told: dict[Key, str] = {}  # how far those are that somebody waits for
        self._tell = tell
        # Told the Revision of a Pod that went while nobody waited: somebody wants another try.
        self.on_gone: Callable[[Key], None] = lambda _: None

    async def run(self) -> None:
        """Follow the Pods until cancelled."""
        await self._seen.run()

    async def resolve(self, revision: Raw) -> Digest | Problem:
        """The digest, or one sentence on why there is none yet."""
        asked = asked_of(revision)
        if asked is None:
            refused = model_file(serving_container(revision))
            assert isinstance(refused, Problem)
            return refused
        uid = str(revision["metadata"]["uid"])
        if known := self._found.get(uid):
            return known
        await self._seen.synced()
        key = _key(revision)
        # One of its own: whoever is given up, when another asks already, takes that along.
        changed = asyncio.Event()
        self._waiting.setdefault(key, set()).add(changed)
        try:
            while True:
                changed.clear()
                answer = await self._step(revision, asked)
                if isinstance(answer, Digest):
                    self._remember(uid, answer)
                if answer is not None:
                    return answer
                await self._change(changed, key)
        except ApiError as error:
            _LOG.warning("the Pod %s of %s: %s", key[1], key[0], error.message)
            return _refusal(f"Pod {key[1]}: {error.message}", _FAILED_AGAIN_S)
        finally:
            self._waiting[key].discard(changed)
            if not self._waiting[key]:
                del self._waiting[key]
                self._told.pop(key, None)

    def progress(self, revision: Raw) -> Underway | None:
        """How far that is."""
        pod, asked = self._seen.objects.get(_key(revision)), asked_of(revision)
        if pod is None or asked is None or not is_controlled_by(pod, revision):
            return None
        found = read(pod, asked)
        if not isinstance(found, Underway):
            return None
        said = self._told.get(_key(revision)) if found.has_begun else ""
        return replace(found, message=said) if said else found

    async def _step(self, revision: Raw, asked: ModelFile) -> Digest | Problem | None:
        """One look at the Pod, and what follows from it; None: wait for it to change."""
        pod = self._seen.objects.get(_key(revision))
        if pod is None:
            return await self._create(revision, asked, attempt=0)
        if is_going(pod):
            return None
        if not is_controlled_by(pod, revision):
            return _refusal(
                f'There is an existing Pod "{pod["metadata"]["name"]}" that we do not own.',
                _REFUSED_AGAIN_S,
                reason="NotOwned",
            )
        state = read(pod, asked, await self._mishap(pod))
        if isinstance(state, Digest):
            await self._delete(pod)
            return state
        if isinstance(state, Ended):
            return await self._after(revision, asked, pod, state)
        if isinstance(state, Underway) and state.has_begun:
            await self._ask(_key(revision), pod)
        return state if isinstance(state, Problem) else None

    async def _ask(self, key: Key, pod: Raw) -> None:
        address = str(status_of(pod).get("podIP") or "")
        if address and (said := await self._tell(address, PROGRESS_PORT)):
            self._told[key] = said

    async def _after(
        self, revision: Raw, asked: ModelFile, pod: Raw, ended: Ended
    ) -> Digest | Problem | None:
        """It failed. It stays to be looked at until it is time to try again."""
        due_s, now_s = ended.due_s, self._clock()
        if due_s is None:
            return replace(ended.problem, retry_s=_FINAL_AGAIN_S)
        if now_s < due_s:
            return replace(ended.problem, retry_s=due_s - now_s)
        await self._delete(pod)
        return await self._create(revision, asked, attempt=next_attempt(pod))

    async def _create(self, revision: Raw, asked: ModelFile, *, attempt: int) -> Problem | None:
        pod = make_pod(revision, asked, self._pods, attempt=attempt)
        try:
            await self._client.create(PODS, pod)
        except AlreadyExistsError:
            return None  # the view is behind, or the one before is still going
        except (ForbiddenError, InvalidError) as error:
            message = f"Pod {pod['metadata']['name']}, which finds the model: {error.message}"
            return _refusal(message, _REFUSED_AGAIN_S)
        return None

    async def _delete(self, pod: Raw) -> None:
        metadata = pod["metadata"]
        try:
            place = (metadata["namespace"], metadata["name"])
            await self._client.delete(PODS, *place, uid=metadata["uid"], grace_period_s=0)
        except (NotFoundError, ConflictError):
            return

    async def _mishap(self, pod: Raw) -> Fault | None:
        return (await self._mishaps.of([pod])).get(str(pod["metadata"].get("uid")))

    async def _change(self, changed: asyncio.Event, key: Key) -> None:
        """Wait for it; a Pod that is stuck or fetches does not change, and is looked at anyway."""
        pod = self._seen.objects.get(key)
        is_quiet = pod is None or is_going(pod) or is_stuck(pod)
        runs = pod is not None and status_of(pod).get("phase") == "Running"
        try:
            async with asyncio.timeout(self._stuck_s if is_quiet or runs else None):
                await changed.wait()
        except TimeoutError:
            return

    def _changed(self, old: Raw | None, new: Raw | None) -> None:
        known = new or old
        assert known is not None
        metadata = known["metadata"]
        waiting = self._waiting.get((str(metadata["namespace"]), str(metadata["name"])), ())
        for each in waiting:
            each.set()
        if new is None and not waiting:
            revision = str((metadata.get("labels") or {}).get(keys.MODEL_OF))
            self.on_gone((str(metadata["namespace"]), revision))

    def _remember(self, uid: str, digest: Digest) -> None:
        """The Revision may not be written at once, and its Pod is gone."""
        self._found[uid] = digest
        if len(self._found) > _KNOWN_MAX:
            self._found.popitem(last=False)


def _key(revision: Raw) -> Key:
    return str(revision["metadata"]["namespace"]), name_of(revision)


def _refusal(message: str, retry_s: float, *, reason: str = FAILED_CREATE) -> Problem:
    return Problem(reason=reason, message=message, retry_s=retry_s, is_of_resources=True)
