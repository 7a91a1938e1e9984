"""Settings that whoever runs a cluster keeps in ConfigMaps, followed while the autoscaler runs.

For: `config-autoscaler` and `config-deployment` of one namespace, into Settings.
Must not know: which Revisions there are, or what a setting does.

On one machine the API server refuses a map that can not be read when it is written. Anywhere
else such a map is told of, and what was read last stays; keys of a later Knative are named.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from api import autoscaler_config, deployment_config
from api.autoscaler_config import SettingsError
from api.kinds import CONFIGMAPS
from autoscaler.config import Settings
from cluster.client import Client
from cluster.informer import Informer

_LOG = logging.getLogger(__name__)


def updated(settings: Settings, name: str, data: Mapping[str, str]) -> Settings:
    """The settings after the ConfigMap of that name said `data`; raises SettingsError."""
    if name == autoscaler_config.NAME:
        return replace(settings, defaults=autoscaler_config.parse_known(data))
    if name == deployment_config.NAME:
        return replace(settings, progress_deadline_s=float(deployment_config.parse(data)))
    return settings


class SettingsMap:
    """The settings of now; `on_change` is called when they become others."""

    def __init__(
        self, client: Client, settings: Settings, on_change: Callable[[Settings], None]
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._maps = Informer(client, CONFIGMAPS, settings.config_namespace, is_optional=True)
        self._maps.on_change(self._follow)

    async def run(self) -> None:
        """Follow the ConfigMaps until cancelled."""
        await self._maps.run()

    async def synced(self) -> None:
        """Wait until what is stored now has been read."""
        await self._maps.synced()

    def _follow(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
        name = str((new or old or {})["metadata"]["name"])
        data = (new or {}).get("data") or {}
        namespace = self._settings.config_namespace
        try:
            found = updated(self._settings, name, data)
        except SettingsError as error:
            _LOG.warning("ConfigMap %s/%s: %s; the settings stay", namespace, name, error)
            return
        if name == autoscaler_config.NAME:
            for key in autoscaler_config.unknown(data):
                _LOG.warning("ConfigMap %s/%s: %s is not a key we know", namespace, name, key)
        if found != self._settings:
            self._settings = found
            self._on_change(found)
