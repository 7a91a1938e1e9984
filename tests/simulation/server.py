"""An API server that can die, and be started again from its database.

For: kill -9 without a process: what memory held is dropped, what the file holds is opened anew.
Must not know: who uses it.
"""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.errors import UnavailableError
from embedded.apiserver import ApiServer
from embedded.history import Change
from embedded.store import Store


class SwitchedServer:
    """A `cluster.direct.RequestHandler`: the server of now, or 503 while there is none."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        observe: Callable[[Change], None],
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._rng = rng
        self._observe = observe
        self._lives = 0
        self._history_events_max = rng.choice((60, 400, 10_000))  # few: watches fall behind
        self.store: Store
        self._server: ApiServer | None = None
        self.start()

    def start(self) -> None:
        """Open the file as the last life left it."""
        self._lives += 1
        self.store = Store(self._path(self._lives), history_events_max=self._history_events_max)
        self._server = ApiServer(self.store, clock=self._clock, rng=self._rng)
        self.store.subscribe(self._observe)

    def kill(self) -> None:
        """The process is gone in the middle of whatever it did."""
        if self._server is None:
            return
        old, new = self._path(self._lives), self._path(self._lives + 1)
        for ending in ("", "-wal"):  # what the kernel has; closing the file would tidy it up
            if Path(f"{old}{ending}").exists():
                shutil.copyfile(f"{old}{ending}", f"{new}{ending}")
        server, self._server = self._server, None
        server.close()
        self.store.close()

    @property
    def is_up(self) -> bool:
        return self._server is not None

    def end_watches(self) -> None:
        """As a load balancer or a server's own limit does now and then."""
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self.store.close()

    def __getattr__(self, name: str) -> Any:
        if self._server is None:
            raise UnavailableError("the API server is down")
        return getattr(self._server, name)

    def _path(self, life: int) -> Path:
        return self._folder / f"{life}.db"
