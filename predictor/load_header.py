"""The load of this replica, as a line in the head of an answer.

For: telling it to who asks (`endpoint-load-metrics-format`), in the form that is asked for.
Must not know: sockets, queues, what is decided from it.

A model's own word on its queue counts where it is more than what a request waited here.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from api import keys, load_reports

_LOG = logging.getLogger(__name__)
_LINE = keys.HEADER_LOAD.encode() + b": %b\r\n"

Metrics = Callable[[], Mapping[Any, Any]]


class LoadHeader:
    """Asked for one answer at a time; what a model reports wrongly is logged once."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        """`metrics`: what the model says of itself, if it says anything."""
        self._metrics = metrics
        self._has_complained = False

    def line(self, asked: bytes, *, waited_s: float) -> bytes:
        """The header line of an answer; b"" for a form that is not written.

        `waited_s` is how long the request waited for its run.
        """
        form = load_reports.form_of(asked)
        if form is None:
            return b""
        ours = {load_reports.DELAY_MS: round(waited_s * 1000, 3)}
        try:
            value = load_reports.write(form, self._join(ours))
        except Exception as error:  # noqa: BLE001 - a user's code; logged
            if not self._has_complained:
                self._has_complained = True
                _LOG.warning("the model's load_metrics is not reported: %s", error, exc_info=True)
            value = load_reports.write(form, ours)
        return _LINE % value.encode()

    def _join(self, ours: Mapping[str, float]) -> dict[Any, Any]:
        if self._metrics is None:
            return dict(ours)
        said = dict(self._metrics())
        for name, value in ours.items():
            said[name] = max(said.get(name, value), value)
        return said
