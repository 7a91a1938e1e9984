"""Answer the requests that are stored with a model, before it is ready.

For: a replica whose first client does not pay for first times, and that is ready only if its
model answers.
Must not know: where the requests were stored, sockets, when a replica is ready.
"""

import logging
import threading
from collections.abc import Callable

from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.protocol_v2 import CodecV2

_LOG = logging.getLogger(__name__)
_LOOKS = 4  # within the limit; counted, as a process may be stopped meanwhile
_LIMIT_RATIO = 2.0  # of the timeout: a run that takes longer is taken for one that will not end

OnStuck = Callable[[str], None]  # told, on another thread, which one is not answered


def answer(
    loaded: Loaded, *, model_name: str, timeout_s: float = 0.0, on_stuck: OnStuck | None = None
) -> int:
    """Run them as if they came by V2; how many were. LoadError names the first that fails."""
    if not loaded.warmups:
        return 0
    watch = _Watch()
    if on_stuck is not None:
        watch.start(_LIMIT_RATIO * timeout_s, on_stuck)
    try:
        return _answer(loaded, model_name, watch)
    finally:
        watch.over.set()


class _Watch:
    """Looks after a request that may never be answered."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.name = ""
        self.begun = 0

    def start(self, limit_s: float, on_stuck: OnStuck) -> None:
        """Not in a process that forks: it is a thread."""
        args = (limit_s, on_stuck)
        threading.Thread(target=self._work, args=args, name="warm-up", daemon=True).start()

    def _work(self, limit_s: float, on_stuck: OnStuck) -> None:
        looked_at = looks = 0
        while not self.over.wait(limit_s / _LOOKS):
            looks = looks + 1 if self.begun == looked_at else 0
            looked_at = self.begun
            if looks == _LOOKS:
                said = f"this warm-up request has not been answered for {limit_s:g} s"
                on_stuck(f"{self.name}: {said}")
                return


def _answer(loaded: Loaded, model_name: str, watch: _Watch) -> int:
    codec = CodecV2(loaded.signature, name=model_name, version="")
    count = 0
    for warmup in loaded.warmups:
        watch.name = warmup.name
        try:
            for _ in range(warmup.count):
                watch.begun += 1
                request = codec.decode(warmup.body)
                codec.encode(request, loaded.run(request.feeds, request.outputs))
                count += 1
        except RequestError as error:
            raise LoadError(
                f"{warmup.name}: this warm-up request was not answered: {error}"
            ) from None
    _LOG.info("answered %d warm-up requests", count)
    return count
