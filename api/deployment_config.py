"""Knative's ConfigMap `config-deployment`, of which one key means something here.

For: `progress-deadline`, with Knative's bounds and complaints.
Must not know: what is done with Deployments that take longer.
"""

from collections.abc import Mapping
from typing import Final

from api.autoscaler_config import NS_PER_S, SettingsError
from api.formats import duration_ns, duration_text
from api.templates import PROGRESS_DEADLINE_S_DEFAULT

NAME: Final = "config-deployment"
KEYS: Final = ("progressDeadline", "progress-deadline")  # the new spelling counts more


def parse(data: Mapping[str, str]) -> int:
    """Seconds that a Revision has to become ready; raises SettingsError."""
    found = PROGRESS_DEADLINE_S_DEFAULT * NS_PER_S
    for key in KEYS:
        if key in data:
            said = duration_ns(data[key])
            if said is None:
                reason = f'time: invalid duration "{data[key]}"'
                raise SettingsError(f'failed to parse "{key}": {reason}')
            found = said
    if found <= 0:
        shown = duration_text(found)
        raise SettingsError(f"progress-deadline cannot be a non-positive duration, was {shown}")
    if found % NS_PER_S:
        shown = duration_text(found)
        raise SettingsError(f"progress-deadline must be rounded to a whole second, was: {shown}")
    return found // NS_PER_S
