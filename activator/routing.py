"""Host, path and tag → the Revision that serves a request.

For: one dictionary look-up a request; everything else is done when a Route or Revision changes.
Must not know: sockets, clocks, replicas. Chance is the `draw` it is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

DEFAULT_NAMESPACE = "default"  # where the bare host looks for models
_CACHE_MAX = 4096
_CLUSTER_SUFFIXES = (b".svc.cluster.local", b".svc", b"")
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


class Router:
    """The table of all hosts. `find` is on the request path; the rest follows watch events.

    Names that coincide are settled by kind: a Route before a tag before a Revision.
    """

    def __init__(self, *, domain: str, draw: Callable[[], float]) -> None:
        """`draw` gives a number in [0, 1): where each split begins."""
        self._domain = domain.lower().encode()
        self._draw = draw
        self._routes: dict[bytes, Target] = {}  # by b"name.namespace", as are the next two
        self._tags: dict[bytes, Target] = {}
        self._revisions: dict[bytes, Target] = {}
        self._models: dict[bytes, dict[RevisionKey, str]] = {}  # model → its revisions' services
        self._known: dict[RevisionKey, Model] = {}
        self._bare = Target((), {}, 0.0)
        self._by_host: dict[bytes, Target | None] = {}  # caches, emptied by every change
        self._by_path: dict[bytes, Target | None] = {}

    def set_route(self, namespace: str, name: str, shares: Sequence[Share]) -> None:
        """A Route appeared or changed. Keeps the place in the split where it was."""
        self.remove_route(namespace, name)
        tagged = {
            share.tag.encode(): RevisionKey(namespace, share.revision)
            for share in shares
            if share.tag
        }
        split = [(RevisionKey(namespace, share.revision), share.percent) for share in shares]
        key = _key(name, namespace)
        self._routes[key] = Target(split, tagged, self._draw())
        for tag, revision in tagged.items():
            self._tags[tag + b"-" + key] = Target([(revision, 100)], {}, 0.0)

    def remove_route(self, namespace: str, name: str) -> None:
        """A Route is gone."""
        self._forget()
        key = _key(name, namespace)
        target = self._routes.pop(key, None)
        for tag in target.tags if target is not None else ():
            self._tags.pop(tag + b"-" + key, None)

    def set_revision(self, namespace: str, name: str, model: Model) -> None:
        """A Revision appeared or changed."""
        self.remove_revision(namespace, name)
        revision = RevisionKey(namespace, name)
        self._revisions[_key(name, namespace)] = Target([(revision, 100)], {}, 0.0)
        self._known[revision] = model
        if namespace == DEFAULT_NAMESPACE:
            self._models.setdefault(model.name.encode(), {})[revision] = model.service

    def remove_revision(self, namespace: str, name: str) -> None:
        """A Revision is gone."""
        self._forget()
        revision = RevisionKey(namespace, name)
        self._revisions.pop(_key(name, namespace), None)
        model = self._known.pop(revision, None)
        if model is None:
            return
        revisions = self._models.get(model.name.encode(), {})
        revisions.pop(revision, None)
        if not revisions:
            self._models.pop(model.name.encode(), None)

    def find(self, host: bytes, target: bytes, tag: bytes | None) -> Target | None:
        """Where a request leads; None: nowhere we know.

        `target` is the raw request target; `tag` the value of Knative-Serving-Tag. A tag the
        Route does not have is ignored, as Knative does.
        """
        try:
            found = self._by_host[host]
        except KeyError:
            found = self._look_up(host)
        if found is self._bare:
            path = target.partition(b"?")[0]
            try:
                found = self._by_path[path]
            except KeyError:
                found = self._look_up_path(path)
        if tag is not None and found is not None and tag in found.tags:
            return Target([(found.tags[tag], 100)], {}, 0.0)
        return found

    def is_bare(self, host: bytes) -> bool:
        """Whether this is the host of the activator itself, not of a Route."""
        return self._parse(host) is None

    def hosts(self) -> list[str]:
        """The public host of every Route and tag, sorted."""
        suffix = "." + self._domain.decode()
        return sorted(key.decode() + suffix for key in (*self._routes, *self._tags))

    def models(self) -> list[str]:
        """The names by which models are found on the bare host, sorted."""
        return sorted(name.decode() for name in self._models)

    def _forget(self) -> None:
        self._by_host.clear()
        self._by_path.clear()

    def _look_up(self, host: bytes) -> Target | None:
        key = self._parse(host)
        if key is None:
            found: Target | None = self._bare
        else:
            found = self._routes.get(key) or self._tags.get(key) or self._revisions.get(key)
        if len(self._by_host) >= _CACHE_MAX:
            self._by_host.clear()
        self._by_host[host] = found
        return found

    def _parse(self, host: bytes) -> bytes | None:
        """`b"name.namespace"` of a host; None for the bare host, however it is spelled."""
        name = host.lower()
        if name.startswith(b"["):
            return None
        name = name.partition(b":")[0].rstrip(b".")
        if name in {b"", b"localhost", self._domain} or not name.strip(b"0123456789."):
            return None
        for suffix in (b"." + self._domain, *_CLUSTER_SUFFIXES):
            if name.endswith(suffix):
                return name[: len(name) - len(suffix)]
        return name

    def _look_up_path(self, path: bytes) -> Target | None:
        found = self._of_path(path)
        if len(self._by_path) >= _CACHE_MAX:
            self._by_path.clear()
        self._by_path[path] = found
        return found

    def _of_path(self, path: bytes) -> Target | None:
        """`/v1/models/<m>[:verb]`, `/v2/models/<m>[/versions/<revision>][/verb]`."""
        parts = path.split(b"/")
        if len(parts) < 4 or parts[0] or parts[1] not in {b"v1", b"v2"} or parts[2] != b"models":
            return None
        name = parts[3]
        if parts[1] == b"v1":
            name = name.partition(b":")[0]
        revisions = self._models.get(unquote_to_bytes(name), {})
        if parts[1] == b"v2" and len(parts) >= 6 and parts[4] == b"versions":
            wanted = RevisionKey(
                DEFAULT_NAMESPACE, unquote_to_bytes(parts[5]).decode("utf-8", "replace")
            )
            return Target([(wanted, 100)], {}, 0.0) if wanted in revisions else None
        # Several Services may give their models one name: the first in order has it.
        for service in sorted(set(revisions.values())):
            found = self._routes.get(_key(service, DEFAULT_NAMESPACE))
            if found is not None:
                return found
        return None


def _key(name: str, namespace: str) -> bytes:
    return f"{name}.{namespace}".encode()
