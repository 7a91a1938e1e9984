"""What stands under `_example` in the ConfigMaps that are read: every key, its default, its use.

For: documenting settings where `kubectl edit` shows them, as Knative does, and telling an edit of
     that text, which would do nothing, from a setting.
Must not know: how a value is read, or where the ConfigMaps are.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api import keys

EXAMPLE_KEY: Final = "_example"
EDITED: Final = (
    'the update modifies a key in "_example" which is probably not what you want. Instead, copy '
    'the respective setting to the top-level of the ConfigMap, directly below "data"'
)
_LINE_ENDS: Final = re.compile("(?:\r?\n)+")
_HEADING: Final = (
    "# Nothing below is read. To change a setting, copy its line to the top of data,",
    "# beside _example.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of a ConfigMap, the text of its default, and what it is for."""

    key: str
    default: str
    meaning: str


# In Knative's order.
AUTOSCALER: Final = (
    Setting(
        key="container-concurrency-target-percentage",
        default="70",
        meaning="how much of a replica's concurrency to use; up to 1 it is a fraction",
    ),
    Setting(
        key="container-concurrency-target-default",
        default="100",
        meaning="requests at once to aim at in a replica, without containerConcurrency",
    ),
    Setting(
        key="requests-per-second-target-default",
        default="200",
        meaning="requests a second to aim at in a replica, where the metric is rps",
    ),
    Setting(
        key="target-burst-capacity",
        default="211",
        meaning="room for a burst that the activator guards; 0: only at zero, -1: always",
    ),
    Setting(key="stable-window", default="60s", meaning="time over which load is averaged"),
    Setting(
        key="panic-window-percentage",
        default="10",
        meaning="length of the panic window, of the stable one",
    ),
    Setting(
        key="panic-threshold-percentage",
        default="200",
        meaning="load in the panic window that starts a panic, of what is ready",
    ),
    Setting(key="max-scale-up-rate", default="1000", meaning="growth in one decision, as a factor"),
    Setting(
        key="max-scale-down-rate", default="2", meaning="shrinking in one decision, as a divisor"
    ),
    Setting(key="enable-scale-to-zero", default="true", meaning="whether the last replica goes"),
    Setting(
        key="scale-to-zero-grace-period",
        default="30s",
        meaning="class kpa: longest wait for the activator to be in the path before zero",
    ),
    Setting(
        key="scale-to-zero-pod-retention-period",
        default="0s",
        meaning="least time that the last replica stays once it could go",
    ),
    Setting(
        key="pod-autoscaler-class",
        default=keys.CLASS_RELIGHT,
        meaning="class of Revisions that name none",
    ),
    Setting(
        key="activator-capacity",
        default="100",
        meaning="requests at once that one activator carries",
    ),
    Setting(key="initial-scale", default="1", meaning="first size of a Revision"),
    Setting(
        key="allow-zero-initial-scale",
        default="false",
        meaning="whether an initial scale may be 0, here and in annotations",
    ),
    Setting(key="min-scale", default="0", meaning="least number of replicas"),
    Setting(key="max-scale", default="0", meaning="largest number of replicas; 0: no bound"),
    Setting(
        key="max-scale-limit",
        default="0",
        meaning="largest max-scale that may be asked for (0, no bound, is too large); 0: any",
    ),
    Setting(key="scale-down-delay", default="0s", meaning="time at a lower need before shrinking"),
)
DEPLOYMENT: Final = (
    Setting(
        key="progress-deadline",
        default="600s",
        meaning="time that a Revision has to become ready, where it does not say",
    ),
)
GC: Final = (
    Setting(
        key="retain-since-create-time",
        default="48h",
        meaning="a Revision younger than that is kept; disabled: age does not matter",
    ),
    Setting(
        key="retain-since-last-active-time",
        default="15h",
        meaning="so is one that a Route pointed at since; disabled: that does not matter",
    ),
    Setting(
        key="min-non-active-revisions",
        default="20",
        meaning="so many unused Revisions of a Configuration are always kept",
    ),
    Setting(
        key="max-non-active-revisions",
        default="1000",
        meaning="above that the longest unused go, whatever their age; disabled: no bound",
    ),
)
NETWORK: Final = (
    Setting(
        key="rollout-duration",
        default="0",
        meaning="seconds that a new Revision takes to get all requests, where a Route does not say",
    ),
)
OF_MAPS: Final[Mapping[str, Sequence[Setting]]] = {
    "config-autoscaler": AUTOSCALER,
    "config-deployment": DEPLOYMENT,
    "config-gc": GC,
    "config-network": NETWORK,
}


def example(settings: Sequence[Setting]) -> str:
    """The text of `_example`, in YAML."""
    lines = list(_HEADING)
    for each in settings:
        lines += ["", f"# {each.meaning}", f'{each.key}: "{each.default}"']
    return "\n".join(lines) + "\n"


def checksum(text: str) -> str:
    """Knative's, by which it knows an `_example` that somebody edited."""
    # Line ends become a backslash and an n: what Knative writes there is no line end in Go.
    folded = _LINE_ENDS.sub(r"\\n", text.strip())
    return f"{zlib.crc32(folded.encode()):08x}"


def is_edited(data: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    """Whether the `_example` is another text than its checksum was made of."""
    said = annotations.get(keys.EXAMPLE_CHECKSUM)
    return EXAMPLE_KEY in data and said is not None and said != checksum(data[EXAMPLE_KEY])
