"""The names under which a Route is reached, and whose each of them is.

For: URLs of a Route and its tags, public or local to the cluster; names that can not be hosts.
Must not know: which Revision answers there, or who forwards requests.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from api import keys
from api.naming import NAME_LENGTH_MAX, cluster_local_host, host, url
from api.objects import Raw
from controller.children import labels_of
from controller.plan import quoted, status_of

CLUSTER_LOCAL = "cluster-local"  # the value of the visibility label


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How users reach Routes from outside."""

    domain: str
    port: int | None = None  # None or 80: left out of URLs

    def of(self, route: Raw, tag: str = "") -> str:
        """The URL of a Route, or of one of its tags."""
        if is_cluster_local(route):
            return url(self.host(route, tag))
        return url(self.host(route, tag), self.port)

    def host(self, route: Raw, tag: str = "") -> str:
        """The host in that URL."""
        name, namespace = name_of(route, tag), route["metadata"]["namespace"]
        if is_cluster_local(route):
            return cluster_local_host(name, namespace)
        return host(name, namespace, self.domain)

    def fault(self, route: Raw) -> str:
        """Why a host of the Route or of one of its tags is none, in Knative's words; or ""."""
        for tag in ("", *tags_of(route)):
            name = name_of(route, tag)
            if len(name) > NAME_LENGTH_MAX:
                return (
                    f"domain name error: invalid domain name {quoted(self.host(route, tag))}: "
                    f"url: Invalid value: {quoted(name)}: "
                    f"must be no more than {NAME_LENGTH_MAX} characters"
                )
        return ""


def is_cluster_local(route: Raw) -> bool:
    """Whether the Route is only for callers inside the cluster."""
    return labels_of(route).get(keys.VISIBILITY) == CLUSTER_LOCAL


def internal_url(route: Raw) -> str:
    """Where callers inside a cluster find the Route."""
    return url(cluster_local_host(route["metadata"]["name"], route["metadata"]["namespace"]))


def name_of(route: Raw, tag: str) -> str:
    """The first part of the host."""
    name = str(route["metadata"]["name"])
    return f"{tag}-{name}" if tag else name


def tags_of(route: Raw) -> tuple[str, ...]:
    """The tags that the Route wants, each once."""
    targets: Sequence[Any] = (route.get("spec") or {}).get("traffic") or ()
    return tuple(dict.fromkeys(str(each["tag"]) for each in targets if each.get("tag")))


def claims(route: Raw) -> Iterator[str]:
    """Every name in its namespace that the Route wants for itself."""
    yield name_of(route, "")
    for tag in tags_of(route):
        yield name_of(route, tag)


def hosts_of(route: Raw) -> tuple[str, ...]:
    """The hosts under which it says it is reached, each once."""
    status = status_of(route)
    urls = [status.get("url"), *(each.get("url") for each in status.get("traffic") or ())]
    found = (str(each or "").partition("://")[2].partition(":")[0] for each in urls)
    return tuple(dict.fromkeys(each for each in found if each))


def lost_names(route: Raw, others: Collection[Raw]) -> list[str]:
    """Those of its tags' names that are another Route's; `others` may claim any of them.

    A Route's own name goes before a tag, whoever serves under it first before who wants to,
    and then the older Route before the younger.
    """
    lost = []
    for tag in tags_of(route):
        name = name_of(route, tag)
        rivals = [each for each in others if name in claims(each)]
        if any(_rank(each, name) < _rank(route, name) for each in rivals):
            lost.append(name)
    return lost


def _rank(route: Raw, name: str) -> tuple[bool, bool, str, str]:
    """Smaller is first."""
    metadata = route["metadata"]
    serving = {
        name_of(route, each.get("tag", "")) for each in status_of(route).get("traffic") or ()
    }
    return (
        metadata["name"] != name,
        name not in serving,
        metadata.get("creationTimestamp", ""),
        metadata["name"],
    )
