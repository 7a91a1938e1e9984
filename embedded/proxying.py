"""Kubernetes' service proxy, for the components of this platform.

For: asking a component through the API server, under the path it has on any cluster, guarded
by the same token.
Must not know: what is asked, or what a component answers.
"""

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from cluster.errors import ApiError, NotFoundError, UnavailableError

NAMESPACE: Final = "relight-system"
_PORT: Final = "admin"
Services = Mapping[str, Callable[[], web.Application]]  # makes a component's endpoints


def mount(app: web.Application, services: Services) -> None:
    """Serve each component by every name that Kubernetes has for the only port of a service."""
    for name, make in services.items():
        for said in (f"{name}:{_PORT}", name, f"http:{name}:{_PORT}"):
            prefix = f"/api/v1/namespaces/{NAMESPACE}/services/{said}/proxy"
            app.add_subapp(prefix, make())


def refusal(path: str, services: Services) -> ApiError | None:
    """Kubernetes' words for a proxy that is not there; None for a path of anything else."""
    steps = path.split("/")
    if steps[1:4] != ["api", "v1", "namespaces"] or steps[5:6] != ["services"]:
        return None
    if len(steps) < 8 or steps[7] != "proxy":
        return None
    said = steps[6].split(":")
    name, port = (said[0], "") if len(said) == 1 else said[-2:]
    if steps[4] != NAMESPACE or name not in services:
        details = {"name": name, "kind": "services"}
        return NotFoundError(f'services "{name}" not found', details)
    return UnavailableError(f'no service port "{port}" found for service "{name}"')
