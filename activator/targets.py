"""Where requests lead: revisions, splits among them, and what the replica is told of the way.

For: the words of routing, and the choice of a revision by its share.
Must not know: hosts, paths, sockets, clocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

# Successive multiples of this, modulo 1, fill the unit interval more evenly than chance does:
# 200 requests at 20 % give 40 ± 1, and no period that a pattern of requests could hit.
_GOLDEN = 0.6180339887498949


class RevisionKey(NamedTuple):
    """Which Revision."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One line of a Route's resolved traffic."""

    revision: str
    percent: int  # 0: reached by its tag only
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the bare host needs to know of a Revision."""

    service: str  # its Service, hence its Route; "" if none
    name: str  # the model's name in /v1 and /v2 paths


class Target:
    """Where one host or path leads: a revision, or a split among several."""

    __slots__ = ("_at", "_bounds", "_revisions", "only", "tags")

    def __init__(
        self, shares: Sequence[tuple[RevisionKey, int]], tags: dict[bytes, RevisionKey], at: float
    ) -> None:
        self.tags = tags
        split = [(revision, percent) for revision, percent in shares if percent > 0]
        # None when there is a choice to make, or nothing to choose from.
        self.only = split[0][0] if len(split) == 1 else None
        self._revisions = [revision for revision, _ in split]
        total = sum(percent for _, percent in split)
        self._bounds = [bound / total for bound in accumulate(percent for _, percent in split)]
        self._at = at

    def pick(self) -> RevisionKey | None:
        """The revision for the next request; None when no revision has a share."""
        if not self._revisions:
            return None
        self._at = (self._at + _GOLDEN) % 1.0
        for revision, bound in zip(self._revisions, self._bounds, strict=True):
            if self._at < bound:
                return revision
        return self._revisions[-1]


def sole(revision: RevisionKey) -> Target:
    """All to one revision."""
    return Target([(revision, 100)], {}, 0.0)


_NO_NAMES: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """What one host or path means. `lines` are header lines for the replica."""

    target: Target
    lines: bytes = b""
    replaced: frozenset[bytes] = _NO_NAMES  # headers of the caller that these lines stand for
    is_inside_only: bool = False  # not for callers from outside the cluster or the machine
    explain: "Way | None" = None  # where requests for an explanation go instead

    def tagged(self, tag: bytes) -> "Way":
        """The way that Knative-Serving-Tag chooses; a tag the Route does not have is ignored."""
        revision = self.target.tags.get(tag)
        if revision is None:
            return self
        return Way(
            target=sole(revision),
            lines=self.lines.replace(DEFAULT_ROUTE, b""),
            replaced=self.replaced,
            is_inside_only=self.is_inside_only,
        )


# Told to the replica with what goes by a Route's shares: with a tag beside it, the tag is unknown.
DEFAULT_ROUTE = b"knative-serving-default-route: true\r\n"
