"""What the ConfigMap `config-autoscaler` says now, for who admits objects by it.

For: reading a stored map once for each version of it.
Must not know: how the map is found, or who is refused what by it.
"""

from collections.abc import Callable

from api import autoscaler_config
from api.autoscaler_config import Defaults, SettingsError
from api.objects import Raw


class LiveDefaults:
    """The settings of the moment. `read` finds the stored object at no cost."""

    def __init__(self, read: Callable[[], Raw | None]) -> None:
        self._read = read
        self._version = ""
        self._found = Defaults()

    def __call__(self) -> Defaults:
        """The settings; one that can not be read (it was stored by others) changes nothing."""
        stored = self._read()
        version = "" if stored is None else str(stored["metadata"].get("resourceVersion"))
        if version != self._version:
            self._version = version
            try:
                self._found = autoscaler_config.parse_known((stored or {}).get("data") or {})
            except SettingsError:
                return self._found  # the controller logs and tells why
        return self._found
