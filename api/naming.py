"""Names and addresses of derived objects: the same object always gets the same ones.

For: finding a child, a host or a URL from its parent without looking anything up.
Must not know: whether the object exists.
"""

import hashlib

NAME_LENGTH_MAX = 63  # a DNS label
HASH_LENGTH = 32  # MD5 in hexadecimal
HEAD_LENGTH = NAME_LENGTH_MAX - HASH_LENGTH
HTTP_PORT = 80
CLUSTER_DOMAIN = "cluster.local"


def _hash(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def child_name(parent: str, suffix: str) -> str:
    """`parent + suffix`, at most 63 characters; too long a parent is cut and hashed.

    The algorithm is Knative's kmeta.ChildName, so that objects made by either have the
    same names. `parent` is a valid name (ASCII); `suffix` ends in a letter or digit.
    """
    if len(parent) <= NAME_LENGTH_MAX - len(suffix):
        return parent + suffix
    if len(suffix) < HEAD_LENGTH:
        return parent[: HEAD_LENGTH - len(suffix)] + _hash(parent) + suffix
    name = parent[:HEAD_LENGTH] + _hash(parent + suffix)
    name += suffix[: NAME_LENGTH_MAX - len(name)]
    return name.rstrip("-.")


def revision_name(configuration: str, generation: int) -> str:
    """The name of the Revision that this generation of a Configuration makes."""
    return child_name(configuration, f"-{generation:05d}")


def deployment_name(revision: str) -> str:
    """The name of a Revision's Deployment."""
    return child_name(revision, "-deployment")


def pod_name(deployment: str, random_suffix: str) -> str:
    """The name of one Pod; a long Deployment name is cut, the suffix never is."""
    kept = deployment[: NAME_LENGTH_MAX - len(random_suffix) - 1].rstrip("-.")
    return f"{kept}-{random_suffix}"


def host(name: str, namespace: str, domain: str) -> str:
    """The public host of a Route (or of a Revision, which has its own)."""
    return f"{name}.{namespace}.{domain}"


def tag_host(tag: str, name: str, namespace: str, domain: str) -> str:
    """The public host of one tagged traffic target of a Route."""
    return host(f"{tag}-{name}", namespace, domain)


def url(host: str, port: int | None = None) -> str:
    """`http://host`, with the port unless it is absent or HTTP's own."""
    return f"http://{host}" if port is None or port == HTTP_PORT else f"http://{host}:{port}"


def cluster_local_host(name: str, namespace: str) -> str:
    """The host by which callers inside a cluster reach a Route."""
    return f"{name}.{namespace}.svc.{CLUSTER_DOMAIN}"
