"""The zygote of one Revision, which has its model open.

For: replicas that share the weights of a model copy-on-write and skip its load.
Must not know: Pods, which Revision it is for, or when one is wanted.
"""

from collections.abc import Mapping
from typing import Any

from embedded.forkedzygote import ForkedZygote
from embedded.zygote import Zygote

_SPARES = 1  # a fork that skips the load costs milliseconds as it is


class TemplateZygote(ForkedZygote):
    """A zygote that another one forks. `request` is what a replica's start is asked with."""

    def __init__(self, name: str, parent: Zygote, request: Mapping[str, Any]) -> None:
        self.request = request
        words = {name: request[name] for name in ("args", "env", "cwd")}
        super().__init__(name, parent, {"kind": "template", **words}, spares=_SPARES)
