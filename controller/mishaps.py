"""Ask for the Events of Pods that do not start.

For: what stands in no Pod's status.
Must not know: what Events mean, what is done about it, or whose Pods they are.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from api.kinds import EVENTS
from api.objects import Raw
from cluster.client import Client, Page
from cluster.errors import ApiError
from controller.failures import Fault
from controller.pod_events import is_stuck, told

_EVENTS_MAX = 200  # of one Pod
_PODS_MAX = 5  # of one Revision: one request each
_ASKED_AGAIN_S = 5.0
_KNOWN_MAX = 1000
_LEFT_ALONE_S = 3.0  # most Pods have started by then


class Mishaps:
    """Asks for the Events of Pods that are stuck, seldom."""

    def __init__(self, client: Client, *, now_s: Callable[[], float]) -> None:
        """`now_s` is monotonic."""
        self._client = client
        self._now_s = now_s
        self._seen: OrderedDict[str, tuple[float, float, Fault | None]] = OrderedDict()

    async def of(self, pods: Sequence[Raw]) -> dict[str, Fault]:
        """What is known of those that are stuck, by uid: of some, as `pods` are all alike."""
        found: dict[str, Fault] = {}
        stuck: list[Raw] = []
        for pod in pods:
            if is_stuck(pod):
                stuck.append(pod)
            else:
                self._seen.pop(str(pod["metadata"].get("uid")), None)
        for pod in stuck[:_PODS_MAX]:
            uid = str(pod["metadata"].get("uid"))
            if fault := await self._of(uid, str(pod["metadata"]["namespace"])):
                found[uid] = fault
        return found

    async def _of(self, uid: str, namespace: str) -> Fault | None:
        now_s = self._now_s()
        first_s, asked_s, known = self._seen.get(uid, (now_s, -_ASKED_AGAIN_S, None))
        if now_s - first_s >= _LEFT_ALONE_S and now_s - asked_s >= _ASKED_AGAIN_S:
            asked_s = now_s
            try:
                listed = await self._client.list(
                    EVENTS,
                    namespace,
                    field_selector=f"involvedObject.uid={uid}",
                    page=Page(limit=_EVENTS_MAX),
                )
                known = told(listed.items)
            except ApiError:
                pass  # it is asked again
        self._seen[uid] = (first_s, asked_s, known)
        if len(self._seen) > _KNOWN_MAX:
            self._seen.popitem(last=False)
        return known
