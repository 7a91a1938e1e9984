"""What a Host header names, however it is spelled.

For: one spelling of each host, and telling names of the public domain from cluster-local ones.
Must not know: which hosts exist.
"""

from typing import NamedTuple

_CLUSTER_SUFFIXES = (b".svc.cluster.local", b".svc")


class Place(NamedTuple):
    """A host that is not the bare one."""

    full: bytes  # lower case, without port and final dot
    stem: bytes  # without the suffix that follows a name and its namespace
    is_public: bool  # it ends in the public domain


def parse_host(host: bytes, domain: bytes) -> Place | None:
    """None for the bare host: an address, `localhost`, or the domain itself (in lower case)."""
    name = host.lower()
    if name.startswith(b"["):
        return None
    name = name.partition(b":")[0].rstrip(b".")
    if name in {b"", b"localhost", domain} or not name.strip(b"0123456789."):
        return None
    if name.endswith(b"." + domain):
        # A domain that is the cluster's own has no names that are seen from outside.
        is_public = not b".".join((b"", domain)).endswith(_CLUSTER_SUFFIXES)
        return Place(name, name[: -len(domain) - 1], is_public)
    for suffix in _CLUSTER_SUFFIXES:
        if name.endswith(suffix):
            return Place(name, name[: -len(suffix)], False)
    return Place(name, name, False)
