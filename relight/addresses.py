"""Which host a request to a Service, a tag or a revision carries, and where it is sent.

For: reaching a model without DNS: the activator's address and the right Host header.
Must not know: what is sent, or how.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from api import naming
from relight.errors import FailedError, UsageError

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where to connect (`base`, a URL without path) and the Host to ask for."""

    base: str
    host: str


def of_service(
    service: Raw,
    *,
    activator: str | None,
    domain: str | None,
    tag: str | None = None,
    revision: str | None = None,
) -> Destination:
    """The way to a Service, to what one of its tags names, or to one revision.

    Without an activator's address the URL in the status is used, which then needs DNS.
    """
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    parts = urlsplit(str((service.get("status") or {}).get("url") or ""))
    host = parts.hostname or (naming.host(name, namespace, domain) if domain else "")
    if not host:
        raise FailedError(f"Service {name} has no address yet: see 'relight describe {name}'")
    domain = domain or host.removeprefix(f"{name}.{namespace}.")
    if tag is not None:
        _check_tag(service, tag)
        host = naming.tag_host(tag, name, namespace, domain)
    elif revision is not None:
        host = naming.host(revision, namespace, domain)
    port = f":{parts.port}" if parts.port else ""
    return Destination(base=(activator or f"http://{host}{port}").rstrip("/"), host=host + port)


def _check_tag(service: Raw, tag: str) -> None:
    targets = (service.get("status") or {}).get("traffic") or ()
    known = [target["tag"] for target in targets if target.get("tag")]
    if tag not in known:
        name = service["metadata"]["name"]
        raise UsageError(f"{name} has no tag {tag} (tags: {', '.join(known) or 'none'})")
